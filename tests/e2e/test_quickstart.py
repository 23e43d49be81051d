"""The claims of the quickstart study, on its own cells: closed forms in full, language models at two of three seeds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from analysis.verdicts.robustness import assess
from search_spaces.expansion import expand
from search_spaces.studies.quickstart import quickstart
from tests.support import simulated
from trainables import Cell, Record, run
from trainables.store import MemoryStore

CELLS = [point.cell for point in expand(quickstart())]
PART = 0.2
"""Of the rise of replacing, by which accumulating may come to lie above its first generation at most."""


def cells(kind: str, policy: str) -> list[Cell]:
    return [cell for cell in CELLS if cell.family.kind == kind and cell.policy.kind == policy]


def test_the_study_is_the_one_that_the_readme_describes() -> None:
    linear, gaussian = cells("linear", "replace")[0], cells("gaussian", "replace")[0]
    assert (linear.family.dim, linear.family.noise) == (10, 1.0)
    assert (linear.rows, linear.generations, linear.replicates) == (100, 20, 1000)
    assert (gaussian.family.dim, gaussian.rows, gaussian.generations, gaussian.replicates) == (1, 100, 50, 1000)
    language = {(c.family.architecture, c.family.size, c.seed) for c in cells("language", "accumulate_subsample")}
    assert len(language) == 2 * 3
    assert {(c.rows, c.generations) for c in cells("language", "replace")} == {(100, 8)}


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


@pytest.fixture(scope="module")
def language() -> dict[tuple[str, int, str], list[Record]]:
    """Records by (architecture, seed, policy), two seeds; generation 1 is fitted once for both policies."""
    store = MemoryStore()
    chosen = [c for policy in ("replace", "accumulate") for c in cells("language", policy)]
    few = [c for c in chosen if c.seed < 2]
    return {(c.family.architecture, c.seed, c.policy.kind): list(run(c, store)) for c in few}


def losses(language: dict[tuple[str, int, str], list[Record]], policy: str) -> Iterator[list[float]]:
    return ([r.test_loss for r in records] for key, records in language.items() if key[2] == policy)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_replacing_text_raises_the_loss_at_every_generation_of_every_seed(
    language: dict[tuple[str, int, str], list[Record]],
) -> None:
    curves = list(losses(language, "replace"))
    assert len(curves) == 4
    assert all((np.diff(curve) > 0).all() for curve in curves)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_accumulating_text_stays_near_its_first_generation(language: dict[tuple[str, int, str], list[Record]]) -> None:
    kept, replaced = list(losses(language, "accumulate")), list(losses(language, "replace"))
    assert len(kept) == len(replaced) == 4
    gone = [curve[-1] - curve[0] for curve in replaced]
    assert all(max(curve) - curve[0] < PART * far for curve, far in zip(kept, gone, strict=True))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_replacing_text_ends_in_a_verdict(language: dict[tuple[str, int, str], list[Record]]) -> None:
    """Of both architectures' seeds together, four recursions."""
    curves = {("0.1M", "replace", seed): np.array(curve) for seed, curve in enumerate(losses(language, "replace"))}
    assert list(assess(simulated.study(curves))["verdict"]) == ["collapses"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_policies_start_from_one_model_and_end_significantly_apart(
    language: dict[tuple[str, int, str], list[Record]],
) -> None:
    gaps = []
    for (architecture, seed, policy), records in language.items():
        if policy == "replace":
            other = language[architecture, seed, "accumulate"]
            assert (records[0].model, records[0].test_loss) == (other[0].model, other[0].test_loss)
            gaps.append(records[-1].test_loss - other[-1].test_loss)
    low = np.mean(gaps) - stats.t.ppf(0.975, len(gaps) - 1) * stats.sem(gaps)
    assert low > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_losses_are_better_than_guessing(language: dict[tuple[str, int, str], list[Record]]) -> None:
    for records in language.values():
        assert all(record.test_loss < record.metrics["uniform_loss"] for record in records)
