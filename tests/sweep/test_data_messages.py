"""What is wrong with a cell's data is told by the place in the cell that says where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search_spaces import load_study
from sweep.engine import _check_supply as check_supply
from sweep.engine import open_board
from sweep.planning import plan_study
from sweep.workspace import open_workspace
from trainables import Cell, run
from trainables.families import FAMILIES
from trainables.recursion import check_data
from trainables.store import MemoryStore, open_store

OWN = {"language": "text", "vae": "folder", "diffusion": "sdf", "glm": "table"}
"""A kind of source of one's own, by family."""


def cell(family: str, **source: Any) -> dict[str, Any]:
    config = {"kind": family, "source": {"kind": OWN[family], **source}}
    return {"family": config, "policy": {"kind": "replace"}, "rows": 10, "generations": 1}


def test_every_family_that_reads_own_data_is_looked_at() -> None:
    assert set(OWN) == {kind for kind in FAMILIES if FAMILIES.get(kind).own_data}


@pytest.mark.parametrize("family", OWN)
def test_a_file_that_is_not_there(family: str, tmp_path: Path) -> None:
    given = Cell.model_validate(cell(family, path=str(tmp_path / "none")))
    with pytest.raises(ValueError, match=r"^family\.source\.path: ") as told:
        check_data(given)
    with pytest.raises(ValueError, match="family") as at_run:
        list(run(given))
    assert str(at_run.value) == str(told.value)


def test_plan_and_run_name_one_place(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("a single document")
    (tmp_path / "s.yaml").write_text(
        "name: s\ncell: {family: {kind: language, source: {kind: text, path: one.txt}}, policy: {kind: replace}}\n"
    )
    study = load_study(str(tmp_path / "s.yaml"))
    (noted,) = plan_study(study, MemoryStore()).notes
    workspace = open_workspace(tmp_path / "w")
    with pytest.raises(ValueError, match="family") as refused:
        check_supply(study, open_board(study, workspace, open_store(workspace.storage)))
    assert noted.startswith("cell.family.source.separator: ")
    assert f"s: {noted} (at " in str(refused.value)
