"""What trials reserve, how many are handed out, and what is refused before anything is trained."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from search_spaces import Block, Grid, Study, StudyError
from search_spaces.loading.study import study_from
from search_spaces.resources import Resources, size
from sweep.errors import UsageError
from sweep.resources import ClusterCapacity, Machines, NodeType, Request, Slots, likely, places, ready, wants
from sweep.resources.capacity import GIB
from sweep.resources.requests import MOST_SHARING, ResourceEstimator, share
from sweep.scheduling import Board, Job, make_job
from sweep.tune_first.state import trials
from tests.support.toys import toy
from trainables import Cell
from trainables.store import MemoryStore

CPUS = NodeType({"CPU": 4.0, "memory": 8 * GIB})
H100 = NodeType({"CPU": 16.0, "GPU": 1.0, "accelerator_type:H100": 1.0}, gpu_bytes=80 * GIB)


def job(family: str, seed: int = 0, wants: dict[str, Any] | None = None, **fields: Any) -> Job:
    cell = Cell.model_validate({"family": {"kind": family} | fields, "policy": {"kind": "replace"}, "seed": seed})
    return make_job(cell, {}, Resources.model_validate(wants or {}))


def test_closed_forms_go_to_cpus_and_networks_to_gpus_where_there_are_any() -> None:
    mixed, bare = ResourceEstimator(ClusterCapacity([CPUS, H100])), ResourceEstimator(ClusterCapacity([CPUS]))
    for family in ("linear", "gaussian", "discrete", "kde"):
        assert mixed.request(job(family)) == Request()
    for family, fields in (("language", {"size": "0.4M"}), ("vae", {}), ("diffusion", {})):
        assert 0 < mixed.request(job(family, **fields)).gpu <= 1
        assert bare.request(job(family, **fields)) == Request()


def test_a_generation_of_little_work_goes_to_a_core_which_takes_less_time_for_it() -> None:
    mixed, bare = ResourceEstimator(ClusterCapacity([CPUS, H100])), ResourceEstimator(ClusterCapacity([CPUS]))
    assert mixed.request(job("language")) == Request(hidden=True)
    assert bare.request(job("language")) == Request()
    for more in ({"size": "0.4M"}, {"epochs": 8}):
        assert mixed.request(job("language", **more)).gpu > 0
    for asked in ({"gpu": 0.5}, {"gpu": 1}, {"accelerator": "H100"}):
        assert mixed.request(job("language", wants=asked)).gpu > 0


def test_a_gpu_is_shared_by_as_many_as_its_memory_holds_and_no_more() -> None:
    small, large = job("language", size="0.4M"), job("language", size="42M", context=512, batch=64)
    needs = ResourceEstimator(ClusterCapacity([H100]))
    assert needs.request(small).gpu == pytest.approx(1 / MOST_SHARING)
    tight = ResourceEstimator(
        ClusterCapacity([NodeType(H100.resources, gpu_bytes=2.5 * small.cell.family.device_bytes(small.cell.rows))])
    )
    assert tight.request(small).gpu == 0.5
    assert needs.request(large).gpu > needs.request(small).gpu
    for count in range(1, 9):
        part = share(0.899 * 10.0 / count, 10.0)
        assert part * count <= 1.0, "all of them fit by Ray's count too"
        assert int(1 / part + 1e-3) == count
    assert share(20.0, 10.0) == 1.0


def test_what_a_trial_took_counts_more_than_the_estimate() -> None:
    needs, one = ResourceEstimator(ClusterCapacity([H100])), job("language", size="0.4M")
    needs.learn(one, 30 * GIB)
    assert needs.request(job("language", seed=5, size="0.4M")).gpu == 0.5
    assert needs.request(job("language", size="1M")).gpu < 0.5, "of its own kind only"
    needs.isolate(one)
    assert needs.request(one).gpu == 1.0
    assert needs.request(job("language", seed=5, size="0.4M")).gpu == 0.5


def test_the_studys_words_come_before_defaults_and_the_blocks_before_the_studys() -> None:
    study, block = Resources(cpu=2, gpu=0.5, memory="2GiB"), Resources(gpu=1)  # type: ignore[arg-type]
    assert block.over(study) == Resources(cpu=2, gpu=1, memory=2 * 2**30)
    needs = ResourceEstimator(ClusterCapacity([CPUS, H100]))
    wanted = {"cpu": 2, "gpu": 0.25, "accelerator": "H100", "memory": "1GiB"}
    request = needs.request(job("vae", wants=wanted))
    assert request.bundle == {"CPU": 2.0, "GPU": 0.25, "memory": GIB, "accelerator_type:H100": 0.001}
    hidden = needs.request(job("vae", wants={"gpu": 0}))
    assert (hidden.bundle, hidden.hidden) == ({"CPU": 1.0}, True)
    assert needs.request(job("linear", wants={"accelerator": "H100"})) == Request()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"gpu": 1.5}, r"resources.gpu: a share from 0 to 1"),
        ({"gpu": -0.5}, r"resources.gpu: a share from 0 to 1"),
        ({"cpu": 0}, r"resources.cpu: "),
        ({"memory": "2 gigs"}, r"resources.memory: a size such as 2GiB"),
        ({"gpus": 1}, r"resources.gpus: unknown key.*did you mean 'gpu'"),
        ({"accelerator": "../x"}, r"resources.accelerator: "),
    ],
)
def test_wrong_words_are_refused_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said) as refused:
        study_from({"name": "s", "cell": {"family": {"kind": "gaussian"}}, "resources": wrong}, "s.yaml")
    assert "\n" not in str(refused.value)


def test_sizes() -> None:
    assert [size(text) for text in ("2GiB", "1.5 kB".upper(), "500 MB")] == [2 * 2**30, 1500, 500_000_000]


def test_resources_change_no_key_and_no_search() -> None:
    study = toy()
    other = study.model_copy(update={"resources": Resources(cpu=2, gpu=1)})
    from search_spaces.expansion import expand

    assert [point.cell.key for point in expand(study)] == [point.cell.key for point in expand(other)]


def board(*families: str, seeds: int = 6) -> Board:
    blocks = tuple(
        Block(
            name=family,
            cell={"family": {"kind": family}, "policy": {"kind": "replace"}, "generations": 2},
            space={"seed": Grid(values=tuple(range(seeds)))},
        )
        for family in families
    )
    from search_spaces.expansion import expand

    made = Board(MemoryStore())
    made.admit(expand(Study(name="mixed", blocks=blocks)))
    return made


def test_full_gpus_do_not_keep_cells_from_free_cpus() -> None:
    made = board("vae", "linear")
    pool = ClusterCapacity([NodeType({"CPU": 3.0, "GPU": 1.0}, gpu_bytes=1 * GIB)])
    slots = Slots(pool, ResourceEstimator(pool))

    def handed_out() -> list[str]:
        taken = []
        while (found := made.take(slots.fits)) is not None:
            slots.take(found)
            taken.append(found)
        for found in taken:
            slots.started(found)
        return sorted(found.cell.family.kind for found in taken)

    assert handed_out() == ["linear", "linear", "vae"]
    assert handed_out() == ["linear", "vae"], "one of each kind waits in line for the next free place"


def test_places_are_given_back() -> None:
    made = board("linear", seeds=9)
    pool = ClusterCapacity([CPUS])
    slots = Slots(pool, ResourceEstimator(pool), most=2)
    made._listeners = [slots]
    for _ in range(4):
        taken = []
        while (found := made.take(slots.fits)) is not None:
            slots.take(found)
            taken.append(found)
        assert len(taken) == 2
        for found in taken:
            made.start(found)
            made.finish(found)


@pytest.mark.parametrize(
    ("pool", "wants", "good"),
    [
        (ClusterCapacity([CPUS]), {"cpu": 4}, True),
        (ClusterCapacity([CPUS]), {"cpu": 5}, False),
        (ClusterCapacity([CPUS, CPUS]), {"cpu": 5}, False),
        (ClusterCapacity([CPUS]), {"gpu": 1}, False),
        (ClusterCapacity([CPUS, H100]), {"gpu": 0.25, "accelerator": "H100"}, True),
        (ClusterCapacity([CPUS, H100]), {"gpu": 0.25, "accelerator": "A100"}, False),
        (ClusterCapacity([NodeType({"CPU": 0.0})], [NodeType({"CPU": 8.0}, 4, name="worker")]), {"cpu": 8}, True),
        (ClusterCapacity([NodeType({"CPU": 0.0})], [NodeType({"CPU": 8.0}, 0, name="worker")]), {"cpu": 8}, False),
        (ClusterCapacity([CPUS], [H100]), {"gpu": 1, "accelerator": "H100"}, True),
        (ClusterCapacity([CPUS]), {"memory": "9GiB"}, False),
    ],
)
def test_what_no_node_has_or_may_get_is_refused_in_one_line(
    pool: ClusterCapacity, wants: dict[str, Any], good: bool
) -> None:
    made = Board(MemoryStore(), wants=lambda point: Resources.model_validate(wants))
    from search_spaces.expansion import expand

    made.admit(expand(toy(("replace",), 1, family={"kind": "linear"}, rows=30)))
    heard: list[str] = []
    if good:
        assert ready(made, Machines(address="auto"), pool, heard.append).fits(made.waiting[0])
        return
    with pytest.raises(UsageError, match=r"^resources: no node has room for a trial with .*; there are ") as refused:
        ready(made, Machines(address="auto"), pool, heard.append)
    assert "\n" not in str(refused.value)
    ready(made, Machines(address="auto", wait=True), pool, heard.append)
    assert len(heard) == 1


def test_as_many_trials_are_handed_out_as_a_growing_pool_may_hold() -> None:
    made = board("linear", seeds=40)
    pool = ClusterCapacity([NodeType({"CPU": 0.0})], [NodeType({"CPU": 8.0}, 4, name="worker")])
    slots = ready(made, Machines(address="auto"), pool, lambda line: None)
    count = 0
    while (found := made.take(slots.fits)) is not None:
        slots.take(found)
        count += 1
    assert count == 32, "the autoscaler sees all of them, and adds nodes for all of them at once"
    assert made.concurrency == 32


LATER = {
    "name": "later",
    "blocks": [
        {"name": "first", "cell": {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}}},
        {
            "name": "sought",
            "cell": {"policy": {"kind": "replace"}},
            "space": {"family.kind": {"choice": ["linear", "vae"]}},
            "search": {"kind": "optuna", "num_samples": 4},
        },
    ],
}


@pytest.mark.parametrize("wants", [{"gpu": 1}, {"accelerator": "H100"}, {"cpu": 5}, {"memory": "9GiB"}])
def test_what_a_search_will_ask_for_later_is_refused_at_the_start(wants: dict[str, Any]) -> None:
    """A grid's cells have room; the search, asked when those are done, would wait for ever."""
    from search_spaces.expansion import expand

    raw = copy.deepcopy(LATER)
    raw["blocks"][1]["resources"] = wants  # type: ignore[index]
    study = study_from(raw, "later.yaml")
    made = Board(MemoryStore())
    made.admit(expand(study))
    pool, machines = ClusterCapacity([CPUS]), Machines(address="auto")
    ready(made, machines, pool, print)
    with pytest.raises(UsageError, match=r"^resources: no node has room for a trial with .*; there are 1 × \(CPU 4"):
        ready(made, machines, pool, print, likely(study))
    large = NodeType(H100.resources | {"memory": 64 * GIB}, gpu_bytes=80 * GIB)
    ready(made, machines, ClusterCapacity([CPUS, large]), print, likely(study))


def test_trials_of_a_tuning_that_no_node_has_room_for_are_refused() -> None:
    block = {
        "name": "b",
        "cell": {"family": {"kind": "kde"}, "policy": {"kind": "replace"}},
        "space": {"family.bandwidth": {"loguniform": [0.01, 2.0]}},
        "tune_first": {"params": ["bandwidth"], "num_samples": 3},
        "resources": {"cpu": 2},
    }
    study = study_from({"name": "tuned", "blocks": [block]}, "t")
    jobs = [make_job(point.cell, {}, wants(study)(point)) for point in trials(study)]
    slots, at_a_time = places(jobs, Machines(), ClusterCapacity([CPUS]), print)
    assert (len(jobs), at_a_time) == (3, 2), "two cores each, as the block says"
    assert [slots.take(one).cpu for one in jobs if slots.fits(one)] == [2, 2]
    greedy = study.model_copy(update={"resources": Resources(gpu=1)})
    jobs = [make_job(point.cell, {}, wants(greedy)(point)) for point in trials(greedy)]
    with pytest.raises(UsageError, match="no node has room for a trial with cpu 2, gpu 1"):
        places(jobs, Machines(), ClusterCapacity([CPUS]), print)
