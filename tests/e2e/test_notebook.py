"""The notebook of the docs runs as it stands, and says what its committed outputs say."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
PLACES = re.compile(r"/(?:home|root|tmp|work|Users|private|var|usr)/")


def outputs(notebook: Any) -> list[dict[str, str]]:
    """What each cell shows, by kind."""
    return [output["data"] for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]


def words(shown: list[dict[str, str]]) -> list[str]:
    return re.findall(r"[✕▲△■○] [a-z ]+", " ".join(data.get("text/html", "") for data in shown))


def figures(shown: dict[str, str]) -> list[float]:
    return [float(number) for number in re.findall(r"<td>([-.\d]+)</td>", shown["text/html"])]


@pytest.fixture(scope="module")
def written() -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(NOTEBOOK, as_version=4)


def test_its_outputs_name_no_machine_and_hold_no_error(written: Any) -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not PLACES.search(text)
    assert all(
        output["output_type"] == "execute_result" for cell in written.cells for output in cell.get("outputs", [])
    )
    assert len(words(outputs(written))) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the notebook's own machinery
def test_it_runs_and_shows_the_same_verdicts(written: Any) -> None:
    client = pytest.importorskip("nbclient")
    run = copy.deepcopy(written)
    client.NotebookClient(run, timeout=300, kernel_name="python3").execute()
    shown, before = outputs(run), outputs(written)
    assert len(shown) == len(before) == 3
    assert words(shown) == words(before)
    assert "<caption>Linear regression, 10 generations</caption>" in shown[1]["text/html"]
    assert re.search(r'<td style="color:#[0-9a-f]{6}">', shown[1]["text/html"])
    assert figures(shown[0]) == pytest.approx(figures(before[0]), abs=2e-3), "seeds decide every figure"
