"""How long a study may still take, on a clock of the test's own."""

import pytest

from sweep.progress.eta import Eta, duration
from sweep.scheduling import Job, Stage
from trainables import Cell

CELLS = [
    Cell.model_validate({"family": family, "policy": {"kind": "replace"}, "generations": 2, "rows": 20})
    for family in ({"kind": "linear", "dim": 3}, {"kind": "gaussian"})
]


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def job(key, *flops, cell=CELLS[0], models=None, done=0):
    names = models or [f"{key}{n}" for n in range(len(flops))]
    stages = [Stage(name, "", "", each) for name, each in zip(names, flops, strict=True)]
    return Job(cell, key, {}, stages, done=done)


def made(*jobs, concurrency=1):
    clock = Clock()
    eta = Eta(concurrency, clock)
    for one in jobs:
        eta.expect(one)
    return eta, clock


def run(eta, clock, job, generation, seconds):
    eta.start(job)
    clock.now += seconds
    eta.learn(job, generation)


def test_nothing_is_said_before_anything_is_measured():
    eta, _ = made(job("a", 10.0))
    assert eta.seconds() is None
    assert eta.seconds(unknown=3) is None


@pytest.mark.parametrize(("concurrency", "left"), [(1, 12.0), (3, 4.0), (0, 12.0)])
def test_what_is_left_takes_as_long_an_operation_as_what_was_done(concurrency, left):
    one, other = job("a", 10.0, 20.0), job("b", 40.0)
    eta, clock = made(one, other, concurrency=concurrency)
    run(eta, clock, one, 1, 2.0)
    assert eta.seconds() == pytest.approx(left)


def test_generations_that_follow_each_other_need_no_start():
    one = job("a", 10.0, 10.0, 10.0)
    eta, clock = made(one)
    run(eta, clock, one, 1, 2.0)
    clock.now += 6.0
    eta.learn(one, 2)
    assert eta.seconds() == pytest.approx(10 * 8 / 20)


def test_what_several_need_counts_once_and_what_is_done_not_at_all():
    one, other = job("a", 10.0, 20.0, models=["m", "n"]), job("b", 10.0, 30.0, models=["m", "o"])
    eta, clock = made(one, other, job("c", 99.0, 5.0, done=1))
    run(eta, clock, one, 1, 1.0)
    assert eta.seconds() == pytest.approx((20 + 30 + 5) / 10)
    run(eta, clock, other, 1, 50.0)
    assert eta.seconds() == pytest.approx((20 + 30 + 5) / 10), "another cell computed it"


LARGER = Cell.model_validate(
    {"family": {"kind": "linear", "dim": 30}, "policy": {"kind": "replace"}, "generations": 2, "rows": 200}
)


def test_sizes_go_at_speeds_of_their_own_and_one_that_is_unknown_at_that_of_its_family():
    slow, fast = job("a", 10.0, 10.0), job("b", 10.0, 10.0, cell=LARGER)
    eta, clock = made(slow, fast)
    run(eta, clock, slow, 1, 5.0)
    assert eta.seconds() == pytest.approx(5.0 + 20 * 0.5)
    run(eta, clock, fast, 1, 1.0)
    assert eta.seconds() == pytest.approx(5.0 + 1.0)


def test_a_family_of_which_nothing_was_measured_is_not_judged_by_another():
    """The first of the quickstart's 24 cells is a Gaussian: "about 723.8 h left" was said of three minutes."""
    closed, network = job("a", 10.0), job("b", 1e9, 1e9, cell=CELLS[1])
    eta, clock = made(closed, network)
    run(eta, clock, closed, 1, 0.01)
    assert eta.seconds() is None
    run(eta, clock, network, 1, 3.0)
    assert eta.seconds() == pytest.approx(3.0)


def test_a_family_that_will_not_be_computed_is_not_waited_for():
    one, other = job("a", 10.0, 10.0), job("b", 0.1, 0.2, cell=CELLS[1])
    eta, clock = made(one, other)
    run(eta, clock, one, 1, 1.0)
    other.status = "failed"
    eta.stop(other)
    assert eta.seconds() == pytest.approx(1.0)


def fine_tuned(key, pretraining=90.0):
    return Job(CELLS[0], key, {}, [Stage(f"{key}1", "", "", 10 + pretraining, 0.0, "c", pretraining)])


def test_a_checkpoint_that_seeds_start_from_counts_once():
    """Of three seeds of 10 operations each after one of 90 for all, 30 were taken for 210 once the first was done."""
    seeds = [fine_tuned(key) for key in "abc"]
    eta, clock = made(*seeds)
    run(eta, clock, seeds[0], 1, 50.0)
    assert eta.seconds() == pytest.approx(2 * 10 * 0.5)
    run(eta, clock, seeds[1], 1, 5.0)
    assert eta.seconds() == pytest.approx(10 * 0.5)


def test_who_waits_for_a_checkpoint_says_nothing_of_speed():
    seeds = [fine_tuned(key) for key in "abc"]
    eta, clock = made(*seeds)
    for seed in seeds[:2]:
        eta.start(seed)
    clock.now += 50.0
    eta.learn(seeds[0], 1)
    clock.now += 5.0
    eta.learn(seeds[1], 1)
    assert eta.seconds() == pytest.approx(10 * 0.5)


def test_a_checkpoint_that_nobody_needs_any_more_is_not_waited_for():
    seeds, other = [fine_tuned(key) for key in "ab"], job("d", 10.0, 10.0)
    eta, clock = made(*seeds, other)
    run(eta, clock, other, 1, 1.0)
    for seed, left in zip(seeds, (1 + 10.0, 1.0), strict=True):
        seed.status = "failed"
        eta.stop(seed)
        assert eta.seconds() == pytest.approx(left)


def test_jobs_that_are_not_known_yet_count_as_the_mean_of_those_that_are():
    one, other = job("a", 10.0, 20.0), job("b", 50.0)
    eta, clock = made(one, other)
    run(eta, clock, one, 1, 2.0)
    assert eta.seconds(unknown=2) == pytest.approx(14.0 + 2 * 40 * 0.2)


@pytest.mark.parametrize(("status", "left"), [("failed", 8.0), ("stopped", 8.0), ("waiting", 12.0)])
def test_what_ended_early_is_not_waited_for(status, left):
    one, other = job("a", 10.0, 20.0), job("b", 40.0)
    eta, clock = made(one, other)
    run(eta, clock, one, 1, 2.0)
    one.done, one.status = 1, status
    eta.stop(one)
    assert eta.seconds() == pytest.approx(left)


def test_what_another_needs_too_is_waited_for_when_one_ended_early():
    """A policy that was stopped in generation 1 took generation 2 of its sibling off the time that was left."""
    models = (["first", "second"], ["first", "second", "third"])
    stopped, other = (job(key, *[10.0] * len(names), models=names) for key, names in zip("ab", models, strict=True))
    eta, clock = made(stopped, other)
    run(eta, clock, stopped, 1, 2.0)
    stopped.done, stopped.status = 1, "stopped"
    eta.stop(stopped)
    assert eta.seconds() == pytest.approx(4.0)
    run(eta, clock, other, 2, 6.0)
    assert eta.seconds() == pytest.approx((2.0 + 6.0) / 20 * 10), "and what it took is learned from"


def test_a_job_that_has_ended_is_not_expected():
    ended = job("a", 10.0)
    ended.status = "done"
    one = job("b", 10.0, 10.0)
    eta, clock = made(ended, one)
    run(eta, clock, one, 1, 1.0)
    assert eta.seconds() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h"), (36_000, "10.0 h")],
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
