"""Studies beside closed forms: every cell has its formula, and policies are what their names say of rows and loss."""

from __future__ import annotations

import math
from typing import Any

import pytest

from analysis.theory import MAIN, curves, theory
from search_spaces.studies import STUDIES
from search_spaces.studies.theory import WHOLE
from tests.support.named_studies import cells, real_share, real_weight, rows_by_batch, study
from trainables import Cell
from trainables.families import FAMILIES
from trainables.policies import POLICIES

THEORY = sorted({name for name in STUDIES if name.startswith("theory/")} - {"theory/linear", "theory/random_features"})


def first_seed(name: str, block: str | None = None) -> list[Cell]:
    return [cell for cell in cells(name, block) if cell.seed == 0]


@pytest.mark.parametrize("name", THEORY)
def test_every_cell_has_a_formula_of_its_main_figure_at_every_generation(name: str) -> None:
    """Short copies: whether there is a formula depends on no number of generations."""
    for cell in first_seed(name):
        found = theory(cell.model_copy(update={"generations": 4}))
        assert found is not None, (cell.family, cell.policy)
        assert found.metric == MAIN[cell.family.kind]
        assert len(found.values) == 4
        assert all(math.isfinite(value) and value >= 0 for value in found.values)


def test_random_features_have_a_leading_order_wherever_no_model_meets_inputs_of_its_teacher() -> None:
    """docs/policies.md: of its own labels `replace` and `fresh_mix`, of a surrogate's every policy of whole batches."""
    seen: dict[tuple[str, str], int] = {}
    for cell in first_seed("theory/random_features"):
        held = cell.family.canonical()
        if held["width"] == 40 and held["distortion"] == 0.5:
            short = cell.model_copy(update={"generations": 3})
            seen[held["labeller"], cell.policy.kind] = len(curves(short).get("test_loss", ()))
    assert seen == {
        ("model", "replace"): 3,
        ("model", "fresh_mix"): 3,
        ("model", "ratio_mix"): 3,
        ("model", "accumulate"): 1,
        ("surrogate", "replace"): 3,
        ("surrogate", "fresh_mix"): 3,
        ("surrogate", "ratio_mix"): 3,
        ("surrogate", "accumulate"): 3,
    }


def test_linear_models_have_exact_formulas_on_a_fixed_design_and_three_on_a_fresh_one() -> None:
    """Every policy of the study but `accumulate_subsample`; on a fresh design those of whole corpora of equal rows."""
    exact: dict[str, set[str]] = {"fixed": set(), "fresh": set()}
    for cell in first_seed("theory/linear"):
        found = theory(cell.model_copy(update={"generations": 6}))  # longer than a window
        if found is not None and len(found.values) == 6:
            exact[cell.family.canonical()["design"]].add(cell.policy.kind)
    assert exact["fixed"] == {policy["kind"] for policy in WHOLE} - {"accumulate_subsample"}
    assert exact["fresh"] == {"replace", "replace_multiple", "accumulate"}


@pytest.mark.parametrize("kind", list(FAMILIES))
def test_a_study_of_policies_has_each_that_its_family_can_run_once_and_on_three_seeds(kind: str) -> None:
    found = cells(f"policies/{kind}")
    able = FAMILIES.get(kind).abilities
    expected = [name for name in POLICIES if name != "compose" and POLICIES.get(name)().requires() <= able]
    assert [cell.policy.kind for cell in first_seed(f"policies/{kind}")] == expected
    assert len(found) == 3 * len(expected)
    assert {cell.family.kind for cell in found} == {kind}
    sizes = {(cell.rows, cell.generations, cell.replicates) for cell in found}
    assert len(sizes) == 1, "side by side at one size"


@pytest.mark.parametrize("kind", ["vae", "diffusion", "language"])
def test_families_whose_real_rows_run_out_add_a_quarter_of_them_a_generation(kind: str) -> None:
    for cell in first_seed(f"policies/{kind}"):
        if cell.policy.kind in ("fresh_mix", "weighted_fresh"):
            rows = rows_by_batch(cell, 3)
            quarter = pytest.approx(0.25, abs=1 / cell.rows), pytest.approx(0.75, abs=1 / cell.rows)
            assert (rows[-1] / cell.rows, rows[2] / cell.rows) == quarter


@pytest.mark.parametrize("name", ["recovery/language", "recovery/vae"])
def test_a_collapsed_lineage_has_four_ways_back_after_four_generations_of_its_own(name: str) -> None:
    found = first_seed(name)
    assert [cell.generations for cell in found] == [8] * 4
    for cell in found:
        assert [real_share(cell, n) for n in (2, 3, 4)] == [0.0] * 3
        assert cell.fork is not None
    later = {(cell.fork.policy.kind, round(real_share(cell, 5), 4)) for cell in found if cell.fork}
    assert later == {("replace", 0.0), ("accumulate", 0.2), ("ratio_mix", 0.5), ("ratio_mix", 0.1)}
    assert [cell.recipe(4) for cell in found] == [found[0].recipe(4)] * 4, "all forks share what came before"


@pytest.mark.parametrize(
    ("name", "amounts"), [("scaling/language", (150, 300, 600)), ("scaling/vae", (250, 500, 1000))]
)
def test_a_scaling_study_has_four_sizes_on_three_amounts_of_rows(name: str, amounts: tuple[int, ...]) -> None:
    grid: dict[int, set[int]] = {}
    for cell in first_seed(name):
        grid.setdefault(int(cell.family.cost(1).parameters), set()).add(cell.rows)
    assert set(map(tuple, map(sorted, grid.values()))) == {amounts}
    sizes = sorted(grid)
    assert len(sizes) == 4
    assert sizes[-1] / sizes[0] > 10, "a decade of sizes"
    assert {cell.policy.kind for cell in cells(name)} == {"replace", "accumulate"}
    assert {cell.seed for cell in cells(name)} == {0, 1, 2}


@pytest.mark.parametrize("family", ["linear", "gaussian", "language"])
def test_a_population_study_has_four_graphs_closed_and_with_real_data_at_one_member(family: str) -> None:
    closed, anchored = cells(f"population/{family}", "closed"), cells(f"population/{family}", "anchored")
    for cell in (*closed, *anchored):
        assert cell.population is not None
        assert (cell.population.models, cell.population.real, cell.population.shares) == (3, "own", 0.5)
    graphs = {"alone", "ring", "complete", "star"}
    assert {cell.population.graph for cell in closed if cell.population} == graphs
    assert {cell.policy.kind for cell in closed} == {"replace", "accumulate"}
    assert {(c.population.graph, c.population.anchored) for c in anchored if c.population} == {
        (graph, (member,)) for graph in graphs for member in (1, 2)
    }
    assert {cell.policy.kind for cell in anchored} == {"replace"}


def test_the_anchored_member_gives_half_of_its_loss_to_as_many_new_real_rows_as_it_has() -> None:
    for cell in cells("population/linear", "anchored")[:2]:
        assert cell.population is not None
        assert cell.population.anchor is not None
        alone = cell.model_copy(update={"policy": cell.population.anchor, "population": None})
        for generation in (2, 5):
            assert real_weight(alone, generation) == pytest.approx(0.5)
            assert rows_by_batch(alone, generation)[-1] == cell.rows
        assert alone.recipe(2).draws != alone.recipe(3).draws, "new ones"


def test_weights_of_fresh_rows_lie_around_the_golden_ratio() -> None:
    """He, Xu & Cheng 2025: the best share of the loss is (√(k² + 4k) − k)/2, at k = 1 real row for each synthetic one
    (√5 − 1)/2 = 0.618."""
    weights = {}
    for cell in first_seed("glm/weights"):
        rows = rows_by_batch(cell, 3)
        assert rows == {-1: 1000, 2: 1000}, "k = 1"
        weights[round(real_weight(cell, 3), 4)] = cell
    best = (math.sqrt(5) - 1) / 2
    assert min(weights, key=lambda weight: abs(weight - best)) == 0.618
    assert min(weights) < best - 0.05
    assert max(weights) > best + 0.05


def test_a_strong_mix_is_one_fit_on_stated_shares_of_worse_labels() -> None:
    """Dohmatob et al. 2024: 1 %, 10 % and 50 % of the rows, of every total and width."""
    seen = set()
    for cell in cells("features/strong"):
        assert cell.generations == 2
        assert cell.family.canonical()["labeller"] == "surrogate"
        rows = rows_by_batch(cell, 2)
        assert sum(rows.values()) == cell.rows
        seen.add((cell.rows, rows[1] / cell.rows))
    assert seen == {(total, share) for total in (100, 400, 1600) for share in (0.01, 0.1, 0.5)}


def test_a_scaling_study_of_features_replaces_all_or_half_and_mixes_a_surrogate_in_at_once() -> None:
    own, surrogate = first_seed("features/scaling", "own"), first_seed("features/scaling", "surrogate")
    assert {(cell.policy.kind, real_share(cell, 3)) for cell in own} == {("replace", 0.0), ("fresh_mix", 0.5)}
    assert {(cell.generations, real_share(cell, 2)) for cell in surrogate} == {(2, 0.5)}
    for found in (own, surrogate):
        assert len({(cell.rows, cell.family.canonical()["width"]) for cell in found}) == 16


def test_the_quickstart_s_language_models_make_fifty_updates_of_four_rows_whatever_the_corpus() -> None:
    for cell in cells("quickstart", "language"):
        assert {cell.family.updates(rows) for rows in (1, 100, 1000)} == {50}  # type: ignore[attr-defined]
        assert 50 * cell.family.canonical()["batch"] == 2 * cell.rows, "two passes over the first corpus"
    names = {
        block.name: {cell.policy.kind for cell in cells("quickstart", block.name)}
        for block in study("quickstart").blocks
    }
    assert names == {
        name: {"replace", "accumulate", "accumulate_subsample"} for name in ("linear", "gaussian", "language")
    }


CLAIMS = {"accumulate stays bounded", "replace diverges", "accumulate beats replace"}


@pytest.mark.parametrize("family", ["linear", "language", "vae"])
def test_a_hunt_tries_to_refute_the_paper_s_three_claims_over_one_space(family: str) -> None:
    blocks: tuple[Any, ...] = study(f"falsify/{family}").blocks
    assert {block.search.claim for block in blocks} == CLAIMS
    assert {str(block.space) for block in blocks} == {str(blocks[0].space)}
    for block in blocks:
        assert block.search.independent * 2 == block.search.num_samples, "half of them depend on no result"
        assert set(block.space) & {"policy", "policy.kind", "seed"} == set()
