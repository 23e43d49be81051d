"""What README and docs/howto/cluster.md list is what there is."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

from sweep.cli import app
from trainables.families import FAMILIES

ROOT = Path(__file__).parents[2]


def test_readme_lists_every_command() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The command line")[2].partition("## ")[0]
    listed = re.findall(r"^collapse-sweep (\w+)", section, flags=re.M)
    commands = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert sorted(listed) == sorted(commands)


def test_what_readme_shows_of_python_names_nothing_that_it_does_not_import() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S)
    assert blocks
    for block in blocks:
        nodes = list(ast.walk(ast.parse(block)))
        known = {
            name.asname or name.name
            for one in nodes
            if isinstance(one, ast.Import | ast.ImportFrom)
            for name in one.names
        }
        known |= {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)} | set(
            dir(builtins)
        )
        assert {one.id for one in nodes if isinstance(one, ast.Name)} <= known


def test_the_page_on_clusters_says_of_every_family_whether_it_takes_a_gpu() -> None:
    page = (ROOT / "docs/howto/cluster.md").read_text(encoding="utf-8")
    told = {}
    for names, gpu in re.findall(r"^\| ((?:`\w+` ?)+)\| 1 \| (`auto`|0) \|$", page, flags=re.M):
        told |= dict.fromkeys(re.findall(r"`(\w+)`", names), gpu == "`auto`")
    assert told == {kind: FAMILIES.get(kind).accelerated for kind in FAMILIES}
