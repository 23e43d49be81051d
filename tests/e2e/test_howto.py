"""Pages that show a study do what they say: their YAML is loaded, their commands are run, made small by overrides."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.support.commands import call

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAGES = Path(__file__).parents[2] / "docs" / "howto"
TEXT = ["rows=40", "family.width=16", "family.layers=1", "family.heads=2", "family.context=24", "family.vocabulary=300"]
TEXT += ["family.epochs=0.5", "family.sample_rows=4", "family.test_rows=16", "seed=0"]
SMALL = {
    "write-a-study.md": [*TEXT, "space.policy={grid: [{kind: replace}]}", "generations=2"],
    "tune-then-compare.md": [*TEXT, "generations=2", "tune_first.num_samples=2"],
    "fine-tune.md": [
        *TEXT,
        "generations=2",
        "space.policy={grid: [{kind: accumulate}]}",
        "family.checkpoint.pretrain.rows=60",
        "family.checkpoint.pretrain.epochs=1",
    ],
    "falsify-a-claim.md": ["search.num_samples=6", "replicates=5", "generations=8", "search.confirm.candidates=1"],
}
"""Page -> what makes its studies small; what a command of the page says itself comes last, and wins."""
SAYS = {
    "write-a-study.md": "temperature",
    "tune-then-compare.md": "Tuned first",
    "fine-tune.md": "accumulate",
    "falsify-a-claim.md": "Claim: replace diverges. Outcome:",
}
NAMED = ["rows=40", "replicates=2", "search.num_samples=2", "search.seeds=2", "generations=6"]


def blocks(page: str, kind: str) -> list[str]:
    """Fenced blocks of a page, by the word behind the fence."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return [body for word, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if word == kind]


def commands(page: str) -> list[list[str]]:
    """Its commands, with the overrides that make them small."""
    found = []
    for line in "".join(blocks(page, "")).splitlines():
        program, command, study, *own = shlex.split(line, comments=True)
        assert program == "collapse-sweep"
        small = SMALL[page] if study.endswith(".yaml") else NAMED
        alone = ["--cpus", "1"] if command == "run" else []  # a second worker loads everything once more
        found.append([command, study, *(part for text in small for part in ("-o", text)), *alone, *own])
    return found


@pytest.mark.parametrize("page", SMALL)
def test_a_page_does_what_it_says(page: str, tmp_path: Path) -> None:
    for text in blocks(page, "yaml"):
        name = re.search(r"^name: (\S+)$", text, re.MULTILINE)
        assert name
        (tmp_path / f"{name[1]}.yaml").write_text(text, encoding="utf-8")
    said = ""
    for command in commands(page):
        said += call(tmp_path, *command)[0]
    assert SAYS[page] in said
    assert list((tmp_path / "collapse-runs" / "reports").rglob("report.html"))


def test_every_yaml_is_a_study_as_it_stands(tmp_path: Path) -> None:
    from search_spaces import load_study

    for page in SMALL:
        for number, text in enumerate(blocks(page, "yaml")):
            path = tmp_path / f"{page}-{number}.yaml"
            path.write_text(text, encoding="utf-8")
            assert load_study(str(path)).blocks
