"""What the board learns of each thing that a trial may report, and what is said while none runs."""

from types import SimpleNamespace

import pytest

from sweep.ray_backend import tuner
from sweep.ray_backend.stall_warning import SILENCE, Watch
from sweep.resources import ClusterCapacity, NodeType, Request, Slots
from sweep.resources.requests import ResourceEstimator
from sweep.scheduling import Board, Failure
from tests.support.jobs import record
from tests.support.toys import points, toy
from trainables.store import MemoryStore

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # Ray's own imports


@pytest.fixture
def trial(monkeypatch):
    """A job of three generations that was handed out, and what Tune tells of its trial."""
    board = Board(MemoryStore())
    board.admit(points(toy(("replace",), 1)))
    pool = ClusterCapacity([NodeType({"CPU": 2.0, "GPU": 1.0}, gpu_bytes=2.0**30)])
    slots = Slots(pool, ResourceEstimator(pool))
    board.subscribe(slots)
    job = board.take()
    slots.take(job)
    deaths = tuner._Deaths()
    reports = tuner._Reports(board, SimpleNamespace(beat=lambda: None), slots, tuner._Heard(), deaths)
    shown = SimpleNamespace(config={"key": job.key}, trial_id="1", error_file=None)
    reports.on_trial_start(1, [], shown)

    def tell(**result):
        reports.on_trial_result(1, [], shown, {"cell": job.key, "done": False} | result)

    return SimpleNamespace(board=board, job=job, slots=slots, reports=reports, deaths=deaths, shown=shown, tell=tell)


def test_a_generation_is_recorded(trial):
    assert trial.job.status == "running"
    trial.tell()
    assert trial.job.done == 0
    trial.tell(record=record(1).model_dump_json())
    assert trial.job.done == 1
    assert trial.board.holds(trial.job)


def test_a_trial_that_ends_after_its_last_generation_is_done_and_before_it_stopped(trial):
    for n in (1, 2, 3):
        trial.tell(record=record(n).model_dump_json(), done=n == 3)
    assert trial.job.status == "done"


def test_a_trial_that_a_scheduler_ended_is_stopped(trial):
    trial.tell(record=record(1).model_dump_json(), done=True)
    assert (trial.job.status, trial.job.done) == ("stopped", 1)


@pytest.mark.parametrize("final", [True, False])
def test_a_failure_is_the_cell_s(trial, final):
    trial.tell(failure={"reason": "the loss is nan", "generation": 2, "final": final}, done=True)
    assert trial.job.status == "failed"
    assert trial.job.failure == Failure("the loss is nan", 2, final)


def test_a_broken_store_is_the_board_s_and_fails_no_cell(trial):
    trial.tell(broken="No space left on device", done=True)
    assert trial.board.broken == "No space left on device"
    assert trial.job.status == "running"


def test_a_step_that_another_driver_computes_lets_the_cell_wait(trial):
    trial.tell(busy=True, held=["model", "ab"], done=True)
    assert trial.job.status == "waiting"
    assert not trial.board.holds(trial.job)
    assert trial.board._cooling[0].held == ("model", "ab")


def test_memory_that_was_taken_is_reserved_for_the_next_of_its_kind(trial):
    trial.tell(record=record(1).model_dump_json(), peak=2.0**29)
    assert trial.slots.needs._seen == {("gaussian", "dim 1"): 2.0**29}


@pytest.mark.parametrize(("share", "again"), [(0.25, True), (1.0, False), (0.0, False)])
def test_a_trial_without_room_beside_others_is_tried_alone_and_one_alone_has_failed(trial, share, again):
    trial.slots._held[trial.job.key] = Request(gpu=share)
    trial.tell(cramped={"reason": "out of memory", "generation": 1}, done=True)
    assert trial.job.status == ("waiting" if again else "failed")
    assert (trial.job.key in trial.slots.needs._alone) is again


def test_what_is_told_of_a_job_that_was_let_go_counts_no_more(trial):
    trial.board.requeue(trial.job)
    trial.tell(failure={"reason": "late", "generation": 1}, done=True)
    assert (trial.job.status, trial.job.failure) == ("waiting", None)


def dies(trial):
    """The worker of the cell's trial dies, as Tune tells it."""
    trial.reports.on_trial_error(1, [], trial.shown)


def handed_out(trial):
    """The cell, when it has waited, is a trial of its own, which has not started; whether in a worker of its own."""
    trial.board._clock = lambda: float("inf")
    chooser = tuner._Next(trial.board, "store", SimpleNamespace(beat=lambda: None), trial.slots, trial.deaths)
    trial.shown.config, trial.shown.trial_id = chooser.suggest("again"), trial.shown.trial_id + "1"
    assert trial.shown.config["key"] == trial.job.key
    return tuner._place(trial.shown.config) != tuner._place(trial.shown.config | {"own": False})


def begins(trial):
    """The cell is taken up once more, and reports what the store has of it; whether in a worker of its own."""
    own = handed_out(trial)
    trial.reports.on_trial_start(1, [], trial.shown)
    for generation in range(1, trial.job.done + 1):
        trial.tell(record=record(generation).model_dump_json())
    return own


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (None, "no reason was given"),
        ("\n\n", "no reason was given"),
        (
            "Failure # 1\nTraceback:\n  ray.exceptions.ActorDiedError: the actor died\n",
            "ray.exceptions.ActorDiedError: the ",
        ),
        ("Failure\n" + "x" * 999, "x" * 300),
        (
            "node running low on memory. It was 7GB used / 8GB limit\nlast",
            "its machine ran low on memory, 7GB of 8GB were used",
        ),
        ("lost https://me:planted@host/x", "lost https://me:***@host/x"),
    ],
)
def test_a_worker_that_died_too_often_is_told_by_its_last_words(trial, tmp_path, said, told):
    if said is not None:
        trial.shown.error_file = str(tmp_path / "error.txt")
        (tmp_path / "error.txt").write_text(said)
    trial.tell(record=record(1).model_dump_json())
    for _ in range(tuner.WORKER_DEATHS):
        dies(trial)
        begins(trial)
    dies(trial)
    assert str(trial.job.failure).startswith(f"generation 2: the worker process died 3 times: {told}")
    assert len(trial.job.failure.reason) <= 300 + 50
    assert not trial.job.failure.final, "the next run tries again"
    trial.reports.on_trial_error(1, [], trial.shown)
    assert trial.job.done == 1


def test_a_cell_that_kills_every_worker_at_one_generation_fails_though_the_next_reads_those_before(trial):
    for generation in (1, 2):
        trial.tell(record=record(generation).model_dump_json())
    deaths = 0
    while trial.job.status != "failed":
        dies(trial)
        deaths += 1
        assert deaths < 20, "for ever"
        if trial.job.status != "failed":
            assert not trial.board.holds(trial.job), "its place is free"
            begins(trial)
    assert deaths == tuner.WORKER_DEATHS + 1
    assert trial.job.failure.generation == 3


def test_a_generation_that_is_new_forgives_the_deaths_before_it(trial):
    for generation in (1, 2, 3):
        for _ in range(tuner.WORKER_DEATHS):
            dies(trial)
            begins(trial)
        trial.tell(record=record(generation).model_dump_json())
    assert trial.job.done == 3


def test_deaths_count_on_where_the_cell_waited_for_another_driver_between_them(trial):
    for _ in range(tuner.WORKER_DEATHS):
        dies(trial)
        begins(trial)
        trial.tell(busy="another", held=[], done=True)
        begins(trial)
    dies(trial)
    assert trial.job.status == "failed"


def test_a_worker_that_died_between_two_cells_costs_the_next_nothing_but_a_worker_of_its_own(trial):
    for _ in range(9):
        dies(trial)
        assert not begins(trial), "any worker will do"
        trial.tell(busy="another", held=[], done=True)
        handed_out(trial)
        dies(trial)
        assert trial.job.status == "waiting"
        assert begins(trial)
        trial.tell(record=record(trial.job.done + 1).model_dump_json())
        trial.job.done = 0  # so that there are nine


def test_a_cell_that_kills_every_worker_before_it_is_taken_up_fails(trial):
    dies(trial)
    for deaths in range(tuner.WORKER_DEATHS + 1):
        assert trial.job.status == "waiting"
        assert handed_out(trial) is (deaths > 0), "of its own, once one has died that might have been another's"
        dies(trial)
    assert trial.job.status == "failed", "no cell kills worker after worker for ever"


def test_nobody_looks_at_a_silent_screen_while_trials_wait_for_machines():
    now, said = [0.0], []
    board = Board(MemoryStore())
    board.admit(points(toy(("replace",), 2)))
    watch = Watch(board, said.append, lambda: now[0])
    watch.look()
    taken = [board.take(), board.take()]
    for moment in (100.0, 100.0 + SILENCE - 0.01):
        now[0] = moment
        watch.look()
    assert said == [], "counted from when they were first seen to wait"
    now[0] = 100.0 + SILENCE
    watch.look()
    assert said == [f"2 trials wait for machines and none runs; the first is {taken[0].title}"]
    now[0] += SILENCE - 0.01
    watch.look()
    assert len(said) == 1
    now[0] += 0.01
    watch.look()
    assert len(said) == 2, "and said again"
    board.start(taken[1])
    now[0] += 10 * SILENCE
    watch.look()
    board.interrupt()
    watch.look()
    assert len(said) == 2, "where one runs, or none is wanted, there is nothing to say"
