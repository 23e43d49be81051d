"""The claims of the quickstart study, on its own cells: those of language models that end in a verdict."""

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
WORDS = {"replace": "collapses", "accumulate_subsample": "levels off"}
PART = 1 / 3
"""Of the rise of replacing, by which accumulating may come to lie above its first generation at most."""


def cells(kind: str, policy: str) -> list[Cell]:
    return [cell for cell in CELLS if cell.family.kind == kind and cell.policy.kind == policy]


def test_the_study_is_the_one_that_the_readme_describes() -> None:
    linear, gaussian = cells("linear", "replace")[0], cells("gaussian", "replace")[0]
    assert (linear.family.dim, linear.family.noise) == (10, 1.0)
    assert (linear.rows, linear.generations, linear.replicates) == (100, 20, 1000)
    assert (gaussian.family.dim, gaussian.rows, gaussian.generations, gaussian.replicates) == (1, 100, 50, 1000)
    language = [(c.family.architecture, c.family.size) for c in cells("language", "accumulate_subsample")]
    assert language == [("gpt2", "0.1M"), ("llama", "0.1M")]
    assert {(c.rows, c.generations, c.replicates) for c in cells("language", "replace")} == {(100, 8, 8)}


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
    """Records, and losses [recursions, generations], by (architecture, policy); generation 1 is fitted once for both
    policies."""
    store, records, curves = MemoryStore(), {}, {}
    for cell in (cell for policy in WORDS for cell in cells("language", policy)):
        name = cell.family.architecture, cell.policy.kind
        records[name] = list(run(cell, store))
        curves[name] = values_of(cell, cell.generations, store)["test_loss"]
    return records, curves


def losses(curves: Curves, policy: str) -> npt.NDArray[np.float64]:
    """Of both architectures, [recursions, generations]."""
    return np.concatenate([curve for (_, kind), curve in curves.items() if kind == policy])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_replacing_text_raises_the_loss_at_every_generation_of_every_recursion(language: Ran) -> None:
    curves = losses(language[1], "replace")
    assert len(curves) == 2 * 8
    assert (np.diff(curves, axis=1) > 0).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_accumulating_text_at_a_fixed_size_stays_near_its_first_generation(language: Ran) -> None:
    kept, replaced = losses(language[1], "accumulate_subsample"), losses(language[1], "replace")
    assert len(kept) == len(replaced) == 2 * 8
    gone = replaced[:, -1] - replaced[:, 0]
    assert (kept.max(axis=1) - kept[:, 0] < PART * gone).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("policy", list(WORDS))
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_eight_recursions_over_eight_generations_end_in_a_verdict(
    architecture: str, policy: str, language: Ran
) -> None:
    curves = {("0.1M", policy, seed): curve for seed, curve in enumerate(language[1][architecture, policy])}
    assert list(assess(simulated.study(curves))["verdict"]) == [WORDS[policy]]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_policies_start_from_one_model_and_end_significantly_apart(language: Ran) -> None:
    records, curves = language
    for architecture in ("gpt2", "llama"):
        one, other = records[architecture, "replace"][0], records[architecture, "accumulate_subsample"][0]
        assert (one.model, one.test_loss) == (other.model, other.test_loss)
    gaps = losses(curves, "replace")[:, -1] - losses(curves, "accumulate_subsample")[:, -1]
    low = gaps.mean() - stats.t.ppf(0.975, len(gaps) - 1) * stats.sem(gaps)
    assert low > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_losses_are_better_than_guessing(language: Ran) -> None:
    for records in language[0].values():
        assert all(record.test_loss < record.metrics["uniform_loss"] for record in records)
