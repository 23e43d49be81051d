"""Hunts for counterexamples: a planted one is found and stands its retest, a true claim is left standing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search_spaces import Block, FalsifySearch, Range, Study, StudyError, load_study
from search_spaces.loading.study import study_from
from search_spaces.search import Confirm
from search_spaces.search.falsify import FRESH_SEED
from sweep.engine import open_board
from sweep.scheduling import Board, Job
from sweep.search import FalsifySource
from sweep.search.falsification import account, evidence
from sweep.workspace import open_workspace
from tests.support.toys import drain
from trainables.cell import Record
from trainables.store import Store, open_store

GENERATIONS = 10
RIDGE: dict[str, Any] = {"kind": "linear", "dim": 5, "estimator": "ridge"}

Law = Callable[[Job], np.ndarray]


def hunt(claim: str, samples: int = 12, seed: int = 0, name: str = "hunt", **cell: Any) -> Study:
    """A hunt over the penalty of a ridge regression."""
    search = FalsifySearch(claim=claim, num_samples=samples, independent=6, confirm=Confirm(seeds=6), seed=seed)
    space = {"family.penalty": Range(low=0.1, high=1000.0, log=True)}
    base = {"family": RIDGE, "rows": 30, "generations": GENERATIONS, "replicates": 20} | cell
    return Study(name=name, blocks=(Block(cell=base, space=space, search=search),))


def simulate(study: Study, law: Law, store: Store, journal: Path | None = None) -> tuple[FalsifySource, Board]:
    """Run a hunt on losses that a law makes up."""
    source = FalsifySource(study, 0, journal)
    source.resume()
    board = Board(store, concurrency=2)
    board.add_source(source)
    while not board.finished:
        job = board.take()
        if job is None:
            continue  # the source has just said that it has no more
        board.start(job)
        for generation, loss in enumerate(law(job), start=1):
            fields = {"test_loss": float(loss), "corpus_rows": 1, "real_fraction": 1.0, "metrics": {}, "model": "m"}
            board.record(job, Record(generation=generation, composition={}, seconds={}, **fields))
        board.finish(job)
    return source, board


def made_up(run: int, planted: bool, noise: float = 0.3) -> Law:
    """Curves of accumulation with noise; where planted, a strong penalty makes them grow without bound."""
    n = np.arange(1, GENERATIONS + 1)

    def law(job: Job) -> np.ndarray:
        rng = np.random.default_rng([run, job.cell.seed, int(1e6 * job.cell.family.penalty)])
        strong = planted and job.cell.family.penalty > 100
        mean = n.astype(float) if strong else np.cumsum(1 / n**2)
        return np.asarray(mean * (1 + noise * rng.standard_normal(GENERATIONS)))

    return law


def test_a_planted_counterexample_is_found_and_confirmed_in_all_of_20_runs(tmp_path: Path) -> None:
    """A quarter of the region, on the scale of the draws, is unbounded."""
    store = open_store(str(tmp_path))
    found = []
    for run in range(20):
        source, board = simulate(
            hunt("accumulate stays bounded", seed=run), made_up(run, planted=True, noise=0.1), store
        )
        outcome = account(source, board.jobs, store)
        found.append(outcome.outcome)
        assert all(candidate.values["family.penalty"] > 100 for candidate in outcome.confirmed)
    assert found == ["refuted"] * 20


def test_a_true_claim_is_refuted_in_none_of_20_runs_though_noise_makes_suspects(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    suspects = 0
    for run in range(20):
        source, board = simulate(hunt("accumulate stays bounded", seed=run), made_up(run, planted=False), store)
        outcome = account(source, board.jobs, store)
        assert outcome.outcome == "not refuted"
        suspects += len(outcome.candidates)
    assert suspects > 20, "the search did find configurations that looked bad on their exploration seeds"


def test_retests_use_seeds_that_no_suggestion_used(tmp_path: Path) -> None:
    source, board = simulate(hunt("accumulate stays bounded"), made_up(0, planted=True), open_store(str(tmp_path)))
    past = [(suggestion.number < 100, point.cell.seed) for suggestion in source.past() for point in suggestion.points]
    explored, retested = ({seed for early, seed in past if early is which} for which in (True, False))
    assert explored == {0, 1, 2}
    assert retested == set(range(FRESH_SEED, FRESH_SEED + 6))
    assert {job.cell.seed for job in board.jobs.values()} == explored | retested


def test_the_first_suggestions_depend_on_no_result(tmp_path: Path) -> None:
    drawn = []
    for planted in (False, True):
        source, _ = simulate(hunt("accumulate stays bounded"), made_up(0, planted), open_store(str(tmp_path)))
        values = [source.values(trial)["family.penalty"] for trial in source.trials()]
        assert [source.values(t)["family.penalty"] for t in source.independent()] == values[:6]
        drawn.append(values)
    assert drawn[0][:6] == drawn[1][:6]
    assert drawn[0][6:] != drawn[1][6:]


def test_a_hunt_goes_on_after_a_kill_and_keeps_earlier_candidates_when_extended(tmp_path: Path) -> None:
    store, journal = open_store(str(tmp_path / "store")), tmp_path / "journal.log"
    law = made_up(2, planted=True)
    first, _ = simulate(hunt("accumulate stays bounded"), law, store, journal)
    again = FalsifySource(hunt("accumulate stays bounded"), 0, journal)
    assert again.chosen() == first.chosen()
    assert [s.number for s in again.past()] == [s.number for s in first.past()]
    longer, _ = simulate(hunt("accumulate stays bounded", samples=20), law, store, journal)
    assert len(longer.trials()) == 20
    assert set(first.chosen()) <= set(longer.chosen())
    other = FalsifySource(hunt("accumulate beats replace"), 0, journal)
    assert other.trials() == [], "another claim is another question"


def test_an_interrupted_hunt_is_called_unfinished(tmp_path: Path) -> None:
    store, journal = open_store(str(tmp_path / "store")), tmp_path / "journal.log"
    source = FalsifySource(hunt("accumulate stays bounded"), 0, journal)
    board = Board(store)
    board.add_source(source)
    assert board.take() is not None
    assert account(source, board.jobs, store).outcome == "unfinished"


def test_a_run_that_failed_or_has_no_mean_is_no_evidence(tmp_path: Path) -> None:
    """Constant curves: nothing speaks against the claim, and the bound is told of the draws that could be judged."""
    store = open_store(str(tmp_path))
    study = hunt("accumulate stays bounded", samples=6)
    source, board = simulate(study, lambda job: np.ones(GENERATIONS), store)
    outcome = account(source, board.jobs, store)
    assert (outcome.tried, outcome.unjudged, len(outcome.candidates)) == (6, 0, 0)
    assert outcome.bound == pytest.approx(1 - 0.05 ** (1 / 6))
    jobs = list(board.jobs.values())[:3]
    assert evidence(source.hunt, jobs, range(3)) is not None
    jobs[0].status = "failed"
    assert evidence(source.hunt, jobs, range(3)) is None
    jobs[0].status = "done"
    jobs[1].records[4] = jobs[1].records[4].model_copy(update={"metrics": {"infinite_mean": 1.0}})
    assert evidence(source.hunt, jobs, range(3)) is None


def test_ridge_is_a_real_counterexample_to_replace_diverges(tmp_path: Path) -> None:
    """A strong penalty shrinks a replaced model to 0, where the error stays: found by real recursions, and with the
    same store the twin hunt for "accumulate beats replace" finds nothing and shares what it can."""
    store = open_store(str(tmp_path / "store"))
    workspace = open_workspace(tmp_path, tracking_uri="none")
    study = hunt("replace diverges", samples=6, replicates=5)
    source = FalsifySource(study, 0, workspace.searches(study.name))
    board = Board(store, concurrency=2)
    board.add_source(source)
    drain(board, store)
    outcome = account(source, board.jobs, store)
    assert outcome.outcome == "refuted"
    assert min(c.values["family.penalty"] for c in outcome.confirmed) > 10
    again = open_board(study, workspace, store)
    assert all(job.status == "done" for job in again.jobs.values())
    assert not again.has_work()
    assert account(source, again.jobs, store) == outcome


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"search": {"claim": "accumulate is fine"}}, "search.claim: 'accumulate is fine' is none of the forms"),
        ({"search": {"claim": "acumulate diverges"}}, "unknown policy 'acumulate'; did you mean 'accumulate'"),
        ({"search": {"claim": "replace beats replace"}}, "can't beat itself"),
        ({"space": {"seed": {"grid": [0, 1]}}}, "space.seed: search.seeds says how many seeds; leave it out"),
        ({"space": {"policy.kind": {"grid": ["replace"]}}}, "space.policy.kind: the claim names the policies"),
        ({"space": {"rows": {"grid": [20, 30]}}}, "space.rows: a falsify search draws every path; say choice"),
        ({"cell": {"seed": 3}}, "cell.seed: exploration counts seeds from 0; leave it out"),
        ({"cell": {"policy": {"kind": "replace"}}}, "cell.policy: the claim is about accumulate; leave it out"),
        ({"cell": {"generations": 5}}, "cell.generations: this claim is judged from 6 on, not 5"),
        ({"search": {"confirm": {"seeds": 1}}}, "search.confirm.seeds"),
    ],
)
def test_what_a_hunt_can_not_do_is_said_in_one_line(change: dict[str, Any], said: str) -> None:
    raw: dict[str, Any] = {
        "name": "hunt",
        "cell": {"family": RIDGE, "rows": 30, "generations": 8},
        "space": {"family.penalty": {"loguniform": [0.1, 10]}},
        "search": {"kind": "falsify", "claim": "accumulate stays bounded"},
    }
    for part, values in change.items():
        raw[part] = raw[part] | values
    with pytest.raises(StudyError) as caught:
        study_from(raw, "hunt.yaml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["falsify/linear", "falsify/language", "falsify/vae"])
def test_named_hunts_load_and_say_what_they_claim(name: str) -> None:
    study = load_study(name)
    claims = [block.search.claim for block in study.blocks if isinstance(block.search, FalsifySearch)]
    assert claims == ["accumulate stays bounded", "replace diverges", "accumulate beats replace"]
