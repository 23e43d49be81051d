"""Power: against statsmodels' solver, and what a plan says of too few seeds."""

from __future__ import annotations

import json
import math
import time
import timeit
import warnings

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from analysis.stats import detectable, exclusion, noise, power_of, runs_needed
from analysis.verdicts import Thresholds, judge
from analysis.verdicts.evidence import evidence_of
from search_spaces import Study, StudyError
from search_spaces.loading.study import study_from
from search_spaces.study import PowerRequirement
from sweep.planning import designs, plan_study, require_power
from sweep.planning.foreseen import foresee
from sweep.scheduling import Board, read_records
from tests.support.toys import drain, points, toy
from trainables.store import MemoryStore, Store


@pytest.mark.parametrize("effect", [0.3, 0.5, 0.8, 1.2, 2.0, 3.0])
@pytest.mark.parametrize("power", [0.6, 0.8, 0.95])
def test_the_runs_needed_are_those_of_statsmodels(effect: float, power: float) -> None:
    solved = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=power, alternative="two-sided")
    assert runs_needed(effect, 1.0, power=power) == math.ceil(float(solved))


@pytest.mark.parametrize("runs", [2, 3, 5, 12, 25])
@pytest.mark.parametrize("effect", [0.0, 0.2, 1.0, 1.5])
def test_power_is_that_of_statsmodels(runs: int, effect: float) -> None:
    theirs = TTestPower().power(effect_size=effect, nobs=runs, alpha=0.05, alternative="two-sided")
    assert power_of(effect, 1.0, runs) == pytest.approx(float(theirs), abs=1e-9)


@pytest.mark.parametrize("runs", [3, 5, 12])
def test_the_detectable_effect_is_found_with_the_power_asked_for(runs: int) -> None:
    least = detectable(1 / math.sqrt(runs), runs, power=0.9)
    assert power_of(least, 1.0, runs) == pytest.approx(0.9, abs=1e-4)


def done(seeds: int) -> tuple[Board, Store]:
    store = MemoryStore()
    board = Board(store)
    board.admit(points(toy(seeds=seeds, replicates=1)))
    drain(board, store)
    return board, store


def test_the_spread_between_seeds_is_that_of_the_stored_records() -> None:
    board, store = done(5)
    (design,) = designs(plan_study(toy(seeds=5, replicates=1), store), store, PowerRequirement(effect=0.1))
    squares = 0.0
    for policy in ("replace", "accumulate"):
        jobs = [job for job in board.jobs.values() if job.cell.policy.kind == policy]
        values = [
            np.polyfit([1, 2, 3], [record.test_loss for record in read_records(job, store)], 1)[0] for job in jobs
        ]
        mean = sum(values) / 5
        squares += sum((value - mean) ** 2 for value in values)
    assert (design.seeds, design.freedom) == (5, 8)
    assert design.deviation == pytest.approx(math.sqrt(squares / 8))
    assert design.needed == runs_needed(0.1, design.deviation)


def test_the_gap_between_policies_is_taken_within_a_seed() -> None:
    board, store = done(5)
    last = {
        (job.cell.policy.kind, job.cell.seed): read_records(job, store)[-1].test_loss for job in board.jobs.values()
    }
    gaps = [last["accumulate", seed] - last["replace", seed] for seed in range(5)]
    mean = sum(gaps) / 5
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / 4)
    question = PowerRequirement(effect=0.1, on="gap")
    (design,) = designs(plan_study(toy(seeds=5, replicates=1), store), store, question)
    assert design.deviation == pytest.approx(spread)
    assert design.freedom == 4


def test_without_records_the_assumption_is_said() -> None:
    question = PowerRequirement(effect=0.1)
    store = MemoryStore()
    (design,) = designs(plan_study(toy(seeds=3, replicates=1)), store, question)
    assert (design.deviation, design.freedom, design.needed) == (0.1, 0, 10)
    assert design.underpowered
    assert "assumed equal to the effect" in design.line(question)
    stated = PowerRequirement(effect=0.1, deviation=0.02)
    (design,) = designs(plan_study(toy(seeds=5, replicates=1)), store, stated)
    assert not design.underpowered
    assert "as stated" in design.line(stated)


@pytest.mark.parametrize(("seeds", "replicates", "few"), [(1, 1, True), (2, 1, True), (3, 1, False), (1, 100, False)])
def test_one_or_two_recursions_are_warned_of_unasked(seeds: int, replicates: int, few: bool) -> None:
    found = designs(plan_study(toy(seeds=seeds, replicates=replicates)), MemoryStore(), None)
    assert bool(found) is few


def test_a_study_that_requires_power_is_refused_without_it() -> None:
    study = toy(seeds=3, replicates=1).model_copy(update={"require_power": PowerRequirement(effect=0.1, deviation=0.1)})
    with pytest.raises(StudyError, match=r"seed: gaussian dim 1 has 3 seeds a configuration and needs 10 to find"):
        require_power(study, MemoryStore())
    require_power(toy(seeds=1), MemoryStore())


def test_the_power_of_the_verdict_is_how_often_it_says_the_word() -> None:
    """Against the verdict's own words on curves simulated here, and monotone in what ought to help."""
    question = PowerRequirement(effect=0.5, on="verdict", deviation=0.05)
    found = foresee(question, [], 5, 10, 1)
    values = 1 + 0.5 * np.arange(10) / 9 + 0.05 * np.random.default_rng(7).standard_normal((400, 5, 10))
    tested, limits = exclusion.exclude(values), Thresholds()
    words = [judge(evidence_of(one, tested, i, limits), limits).word for i, one in enumerate(values)]
    assert found.power == pytest.approx(words.count("collapses") / 400, abs=4 * 0.7 / 20)
    assert 0.7 < found.power < foresee(question, [], 10, 10, 1).power
    assert found.power > foresee(question, [], 5, 10, 40).power
    assert found.detectable == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize(
    ("truth", "word", "law"),
    [("logarithm", "collapses", "a logarithm"), ("inverse_squares", "levels off", "an inverse squares")],
)
def test_the_word_is_that_of_the_truth(truth: str, word: str, law: str) -> None:
    question = PowerRequirement.model_validate({"effect": 0.5, "on": "verdict", "truth": truth, "deviation": 0.02})
    (design,) = designs(plan_study(toy(seeds=5, replicates=1, generations=20)), MemoryStore(), question)
    assert design.power is not None
    assert design.power > 0.9
    assert design.line(question).startswith(f"gaussian dim 1: “{word}” for a rise of 0.5 along {law}")


def test_few_generations_get_no_word_and_are_told_how_many_would() -> None:
    question = PowerRequirement(effect=0.5, on="verdict", deviation=0.02)
    study = toy(seeds=5, replicates=1).model_copy(update={"require_power": question})
    (design,) = designs(plan_study(study), MemoryStore(), question)
    assert (design.power, design.needed) == (0.0, None)
    assert design.longer is not None
    assert f"and {design.longer} generations give 0.80" in design.line(question)
    with pytest.raises(
        StudyError, match=r"seed: gaussian dim 1 has 5 seeds a configuration and needs more generations"
    ):
        require_power(study, MemoryStore())


def test_the_noise_is_that_of_the_stored_records() -> None:
    store, study = MemoryStore(), toy(seeds=6, replicates=1, generations=8)
    board = Board(store)
    board.admit(points(study))
    drain(board, store)
    question = PowerRequirement(effect=0.5, on="verdict")
    (design,) = designs(plan_study(study, store), store, question)
    assert design.freedom == 2 * 5 * 7
    losses = np.array([[record.test_loss for record in read_records(job, store)] for job in board.jobs.values()])
    policies = np.array([job.cell.policy.kind for job in board.jobs.values()])
    spread = np.mean([losses[policies == policy, -1].var(ddof=1) for policy in ("replace", "accumulate")]) ** 0.5
    assert design.deviation == pytest.approx(spread, rel=0.6)
    assert "from stored records with 70 degrees of freedom, in a table of 2 rows" in design.line(question)


@pytest.mark.parametrize("model", [0, 3, 8, 12, 26])
def test_noise_is_drawn_as_it_was_estimated(model: int) -> None:
    """What is drawn at more generations shows the model and variance again."""
    root = noise.root(model, 0.3, 6, 12)
    white = noise.whitener(model, 12)
    pilot = noise.whitener(model, 6) @ root[:6, :6]
    np.testing.assert_allclose(pilot @ pilot.T, 0.3 * np.eye(5), atol=1e-9)
    whole = white @ root @ root.T @ white.T
    np.testing.assert_allclose(whole, whole[0, 0] * np.eye(11), atol=1e-9)


def test_a_plan_takes_the_verdicts_power_in_a_second_or_two() -> None:
    """Processor time beside that of a matrix product of this machine."""
    unit = min(timeit.repeat(lambda: np.ones((400, 400)) @ np.ones((400, 400)), number=5, repeat=3))
    began = time.process_time()
    foresee(PowerRequirement(effect=0.31, on="verdict"), [], 5, 20, 12)
    assert time.process_time() - began < 120 * unit


def tuned(seeds: int, budget: int | None = None) -> Study:
    """Ridge penalties that are tuned first, then two policies of six generations."""
    block = {
        "cell": {"family": {"kind": "linear", "dim": 4, "estimator": "ridge"}, "rows": 20, "generations": 6},
        "space": {
            "family.penalty": {"loguniform": [0.01, 10.0]},
            "policy.kind": {"grid": ["replace", "accumulate"]},
            "seed": {"grid": list(range(seeds))},
        },
        "tune_first": {"params": ["penalty"], "on": "generation 1", "num_samples": 8},
    }
    return study_from({"name": "fair", "budget": {"cells": budget}} | block, "fair.yaml")


def test_fits_that_tune_first_are_no_recursions_that_a_verdict_rests_on() -> None:
    question = PowerRequirement(effect=0.5, deviation=0.5)
    (design,) = designs(plan_study(tuned(10)), MemoryStore(), question)
    assert (design.seeds, design.generations, design.needed, design.underpowered) == (10, 6, 10, False)
    assert designs(plan_study(tuned(3)), MemoryStore(), None) == []
    require_power(tuned(10).model_copy(update={"require_power": question}), MemoryStore())
    asked = question.model_copy(update={"on": "verdict"})
    (design,) = designs(plan_study(tuned(3)), MemoryStore(), asked)
    assert design.rows == 2


def test_fits_that_tune_first_are_outside_the_budget_as_in_a_run() -> None:
    whole, part = plan_study(tuned(5)), plan_study(tuned(5, budget=4))
    assert len(whole.asked) == 10
    assert [whole.totals.cells, whole.totals.trained] == [10 + 8, 5 + 2 * 5 * 5 + 7]  # one setting begins seed 0
    assert [part.totals.cells, part.totals.trained] == [4 + 8, 4 * 6 + 7]
    assert len(part.left_out) == 6


def test_the_weakest_configuration_is_the_one_with_fewest_recursions() -> None:
    """Not the fewest seeds of one beside the fewest replicates of another."""
    few, many = toy(seeds=12, replicates=1).blocks[0], toy(seeds=2, replicates=100).blocks[0]
    blocks = (few.model_copy(update={"name": "few"}), many.model_copy(update={"name": "many"}))
    (design,) = designs(plan_study(Study(name="two", blocks=blocks)), MemoryStore(), PowerRequirement(effect=0.5))
    assert (design.seeds, design.replicates, design.underpowered) == (12, 1, False)


def test_one_generation_has_no_growth_to_be_found() -> None:
    study = toy(seeds=12, replicates=1, generations=1)
    for question in (PowerRequirement(effect=0.5), PowerRequirement(effect=0.5, on="verdict")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (design,) = designs(plan_study(study), MemoryStore(), question)
        assert (design.power, design.needed, design.longer, design.underpowered) == (0.0, None, None, True)
        assert "only more generations give 0.80; these find nothing so" in design.line(question)
        assert design.as_json()["detectable"] is None
    gap = PowerRequirement(effect=0.5, on="gap", deviation=0.5)
    (design,) = designs(plan_study(study), MemoryStore(), gap)
    assert not design.underpowered


@pytest.mark.parametrize(("replicates", "seeds"), [(1, "10,000"), (10, "1,000")])
def test_no_number_of_recursions_is_named_that_would_not_do(replicates: int, seeds: str) -> None:
    question = PowerRequirement(effect=0.5, deviation=1e6)
    (design,) = designs(plan_study(toy(seeds=4, replicates=replicates)), MemoryStore(), question)
    assert design.needed is None
    assert "and only more than 10,000 give 0.80" in design.line(question)
    assert f"has 4 seeds a configuration and needs more than {seeds} to find" in design.refusal(question)
    assert json.loads(json.dumps(design.as_json(), allow_nan=False))["needed"] is None
