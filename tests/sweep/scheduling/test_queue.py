"""Which cell is next: shared steps are computed by one, long cells first, nobody waits while there is other work."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from search_spaces import Block, Grid, Study
from sweep.scheduling import Job, make_job
from sweep.scheduling.queue import Queue
from tests.support.toys import GAUSSIAN, points, toy


def jobs(study: Study) -> list[Job]:
    return [make_job(point.cell, point.values) for point in points(study)]


def advance(queue: Queue, job: Job) -> None:
    job.done += 1
    queue.advance(job)


def test_of_cells_that_share_generation_1_only_one_is_given_out() -> None:
    queue = Queue()
    made = jobs(toy(seeds=1, policies=("replace", "accumulate", "accumulate_subsample")))
    assert len({job.stages[0].model for job in made}) == 1
    queue.add(made)
    first = queue.take()
    assert first is not None
    assert queue.take() is None, "the others wait for its model 1"
    advance(queue, first)
    second = queue.take()
    assert second is not None, "now they may go on"
    assert second is not first


def test_other_work_goes_before_a_batch_that_is_being_sampled() -> None:
    queue = Queue()
    made = jobs(toy(seeds=2))
    queue.add(made)
    first = queue.take()
    assert first is not None
    advance(queue, first)  # its generation 2 samples batch 1, which its sibling needs too
    second = queue.take()
    assert second is not None
    assert second.cell.seed != first.cell.seed
    third = queue.take()
    assert third is not None
    assert third.cell.seed == first.cell.seed, (
        "but where there is nothing else it is given out: the store makes it wait"
    )


def test_a_released_job_frees_what_it_was_computing() -> None:
    queue = Queue()
    made = jobs(toy(seeds=1))
    queue.add(made)
    first = queue.take()
    assert first is not None
    assert queue.take() is None
    queue.release(first)
    second = queue.take()
    assert second is not None
    assert second is not first


def test_long_lines_first() -> None:
    study = Study(
        name="s",
        blocks=(
            Block(
                cell=GAUSSIAN | {"policy": {"kind": "replace"}, "generations": 2}, space={"seed": Grid(values=(0, 1))}
            ),
            Block(cell=GAUSSIAN | {"policy": {"kind": "accumulate"}, "rows": 900, "generations": 9, "seed": 5}),
        ),
    )
    queue = Queue()
    queue.add(jobs(study))
    first = queue.take()
    assert first is not None
    assert first.cell.rows == 900


def test_a_job_whose_generations_are_there_already_blocks_nobody() -> None:
    queue = Queue()
    made = jobs(toy(seeds=1))
    for job in made:
        job.done = 1
    queue.add(made)
    assert queue.take() is not None
    assert queue.take() is not None, "both start at generation 2, whose models differ"


@pytest.mark.parametrize("seed", range(20))
def test_every_job_is_given_out_once_and_no_model_is_computed_twice_at_a_time(seed: int) -> None:
    """Workers that advance, die and come back in any order."""
    rng = random.Random(seed)
    queue = Queue()
    made = jobs(toy(seeds=3, policies=("replace", "accumulate", "accumulate_subsample"), generations=4))
    queue.add(made)
    running: list[Job] = []
    computed: set[str] = set()
    finished: list[Job] = []
    while len(finished) < len(made):
        if len(running) < 4 and (job := queue.take()) is not None:
            running.append(job)
        now = [job.stages[job.done].model for job in running if job.stages[job.done].model not in computed]
        assert len(now) == len(set(now)), "two running jobs compute the same model"
        assert running, "nobody runs while jobs wait"
        job = rng.choice(running)
        if rng.random() < 0.1:
            running.remove(job)
            queue.release(job)
            queue.add([job])
            continue
        computed.add(job.stages[job.done].model)
        advance(queue, job)
        if job.done == len(job.stages):
            queue.release(job)
            running.remove(job)
            finished.append(job)
    assert sorted(job.key for job in finished) == sorted(job.key for job in made)
    assert len(queue) == 0
    assert computed == {stage.model for job in made for stage in job.stages}


ORDER = """
from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.scheduling.job import make_job
from sweep.scheduling.queue import Queue
queue = Queue()
study = load_study("policies/gaussian", [f"seed={{grid: {[*range(12)]}}}"])
queue.add(make_job(point.cell, point.values) for point in expand(study))
while (job := queue.take()) is not None:
    print(job.key)
"""


def test_cells_are_taken_in_the_same_order_in_every_process() -> None:
    """What a scheduler stops depends on it; the order of a set of strings differs between processes."""
    taken = [
        subprocess.run(
            [sys.executable, "-c", ORDER], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert len(taken[0]) == 12, "one cell of each seed"
    assert taken[0] == taken[1]
