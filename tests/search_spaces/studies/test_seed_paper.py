"""`paper/*` and `laptop/*`: the four systems of Gerstgrasser et al. 2024 (arXiv 2404.01413) at two scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from tests.support.named_studies import cells, rows_by_batch, study
from trainables import Cell
from trainables.recursion import Steps

SYSTEMS = ("linear", "language", "vae", "diffusion")
LOSSES = {"replace", "accumulate"}


def fields(found: Iterable[Cell], *names: str) -> set[tuple[object, ...]]:
    """Distinct values of family fields."""
    return {tuple(cell.family.canonical().get(name) for name in names) for cell in found}


@pytest.mark.parametrize("scale", ["laptop", "paper"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_is_its_own_family_under_both_policies_with_three_seeds(scale: str, system: str) -> None:
    found = cells(f"{scale}/{system}")
    assert {cell.family.kind for cell in found} == {system}
    assert {cell.policy.kind for cell in found} >= LOSSES
    pairs: dict[str, Counter[int]] = {kind: Counter() for kind in LOSSES}
    for cell in found:
        if cell.policy.kind in LOSSES:
            pairs[cell.policy.kind][cell.seed] += 1
    assert pairs["replace"] == pairs["accumulate"], "both policies on the same seeds, so that they can be paired"
    assert set(pairs["replace"]) >= {0, 1, 2}


def test_the_two_scales_differ_in_configuration_only() -> None:
    """The same fields of a cell, and families of the same kind."""
    for system in SYSTEMS:
        small, large = (
            {block.cell["family"]["kind"] for block in study(f"{s}/{system}").blocks} for s in ("laptop", "paper")
        )
        assert small == large == {system}


@pytest.mark.parametrize(
    ("size", "architecture", "exact"),
    [
        ("9M", "gpt2", 8_890_880),
        ("12M", "llama", 12_488_960),
        ("42M", "llama", 41_755_136),
        ("126M", "llama", 125_553_408),
    ],
)
def test_the_paper_s_language_models_have_its_parameters_to_the_last(size: str, architecture: str, exact: int) -> None:
    """8,000 tokens; the context of 512 lies below the 2,048 positions of the paper's tables."""
    found = [cell for cell in cells("paper/language") if cell.family.canonical()["size"] == size]
    assert {cell.family.canonical()["architecture"] for cell in found} == {architecture}
    assert {cell.family.cost(1).parameters for cell in found} == {exact}
    assert fields(found, "vocabulary", "context") == {(8000, 512)}


def test_gpt2_is_fitted_eleven_times_at_two_temperatures_and_llama_five_times() -> None:
    """Its table 2: t = 10 is the eleventh fit; Llama's last column is t = 4, the fifth."""
    gpt2, llama = cells("paper/language", "gpt2"), cells("paper/language", "llama")
    assert {cell.generations for cell in gpt2} == {11}
    assert fields(gpt2, "temperature", "architecture", "size") == {(1.0, "gpt2", "9M"), (0.3, "gpt2", "9M")}
    assert {cell.generations for cell in llama} == {5}
    assert fields(llama, "temperature") == {(1.0,)}


def test_its_controls_change_one_thing_each() -> None:
    plain = cells("paper/language", "gpt2")[0].family.canonical()
    for block, change in {"control": {}, "epochs": {"epochs": 3.0}, "small-data": {}}.items():
        for cell in cells("paper/language", block):
            assert cell.family.canonical() == plain | change, block
            assert cell.generations == 5
    assert {cell.policy.kind for cell in cells("paper/language", "control")} == {"replace_multiple"}
    rows = {
        block.name: {cell.rows for cell in cells("paper/language", block.name)}
        for block in study("paper/language").blocks
    }
    assert rows.pop("small-data") == {200_000}
    assert set(map(tuple, rows.values())) == {(2_000_000,)}


def test_the_multiple_of_replace_has_as_many_rows_as_accumulate_has() -> None:
    """The control for the amount of data: n·N rows, all from the model before."""
    by_policy = {cell.policy.kind: cell for block in ("gpt2", "control") for cell in cells("paper/language", block)}
    for generation in range(1, 6):
        multiple = rows_by_batch(by_policy["replace_multiple"], generation)
        pool = rows_by_batch(by_policy["accumulate"], generation)
        assert sum(multiple.values()) == sum(pool.values()) == generation * by_policy["accumulate"].rows
        assert set(multiple) == {generation - 1}


@pytest.mark.parametrize(("name", "count", "generations"), [("paper/language", 45, 270), ("paper/language-50", 6, 297)])
def test_the_page_counts_its_cells_and_generations(name: str, count: int, generations: int) -> None:
    """docs/laptop.md. Policies and temperatures share generation 1: GPT-2 3 + 12 · 10, Llama 9 + 18 · 4, the control
    3 · 4 beyond GPT-2's, three epochs and less data 3 + 6 · 4 each; fifty fits 3 + 6 · 49."""
    found = cells(name)
    assert len(found) == count
    steps = [Steps(cell, data={}) for cell in found if cell.seed == 0]  # seeds share nothing
    models = {one.step(n).model for one in steps for n in range(1, one.cell.generations + 1)}
    assert 3 * len(models) == generations


def test_an_update_of_the_paper_s_is_32_documents_for_one_epoch_at_a_rate_of_a_thousandth() -> None:
    assert fields(cells("paper/language", "gpt2"), "batch", "epochs", "learning_rate", "initializer_range") == {
        (32, 1.0, 1e-3, 0.02)
    }
    assert cells("paper/language", "gpt2")[0].family.updates(64) == 2  # type: ignore[attr-defined]
    assert {cell.family.source.kind for cell in cells("paper/language")} == {"tinystories"}  # type: ignore[attr-defined]


def test_the_paper_s_molecules_are_40_000_conformations_for_eight_generations() -> None:
    found = cells("paper/diffusion")
    assert {(cell.rows, cell.generations) for cell in found} == {(40_000, 8)}
    assert fields(found, "timesteps", "schedule", "judged_molecules", "test_molecules") == {(5000, "sigmoid", 200, 200)}
    assert {cell.family.source.kind for cell in found} == {"geom_drugs"}  # type: ignore[attr-defined]
    assert all(not cell.family.source.allow_pickle for cell in found), "pickles are read only where a user says so"  # type: ignore[attr-defined]


def test_the_paper_s_faces_are_celeba_at_64_by_64() -> None:
    found = cells("paper/vae")
    assert {(cell.rows, cell.generations) for cell in found} == {(160_000, 10)}
    assert {(cell.family.source.kind, cell.family.source.size) for cell in found} == {("celeba", 64)}  # type: ignore[attr-defined]


def test_the_paper_s_linear_models_can_be_estimated_and_have_finite_means() -> None:
    """c = σ²d/(T − d − 1) needs T ≥ d + 2: of all of its dimensions and rows; a thousand recursions a cell."""
    found = cells("paper/linear")
    assert len(found) == 3 * 3 * 3 * 4 * 3
    assert all(cell.rows >= cell.family.canonical()["dim"] + 2 for cell in found)
    assert {cell.replicates for cell in found} == {1000}
    rows = sorted({cell.rows for cell in found})
    assert [rows[1] / rows[0], rows[2] / rows[1]] == pytest.approx([10**0.5] * 2, rel=0.001), "half decades"
    noises = sorted({cell.family.canonical()["noise"] for cell in found})
    assert [noises[1] / noises[0], noises[2] / noises[1]] == pytest.approx([10**0.5] * 2, rel=0.002)


def test_the_laptop_s_language_models_have_two_architectures_two_sizes_and_two_temperatures() -> None:
    sizes = cells("laptop/language", "sizes")
    assert fields(sizes, "architecture", "size") == {(a, s) for a in ("gpt2", "llama") for s in ("0.1M", "0.4M")}
    assert fields(sizes, "temperature") == {(1.0,)}
    cold, control = cells("laptop/language", "cold"), cells("laptop/language", "control")
    assert fields(cold, "temperature") == {(0.3,)}
    assert {cell.seed for cell in cold} == {0, 1, 2, 3, 4}
    assert {cell.policy.kind for cell in control} == {"replace_multiple"}
    assert fields(control, "temperature", "architecture", "size") == {(1.0, "gpt2", "0.1M")}
    assert {cell.family.source.kind for cell in cells("laptop/language")} == {"pydoc"}  # type: ignore[attr-defined]


def test_the_laptop_s_linear_models_change_design_ridge_and_covariance_one_at_a_time() -> None:
    plain = cells("laptop/linear", "ols")[0].family.canonical()
    assert fields(cells("laptop/linear", "ols"), "dim", "noise") == {(d, n) for d in (10, 50) for n in (0.3, 1.0)}
    changed = {
        "fresh": {"design": "fresh"},
        "ridge": {"estimator": "ridge", "penalty": 10.0},
        "power_law": {"covariance": "power_law"},
    }
    default = plain | {"dim": 10, "noise": 1.0}
    for block, change in changed.items():
        assert {str(cell.family.canonical()) for cell in cells("laptop/linear", block)} == {str(default | change)}
    kinds = {cell.policy.kind for cell in cells("laptop/linear", "ols")}
    assert kinds == LOSSES | {"replace_multiple"}


@pytest.mark.parametrize(("name", "small", "large"), [("laptop/vae", 8, 16), ("laptop/diffusion", 32, 64)])
def test_the_laptop_s_larger_networks_have_more_parameters(name: str, small: int, large: int) -> None:
    sizes: dict[int, set[int]] = {}
    for cell in cells(name):
        sizes.setdefault(cell.family.canonical()["width"], set()).add(int(cell.family.cost(1).parameters))
    assert set(sizes) == {small, large}
    assert max(sizes[small]) < min(sizes[large])


def test_the_page_s_names_of_molecule_models_are_their_sizes() -> None:
    """docs/laptop.md calls them 0.0088M and 0.046M."""
    found = {cell.family.size_label() for cell in cells("laptop/diffusion")}
    assert found == {"0.0088M", "0.046M"}
