"""Objectives are statistics of `analysis`, taken of a suggestion's cells; unknown ones are refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from search_spaces import Block, Grid, OptunaSearch, Range, Study, StudyError
from sweep.scheduling import Board, Job, make_job
from sweep.search import OptunaSource
from sweep.search.objectives import PENALTY, Worth, parse, worth
from tests.support.toys import points, toy
from trainables import Record
from trainables.store import MemoryStore

CURVES = {
    ("replace", 0): [1.0, 2.0, 3.0],
    ("replace", 1): [1.0, 1.5, 2.0],
    ("accumulate", 0): [1.0, 1.1, 1.2],
    ("accumulate", 1): [1.0, 1.0, 1.0],
}


def jobs(family: str = "gaussian", **metrics: list[float]) -> list[Job]:
    """Finished cells with the losses of `CURVES`, and metrics that are the same in every cell."""
    made = [make_job(point.cell, point.values) for point in points(toy(family={"kind": family}))]
    for job in made:
        for n, loss in enumerate(CURVES[job.cell.policy.kind, job.cell.seed], 1):
            extra = {name: values[n - 1] for name, values in metrics.items()}
            job.records[n] = Record(
                generation=n, test_loss=loss, corpus_rows=20, real_fraction=1.0, metrics=extra, model=f"m{n}",
                composition={}, seconds={},
            )  # fmt: skip
        job.done, job.status = 3, "done"
    return made


def value(name: str, made: list[Job] | None = None) -> float:
    return worth(OptunaSearch(objective=name), made or jobs()).values[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("final_loss", (3 + 2 + 1.2 + 1) / 4),
        ("final_loss:replace", 2.5),
        ("first_loss", 1.0),
        ("growth", (1 + 0.5 + 0.1 + 0) / 4),
        ("growth:accumulate", 0.05),
        ("growth_ratio:replace", 2.5),
        ("growth_gap", 0.75 - 0.05),
        ("growth_gap:replace-accumulate", 0.75 - 0.05),
        ("growth_gap:accumulate-replace", 0.05 - 0.75),
        # catastrophic: above twice the first loss; only replace's seed 0, in generation 3, the last
        ("time_to_collapse:catastrophic_increase:replace", 3.0),
        # 5 % above the first loss for good: generation 2 in three cells, never in the fourth, of three generations
        ("time_to_collapse", (2 + 2 + 2 + 3) / 4),
        ("time_to_collapse:replace", 2.0),
        ("time_to_collapse:any_increase:accumulate", 2.5),
    ],
)
def test_an_objective_is_the_statistic_of_its_name(name: str, expected: float) -> None:
    assert value(name) == pytest.approx(expected)


def test_a_definition_is_its_statistic_in_the_policy_that_is_named() -> None:
    made = jobs("discrete", surviving_categories=[8.0, 6.0, 2.0])
    assert value("definition:7", made) == pytest.approx(0.25)
    assert value("definition:lost_tail:replace", made) == pytest.approx(0.25)
    assert value("definition:catastrophic_increase:replace", made) == pytest.approx((3 / 2 + 2 / 2) / 2)


def test_a_definition_that_a_family_does_not_speak_of_is_refused_and_not_searched_on() -> None:
    with pytest.raises(StudyError, match=r"definition:7 \(disappearance of the real tail\): no measure of the tail"):
        value("definition:7")


def test_flops_are_those_of_the_whole_recursion() -> None:
    made = jobs()
    total = [sum(stage.flops for stage in job.stages) for job in made]
    assert value("flops", made) == pytest.approx(sum(total) / 4)


def test_a_cell_that_failed_counts_as_bad_in_every_objective_and_a_gaussian_process_hears_infinity() -> None:
    made = jobs()
    made[0].status = "failed"
    search = OptunaSearch(objective=("final_loss", "growth"), mode=("min", "max"))
    assert worth(search, made).values == (PENALTY, -PENALTY)
    assert worth(search, made).diverged
    assert worth(OptunaSearch(sampler="gp"), made).values == (math.inf,)  # type: ignore[arg-type]


def test_no_cell_that_ended_looks_worse_than_one_that_failed() -> None:
    """Optuna ranks: a loss of 1e156, or the operations of a large recursion, would come behind every failure."""
    made = jobs()
    made[0].records[3] = made[0].records[3].model_copy(update={"test_loss": 1e156})
    assert worth(OptunaSearch(objective="final_loss", mode="min"), made) == Worth((PENALTY,), False)
    assert worth(OptunaSearch(objective="final_loss", mode="max"), made).values[0] == pytest.approx(1e156 / 4)
    made[0].records[3] = made[0].records[3].model_copy(update={"test_loss": -1e156})
    assert worth(OptunaSearch(objective="growth", mode="max"), made) == Worth((-PENALTY,), False)
    assert worth(OptunaSearch(objective="growth", mode="max", sampler="gp"), made).values[0] < -1e150  # type: ignore[arg-type]


def test_a_failure_is_worse_than_any_number_of_operations() -> None:
    """Six operations for each of 1e12 parameters and 1e14 tokens: `flops` is an objective, too."""
    made = jobs()
    made[0].status = "failed"
    assert worth(OptunaSearch(objective="flops", mode="min"), made).values[0] > 6 * 1e12 * 1e14


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("growht", "search.objective: unknown objective 'growht'; did you mean 'growth'"),
        ("definition", "definition: definition: no ''"),
        ("definition:9", "definition:9: definition: no '9' .known: 1 catastrophic_increase, 2 any_increase"),
        ("growth:replace:x", "only a policy's name may follow growth, not 'replace:x'"),
        ("growth_gap:replace", "needs two policies, as in growth_gap:replace-accumulate"),
        ("time_to_collapse:any:replace", "only a policy's name may follow time_to_collapse"),
    ],
)
def test_an_unknown_objective_is_refused_with_what_would_be_right(name: str, message: str) -> None:
    with pytest.raises(StudyError, match=message) as caught:
        parse(name)
    assert "\n" not in str(caught.value)


def source(objective: str, policies: tuple[str, ...]) -> OptunaSource:
    space: dict[str, Any] = {"rows": Range(low=10, high=90, integer=True), "policy.kind": Grid(values=policies)}
    cell = {"family": {"kind": "gaussian"}, "generations": 2}
    search = OptunaSearch(objective=objective, num_samples=3)
    return OptunaSource(Study(name="s", blocks=(Block(cell=cell, space=space, search=search),)), 0, None)


@pytest.mark.parametrize(
    ("objective", "policies", "message"),
    [
        ("growth:accumulat", ("replace", "accumulate"), "has no cell of 'accumulat'; did you mean 'accumulate'"),
        ("growth_gap:replace-fresh_mix", ("replace", "accumulate"), "has no cell of 'fresh_mix'"),
        ("growth_gap", ("replace",), "growth_gap compares two policies, and a suggestion is run on replace"),
        ("growth_gap", ("replace", "accumulate", "fresh_mix"), "name two, as in growth_gap:replace-accumulate"),
    ],
)
def test_policies_that_a_suggestion_is_not_run_on_are_refused_before_anything_runs(
    objective: str, policies: tuple[str, ...], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        source(objective, policies)


def test_a_search_that_cannot_be_judged_ends_and_says_why() -> None:
    from tests.support.toys import drain

    store = MemoryStore()
    board = Board(store)
    board.add_source(source("definition:5", ("replace",)))
    drain(board, store, slots=1)
    assert len(board.jobs) == 1
    assert board.refused is not None
    assert "definition:5 (change of scaling law): needs 4 sizes" in str(board.refused)
