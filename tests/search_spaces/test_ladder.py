"""Ladders: rows by rule, against the formulas; and every named study expands."""

from __future__ import annotations

import os

import pytest
import yaml

from search_spaces.expansion import expand, expected
from search_spaces.ladder import FixedCompute, FixedRows, TokensPerParameter, geometric, isoflop, ladder
from search_spaces.loading import load_study
from search_spaces.studies import STUDIES, named_study
from trainables.families.language.config import LanguageConfig

LLAMA = {"kind": "language", "architecture": "llama"}
SIZES = [{"size": "0.1M"}, {"size": "0.4M"}]
UNPLANNABLE = {"paper/diffusion", *(f"finetune/{name}" for name in ("opt", "gpt2", "gemma", "olmo", "smollm2"))}
"""Need a folder of data that the user names, or a checkpoint of the hub, which is named by its content."""


def test_fixed_rows_are_the_same_for_every_size() -> None:
    steps = ladder(LLAMA, SIZES, FixedRows(n=70))
    assert steps == [{"family.size": "0.1M", "rows": 70}, {"family.size": "0.4M", "rows": 70}]


def test_tokens_per_parameter_and_fixed_compute_follow_their_formulas() -> None:
    for step in ladder(LLAMA, SIZES, TokensPerParameter(ratio=20)):
        config = LanguageConfig(architecture="llama", size=step["family.size"])
        assert step["rows"] * config.context == pytest.approx(20 * config.parameters, abs=config.context)
    for step in ladder(LLAMA, SIZES, FixedCompute(flops=1e12)):
        config = LanguageConfig(architecture="llama", size=step["family.size"])
        spent = 6 * config.parameters * step["rows"] * config.context * config.epochs
        assert spent == pytest.approx(1e12, rel=0.01)


def test_an_isoflop_grid_has_every_size_at_every_budget() -> None:
    budgets = geometric(1e11, 1e13, 3)
    assert budgets == pytest.approx([1e11, 1e12, 1e13])
    assert len(isoflop(LLAMA, SIZES, budgets)) == 6
    with pytest.raises(ValueError, match="geometric: needs positive ends"):
        geometric(0, 1, 3)


@pytest.mark.parametrize("name", sorted(set(STUDIES) - UNPLANNABLE))
def test_every_named_study_expands_to_cells_under_its_own_name(name: str) -> None:
    study = named_study(name)
    assert study.name == name
    assert study.description
    assert len(expand(study) + expected(study)) > 1


def test_laptop_studies_have_three_seeds_or_more_and_two_sizes() -> None:
    for family in ("linear", "language", "vae", "diffusion"):
        cells = [point.cell for point in expand(named_study(f"laptop/{family}"))]
        assert {cell.seed for cell in cells} >= {0, 1, 2}
        assert len({cell.family.size_label() for cell in cells}) >= 2
        assert {"replace", "accumulate"} <= {cell.policy.kind for cell in cells}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("laptop/language", "{kind: text, path: stories.txt, separator: '<|endoftext|>'}"),
        ("laptop/vae", "{kind: folder, path: images-idx3-ubyte.gz, size: 28}"),
        ("laptop/diffusion", "{kind: npz, path: conformers.npz}"),
        ("paper/language", "{kind: text, path: stories.txt}"),
        ("paper/vae", "{kind: folder, path: faces, size: 64, channels: 3}"),
        ("paper/diffusion", "{kind: sdf, path: drugs.sdf}"),
    ],
)
def test_every_block_of_a_study_takes_other_data(name: str, source: str) -> None:
    study = load_study(name, [f"family.source={source}"])
    sources = {block.cell["family"]["source"]["path"] for block in study.blocks}
    assert sources == {os.path.abspath(yaml.safe_load(source)["path"])}


def test_the_papers_language_models_are_fitted_as_its_published_runs_were() -> None:
    cells = [point.cell for point in expand(named_study("paper/language"))]
    family = cells[0].family
    assert isinstance(family, LanguageConfig)
    assert family.updates(2_119_520) == 66_235, "32 documents an update"
    assert {cell.family.canonical()["sequences"] for cell in cells} == {"documents"}, "one document a row"
    assert {cell.family.canonical()["prompts"] for cell in cells} == {"first_token"}
    longest = [point.cell for point in expand(named_study("paper/language-50"))]
    assert {cell.generations for cell in longest} == {50}
    assert longest[0].family == family


def test_the_papers_larger_updates_and_samples_from_bos_are_options() -> None:
    study = load_study("paper/language", ["family.batch=128", "family.prompts=bos"])
    fields = [point.cell.family.canonical() for point in expand(study)]
    assert {(family["batch"], family.get("prompts", "none")) for family in fields} == {(128, "none")}
