"""kill -9 at any moment: the same records afterwards, at most the running step repeated."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from pathlib import Path

import pytest

from tests.support.commands import Command
from tests.support.crew import Crew, a_cell, undisturbed
from tests.support.gates import held
from trainables import Cell
from trainables.recursion import Steps
from trainables.store import open_store
from trainables.store.orphans import leftovers

PLACES = {
    "fit": 1,
    "sample": 1,
    "half a file": 1,
    "manifest written": 1,
    "manifest in place": 0,
    "lease": 0,
}
"""Where a process dies -> how many computations that costs."""


@pytest.mark.parametrize("place", PLACES)
def test_a_process_killed_anywhere_costs_at_most_the_running_step(crew: Crew, place: str):
    cells = [a_cell("accumulate")]
    status, _, _ = crew.run(cells, die={"at": place, "nth": 2})
    assert status == -signal.SIGKILL
    status, records, _ = crew.run(cells)
    assert (status, records) == (0, undisturbed(cells))
    assert crew.repeated == PLACES[place]
    assert crew.run(cells)[1] == records
    assert crew.repeated == PLACES[place]
    half = [path for path, _ in leftovers(open_store(str(crew.store)), age=0.0)]
    assert len([path for path in half if path.startswith("model/")]) <= 3


REGRESSIONS = [
    ({"kind": "glm"}, "fit"),
    ({"kind": "glm", "link": "poisson"}, "sample"),
    ({"kind": "random_features"}, "fit"),
    ({"kind": "random_features"}, "sample"),
]


@pytest.mark.parametrize(("family", "place"), REGRESSIONS, ids=["glm", "poisson", "features", "features' labels"])
def test_a_killed_regression_goes_on_where_it_was(crew: Crew, family: dict[str, str], place: str):
    cells = [a_cell("accumulate", 3, family=family, rows=60, replicates=20)]
    status, _, _ = crew.run(cells, die={"at": place, "nth": 2})
    assert status == -signal.SIGKILL
    status, records, _ = crew.run(cells)
    assert (status, records) == (0, undisturbed(cells))
    assert crew.repeated == 1


def test_a_process_killed_again_and_again_still_gets_there(crew: Crew):
    cells = [a_cell("accumulate", 5), a_cell("replace", 5)]
    kills = 0
    for place in PLACES:
        status, _, _ = crew.run(cells, die={"at": place, "nth": 1})
        kills += status == -signal.SIGKILL
    status, records, _ = crew.run(cells)
    assert (status, records) == (0, undisturbed(cells))
    assert kills == len(PLACES)
    assert crew.repeated == sum(PLACES.values())


OVERLAPPING = [
    [a_cell("accumulate", 6), a_cell("replace", 6)],
    [a_cell("replace", 6), a_cell("accumulate", 6)],
    [a_cell("accumulate", 4), a_cell("accumulate", 6), a_cell("accumulate_subsample", 3)],
    [a_cell("accumulate_subsample", 5), a_cell("replace", 3)],
]


def steps(cells: list[dict]) -> int:
    """Distinct computations of a set of cells, counted by running them all once in one place."""
    fits = {Steps(Cell.model_validate(c)).step(n).model for c in cells for n in range(1, c["generations"] + 1)}
    samples = {Steps(Cell.model_validate(c)).batch(n).key for c in cells for n in range(1, c["generations"])}
    return len(fits) + len(samples)


@pytest.mark.slow
def test_eight_processes_with_overlapping_cells_compute_every_step_once(crew: Crew):
    lists = OVERLAPPING * 2
    workers = [crew.start(cells, pause=0.05) for cells in lists]
    told = [worker.communicate(timeout=600)[0].splitlines() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8
    assert told == [undisturbed(cells) for cells in lists]
    assert set(crew.computed.values()) == {1}
    assert len(crew.computed) == steps([cell for cells in OVERLAPPING for cell in cells])


@pytest.mark.slow
def test_eight_processes_that_are_killed_at_random_repeat_at_most_a_step_per_kill(crew: Crew):
    """Until the last of the kills, one step that most of them need seems to be computed elsewhere: they do not end."""
    rng = random.Random(0)
    lists = OVERLAPPING * 2
    workers: dict[int, Command] = {}
    killed: list[int] = []
    done: dict[int, list[str]] = {}
    with contextlib.ExitStack() as stack:
        stack.enter_context(held(Cell.model_validate(a_cell("accumulate", 6)), str(crew.store)))
        workers |= {number: crew.start(cells, pause=0.1) for number, cells in enumerate(lists)}
        while workers:
            time.sleep(rng.uniform(0.05, 0.4))
            for number, worker in list(workers.items()):
                if worker.poll() == 0:
                    done[number] = workers.pop(number).communicate()[0].splitlines()
                elif worker.poll() is not None:
                    worker.communicate()
                    workers[number] = crew.start(lists[number], pause=0.1)
            if crew.log.stat().st_size > 0 and len(killed) < 12:
                victim = rng.choice(list(workers.values()))
                victim.kill()
                killed.append(victim.pid)
            elif len(killed) == 12:
                stack.close()
    assert len(killed) == 12
    assert done == {number: undisturbed(cells) for number, cells in enumerate(lists)}
    assert len(crew.computed) == steps([cell for cells in OVERLAPPING for cell in cells])
    in_vain = [pid for pids in crew.processes.values() for pid in pids[:-1]]
    assert set(in_vain) <= set(killed)
    assert len(in_vain) == len(set(in_vain))


def test_clocks_that_are_days_apart_change_nothing(crew: Crew):
    lists = [[a_cell("accumulate"), a_cell("replace")], [a_cell("replace"), a_cell("accumulate")]]
    skews = [-2 * 86_400.0, 86_400.0]
    workers = [crew.start(cells, pause=0.05, skew=skew) for cells, skew in zip(lists, skews, strict=True)]
    told = [worker.communicate(timeout=600)[0].splitlines() for worker in workers]
    assert told == [undisturbed(cells) for cells in lists]
    assert set(crew.computed.values()) == {1}


def test_a_step_that_runs_out_of_memory_is_tried_again_and_nothing_before_it(crew: Crew, tmp_path: Path):
    cells = [a_cell("accumulate")]
    status, _, told = crew.run(cells, starve=3)
    assert (status, "MemoryError" in told) == (1, True)
    assert open_store(str(crew.store)).place.names("leases") == []
    status, records, _ = crew.run(cells)
    assert (status, records) == (0, undisturbed(cells))
    assert crew.repeated == 1
