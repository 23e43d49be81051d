"""What strangers write into names and samples is shown as text, never run: HTML, LaTeX, Markdown, terminal markup."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data import CellRun, Points, tidy
from analysis.report import build_report, tables
from analysis.report.opening import Facts
from analysis.report.page import html, vega
from analysis.report.sections import gallery
from trainables.config import canonical_json

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "</pre><svg/onload=alert(1)>",
    "]]></style><script>alert(1)</script>",
    "`<b>x</b>`",
    "$\\frac{x$ [red]x[/nope] \\input{/etc/passwd}",
)


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.inside = tag
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside != "script":
            self.texts.append(data)
        elif self.attributes[-1] == ("script", "type", "application/json"):
            json.loads(data)
        else:
            self.scripts.append(data)


def check(text: str) -> Page:
    """A page on which its own script and the charts' libraries run, and nothing else can."""
    page = Page(text)
    *libraries, script = page.scripts
    assert script == html.text_of("page.js"), "what strangers wrote is no part of it"
    assert libraries in ([], [vega.script()])
    assert not page.tags & {"iframe", "object", "embed", "form", "base", "foreignobject"}
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    links = [value for tag, name, value in page.attributes if name in ("href", "src", "xlink:href", "action")]
    assert all(value.startswith(("#", "data:image/", "data:,")) for value in links), links
    policies = [value for tag, name, value in page.attributes if tag == "meta" and name == "content"]
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in page.scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    assert any("default-src 'none'" in value and value.endswith(f"script-src {allowed}") for value in policies)
    assert not any("unsafe" in value.partition("script-src")[2] for value in policies)
    return page


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A study whose every word is hostile, as an MLflow server that others write to might hold it."""
    runs, points = [], Points()
    rng = np.random.default_rng(0)
    for kind, policy in enumerate(("replace", HOSTILE[1], HOSTILE[2])):
        for word in HOSTILE:
            for seed in range(3):
                family = {"kind": "language", "architecture": word, "size": word, "learning_rate": word}
                cell = {"family": family, "policy": {"kind": policy, "bias": word}, "seed": seed, "rows": 10}
                name = f"{policy}{word}{seed}"
                tags = {"study": SCRIPT, "cell": name, "family": "language", "policy": policy, "architecture": word}
                tags |= {"size": word, "seed": str(seed), "status": "failed", "reason": word}
                runs.append(CellRun(name, tags, canonical_json(cell)))
                for n in range(1, 8):
                    value = 1 + 0.1 * kind * n + 0.01 * rng.standard_normal()
                    points.add(name, "test_loss", n, value)
                    points.add(name, f"metric {SCRIPT}", n, value)
    return tidy(runs, points)


@pytest.fixture(scope="module")
def built(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_report(frame, tmp_path_factory.mktemp("report"), SCRIPT, command=f"collapse-sweep report '{SCRIPT}'")


@pytest.mark.slow
def test_a_report_on_hostile_names_runs_nothing(built: dict[str, Path]) -> None:
    page = check(built["report.html"].read_text(encoding="utf-8"))
    shown = " ".join(page.texts)
    assert SCRIPT in shown, "it is shown as text"
    assert all(word in shown for word in HOSTILE[:3])


@pytest.mark.slow
def test_tables_for_latex_hold_no_command_of_a_strangers(built: dict[str, Path]) -> None:
    for name, path in built.items():
        if name.endswith(".tex"):
            text = path.read_text(encoding="utf-8")
            assert "\\input" not in text
            assert "\\frac" not in text


@pytest.mark.parametrize("word", HOSTILE)
def test_samples_are_shown_as_text(word: str) -> None:
    markup = gallery._file("samples.txt", word.encode())
    page = Page(markup)
    assert page.tags == {"pre"}
    assert "".join(page.texts) == word
    assert Page(gallery._file(f"{word}.png", b"")).tags == {"img"}


@pytest.mark.parametrize("word", HOSTILE)
def test_title_facts_and_command_are_text(word: str) -> None:
    page = check(html.page(word, Facts(word, ((word, word),), (word,)), [], {}, word))
    assert " ".join(page.texts).count(word) >= 7


@pytest.mark.parametrize("word", HOSTILE)
def test_a_terminal_prints_names_as_they_are(word: str) -> None:
    from rich.console import Console

    table = pd.DataFrame({word: [word], f"[bold]{word}": ["x"]})
    console = Console(width=400, no_color=True)
    with console.capture() as capture:
        console.print(tables.rich_table(table))
    assert capture.get().count(word) == 3


def test_a_row_of_markdown_stays_one_row() -> None:
    text = tables.markdown(pd.DataFrame({"a": ["x\n| y |\n<script>"], "b": ["1"]}))
    assert len(text.splitlines()) == 3
