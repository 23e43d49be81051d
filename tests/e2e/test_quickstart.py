"""The claims of the quickstart study, on its own cells: every configuration ends in a verdict."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from analysis.data.replicates import values_of
from analysis.verdicts.robustness import assess
from search_spaces.expansion import expand
from search_spaces.studies.quickstart import quickstart
from tests.support import simulated
from trainables import Cell, Record, run
from trainables.store import MemoryStore

CELLS = [point.cell for point in expand(quickstart())]
WORDS = {
    ("gpt2", "replace"): "collapses",
    ("gpt2", "accumulate"): "levels off",
    ("gpt2", "accumulate_subsample"): "levels off",
    ("llama", "replace"): "collapses",
}
"""Language models; Llama's other two rows are left out for their time."""
KEPT = [row for row in WORDS if row[1] != "replace"]
PART = 1 / 3
"""Of the rise of replacing, by which accumulating may come to lie above its first generation at most."""


def cells(kind: str, policy: str) -> list[Cell]:
    return [cell for cell in CELLS if cell.family.kind == kind and cell.policy.kind == policy]


def test_the_study_is_the_one_that_the_readme_describes() -> None:
    linear, gaussian = cells("linear", "replace")[0], cells("gaussian", "replace")[0]
    assert (linear.family.dim, linear.family.noise) == (10, 1.0)
    assert (linear.rows, linear.generations, linear.replicates) == (100, 20, 1000)
    assert (gaussian.family.dim, gaussian.rows, gaussian.generations, gaussian.replicates) == (1, 100, 50, 1000)
    for policy in {policy for _, policy in WORDS}:
        language = cells("language", policy)
        assert [(c.family.architecture, c.family.size) for c in language] == [("gpt2", "0.1M"), ("llama", "0.1M")]
        assert {(c.rows, c.generations, c.replicates, c.family.steps) for c in language} == {(100, 10, 10, 50)}


@pytest.mark.parametrize("cell", [*cells("linear", "replace"), *cells("linear", "accumulate")], ids=lambda c: c.key[:8])
def test_linear_lies_within_four_standard_errors_at_every_generation(cell: Cell) -> None:
    n = np.arange(1, cell.generations + 1)
    unit = cell.family.noise**2 * cell.family.dim / (cell.rows - cell.family.dim - 1)
    theory = unit * (n if cell.policy.kind == "replace" else np.cumsum(1 / n**2))
    records = list(run(cell))
    errors = np.array([record.metrics["test_loss_se"] for record in records])
    assert (abs(np.array([record.test_loss for record in records]) - theory) < 4 * errors).all()


@pytest.mark.parametrize(
    "cell", [*cells("gaussian", "replace"), *cells("gaussian", "accumulate")], ids=lambda c: c.key[:8]
)
def test_gaussian_lies_within_four_standard_errors_of_the_products(cell: Cell) -> None:
    n = np.arange(1, cell.generations + 1)
    shrink = 1 - 1 / (cell.rows * (np.ones_like(n) if cell.policy.kind == "replace" else n**2))
    records = list(run(cell))
    measured = np.array([record.metrics["trace_ratio"] for record in records])
    errors = np.array([record.metrics["trace_ratio_se"] for record in records])
    assert (abs(measured - np.cumprod(shrink)) < 4 * errors).all()


Curves = dict[tuple[str, str], npt.NDArray[np.float64]]
Ran = tuple[dict[tuple[str, str], list[Record]], Curves]


@pytest.fixture(scope="module")
def language() -> Ran:
    """Records, and losses [recursions, generations], by (architecture, policy); generation 1 is fitted once for all
    policies."""
    store, records, curves = MemoryStore(), {}, {}
    for architecture, policy in WORDS:
        (cell,) = (cell for cell in cells("language", policy) if cell.family.architecture == architecture)
        records[architecture, policy] = list(run(cell, store))
        curves[architecture, policy] = values_of(cell, cell.generations, store)["test_loss"]
    return records, curves


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_replacing_text_raises_the_loss_at_every_generation_of_every_recursion(
    architecture: str, language: Ran
) -> None:
    curves = language[1][architecture, "replace"]
    assert curves.shape == (10, 10)
    assert (np.diff(curves, axis=1) > 0).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("row", KEPT, ids="-".join)
def test_accumulating_text_stays_near_its_first_generation(row: tuple[str, str], language: Ran) -> None:
    kept, replaced = language[1][row], language[1][row[0], "replace"]
    assert len(kept) == len(replaced) == 10
    gone = replaced[:, -1] - replaced[:, 0]
    assert (kept.max(axis=1) - kept[:, 0] < PART * gone).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("row", list(WORDS), ids="-".join)
def test_ten_recursions_over_ten_generations_end_in_a_verdict(row: tuple[str, str], language: Ran) -> None:
    curves = {("0.1M", row[1], seed): curve for seed, curve in enumerate(language[1][row])}
    assert list(assess(simulated.study(curves))["verdict"]) == [WORDS[row]]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("row", KEPT, ids="-".join)
def test_policies_start_from_one_model_and_end_significantly_apart(row: tuple[str, str], language: Ran) -> None:
    records, curves = language
    one, other = records[row[0], "replace"][0], records[row][0]
    assert (one.model, one.test_loss) == (other.model, other.test_loss)
    gaps = curves[row[0], "replace"][:, -1] - curves[row][:, -1]
    low = gaps.mean() - stats.t.ppf(0.975, len(gaps) - 1) * stats.sem(gaps)
    assert low > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_losses_are_better_than_guessing(language: Ran) -> None:
    for records in language[0].values():
        assert all(record.test_loss < record.metrics["uniform_loss"] for record in records)
