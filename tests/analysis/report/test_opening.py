"""What a report opens with: answers in plain words, the picture, the table, in that order and before all else."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from analysis.data.frame import arrange
from analysis.report import ReportContext, build_report, charts, style, tables
from analysis.report.opening import answers_of, facts_of, picture_of
from analysis.report.opening.answers import sentence, sure
from analysis.report.page import html
from analysis.verdicts import COLLAPSES, DIVERGED, LEVELS, RISES, SLOW, STABLE, UNDECIDED, Thresholds
from tests.support import simulated


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Two configurations of twenty generations, of which accumulation levels off, and one too short to tell."""
    rng = np.random.default_rng(0)
    long = simulated.noisy(rng, sizes=("dim 10", "dim 20"), noise=0.02)
    short = simulated.noisy(rng, sizes=("0.1M",), seeds=3, generations=4, noise=0.02)
    language = simulated.study({k: 5 + v for k, v in short.items()}, "language")
    return arrange(pd.concat([simulated.study(long), language], ignore_index=True))


@pytest.fixture(scope="module")
def built(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> str:
    made = datetime.date(2026, 2, 3)
    paths = build_report(frame, tmp_path_factory.mktemp("r"), "mine", description="what is asked", made=made)
    assert paths["report.html"].stat().st_size < 5_000_000
    return paths["report.html"].read_text(encoding="utf-8")


def entries(words: list[str], generations: int = 20, **more: object) -> pd.DataFrame:
    """Entries of an assessment with these words."""
    row = {
        "growth_relative": 0.07, "p_holm": 0.001, "runs": 5, "generations": generations, "margin": 0.02, "first": 2.0,
        "detectable": 0.1, "needed_runs": 0, "needed_generations": 0,
    }  # fmt: skip
    return pd.DataFrame([row | {"verdict": word} | more for word in words])


def test_the_first_screen_answers_shows_and_tabulates(built: str) -> None:
    body = built[built.index("<body>") :]
    places = [
        body.index(part) for part in ("<h1>mine", "what is asked", 'id="answer"', 'id="overview"', 'id="verdicts"')
    ]
    assert places == sorted(places)
    assert body.index("<details") > body.index('id="overview"'), "nothing before the picture is folded"
    first = re.sub(r"<[^>]+>", " ", body[: body.index('id="claims"')])
    assert "Replacing raised held-out loss in 3 of 3 configurations, by" in first
    assert "shown to be without bound in 2, too short to tell where it leads in 1" in first
    assert "Accumulating raised held-out loss in 3 of 3 configurations" in first
    assert "shown to level off in 2" in first
    assert "How sure: 95% intervals over 3 to 5 independent recursions" in first
    assert "▲ collapses" in first


def test_all_but_answers_picture_and_table_is_folded(built: str) -> None:
    folded = re.findall(r'<details class="part"><summary><h2>[^<]+</h2></summary><div id="([^"]+)"', built)
    assert {"claims", "pairs", "growth", "curves", "definitions"} <= set(folded)
    assert not {"overview", "verdicts"} & set(folded)
    linked = re.findall(r'<a href="#([^"]+)"', built)
    assert linked == folded


def test_the_head_says_what_how_much_when_and_by_what(frame: pd.DataFrame, built: str) -> None:
    study = ReportContext(frame, "mine", description="what is asked", made=datetime.date(2026, 2, 3))
    facts = facts_of(study)
    said = dict(facts.terms)
    assert facts.description == "what is asked"
    assert said["Size"].startswith("3 configurations × 2 policies × 3 to 5 seeds: 26 cells")
    assert said["Generations"] == "language: 4; linear: 20"
    assert said["Rows of real data"] == "100"
    assert said["Made"].startswith("3 February 2026 by collapse-sweep")
    assert "3 February 2026" in built


def test_the_head_says_why_cells_failed(frame: pd.DataFrame) -> None:
    first, second = frame["cell"].unique()[:2]
    failed = frame.assign(reason="", status="done")
    failed.loc[failed["cell"] == first, ["status", "reason"]] = ["failed", "the loss is nan"]
    (said,) = facts_of(ReportContext(failed, "x")).warnings
    assert said == "1 cell failed: the loss is nan; earlier generations are included."
    failed.loc[failed["cell"] == second, ["status", "reason"]] = ["failed", "MemoryError"]
    (said,) = facts_of(ReportContext(failed, "x")).warnings
    assert said.startswith("2 cells failed: ")
    assert "MemoryError (1)" in said


def test_the_picture_shows_every_configuration_with_units(frame: pd.DataFrame, built: str) -> None:
    picture = picture_of(ReportContext(frame, "mine"))
    assert picture is not None
    assert [panel.title for panel in picture.chart] == ["language · 0.1M", "linear · dim 10", "linear · dim 20"]
    assert [panel.y for panel in picture.chart] == ["nats per token", "squared Σ-norm", "squared Σ-norm"]
    shown = built[built.index('id="overview"') : built.index('id="verdicts"')]
    assert ">nats per token<" in shown
    assert ">squared Σ-norm<" in shown
    assert ">generation<" in shown


def test_what_is_said_beside_the_pointer_is_what_was_measured(frame: pd.DataFrame) -> None:
    picture = picture_of(ReportContext(frame, "mine"))
    assert picture is not None
    panel = json.loads(charts.dump(picture.chart, ["replace", "accumulate"]))["panels"][0]
    last = frame[(frame["family"] == "language") & (frame["policy"] == "replace") & (frame["generation"] == 4)]
    said = panel["data"]["said"]
    said = said[f"said{panel['lines'].index(['replace'])}"][said["x"].index(4)]
    assert float(said.split(" ")[0]) == pytest.approx(last["test_loss"].mean(), rel=0.01)
    low, high = (float(v) for v in re.findall(r"[\d.]+", said.partition("[")[2]))
    assert low < last["test_loss"].mean() < high


def test_of_many_configurations_each_is_a_line_of_its_policy() -> None:
    rng = np.random.default_rng(0)
    sizes = tuple(f"dim {d}" for d in range(10, 25))
    study = ReportContext(simulated.study(simulated.noisy(rng, sizes=sizes, seeds=2, generations=3)), "many")
    picture = picture_of(study)
    assert picture is not None
    assert [panel.title for panel in picture.chart] == ["linear · replace", "linear · accumulate"]
    assert [panel.each["name"].nunique() for panel in picture.chart if panel.each is not None] == [15, 15]
    assert picture.data["configuration"].nunique() == 15
    with style.figure("x", picture.width, picture.height) as figure:
        picture.paint(figure)
        lines = [c for axes in figure.axes for c in axes.collections if isinstance(c, LineCollection)]
    assert [len(c.get_segments()) for c in lines] == [15, 15]


def test_no_word_is_told_as_another() -> None:
    limits = Thresholds()
    assert sentence("accumulate", entries([STABLE] * 6), limits) == (
        "Accumulating kept held-out loss from growing in 6 of 6 configurations."
    )
    assert sentence("replace", entries([COLLAPSES] * 2 + [DIVERGED]), limits) == (
        "Replacing raised held-out loss in 3 of 3 configurations, by 7 % of the first loss a generation: "
        "went to infinity or to no number in 1, shown to be without bound in 2."
    )
    mixed = sentence("mine", entries([STABLE, LEVELS, SLOW, UNDECIDED]), limits)
    assert mixed.startswith(
        "The policy mine kept held-out loss from growing in 1 of 4 configurations; raised it in 2 of 4"
    )
    assert "shown to level off in 1, by less than the margin in 1" in mixed
    assert "in 1 of 4 configurations growth is neither shown nor excluded" in mixed
    assert "neither raised" in sentence("replace", entries([UNDECIDED]), limits)


def test_runs_that_were_only_too_short_say_what_would_tell() -> None:
    limits = Thresholds()
    short = sentence("replace", entries([RISES] * 4, generations=4), limits)
    assert "too short to tell where it leads in 4 (it takes at least 2 more generations)" in short
    known = sentence("replace", entries([RISES], needed_generations=30, needed_runs=12), limits)
    assert "not clear yet whether it levels off in 1 (about 30 generations or 12 recursions would tell)" in known
    assert "far more" in sentence("replace", entries([RISES]), limits)


def test_how_sure_it_is_rests_on_the_table() -> None:
    limits = Thresholds()
    assert "growth is above 0 in 1 of 1 even with all entries" in sure(entries([COLLAPSES]), limits)
    assert "growth is above 0 in 0 of 1" in sure(entries([RISES], p_holm=0.2), limits)
    assert "any rise over the whole run is below 1 % of the first loss" in sure(entries([STABLE]), limits)
    assert "growth of 5 % of the first loss a generation would have been seen" in sure(entries([UNDECIDED]), limits)
    assert "growth is above 0" not in sure(entries([DIVERGED]), limits), "it has none"
    few = entries([UNDECIDED], runs=2)
    assert "nothing is decided below 3" in sure(few, limits)
    assert "would have been seen" not in sure(few, limits)
    assert "can't be judged yet: in 1 of 1 configuration 3 recursions are not done yet" in sentence("mine", few, limits)


def test_why_names_what_is_left_of_the_real_data() -> None:
    values = simulated.noisy(np.random.default_rng(0), seeds=3, generations=6)
    frame = simulated.study(values)
    replaced = frame["policy"] == "replace"
    n = frame["generation"]
    rows = frame.assign(
        corpus_rows=np.where(replaced, 100.0, 100.0 * n), real_fraction=np.where(replaced, (n == 1) * 1.0, 1 / n)
    )
    why = {answer.policy: answer.why for answer in answers_of(ReportContext(rows, "x"))}
    assert why["replace"] == "Why: its last corpora held no real row and were no larger than the first."
    assert why["accumulate"] == "Why: its last corpora held every real row and were 6 times as large as the first."
    strip = next(a.strip for a in answers_of(ReportContext(rows, "x")) if a.policy == "accumulate")
    assert strip is not None
    assert strip.most == 600
    assert [round(bar.real * strip.most) for bar in strip.bars] == [100] * 6
    unknown = answers_of(ReportContext(frame.assign(corpus_rows=np.nan), "x"))
    assert [(a.why, a.strip) for a in unknown] == [("", None)] * 2


def test_many_answers_leave_the_picture_near_the_top(frame: pd.DataFrame) -> None:
    study = ReportContext(frame, "x")
    few, facts = answers_of(study), facts_of(study)
    assert "Why, and how sure" not in html.page("x", facts, [], {}, "", few)
    page = html.page("x", facts, [], {}, "", few * 3)
    assert page.count("<summary>Why, and how sure</summary>") == 6


def test_a_frame_of_one_generation_opens_with_what_there_is(tmp_path: Path) -> None:
    values = simulated.noisy(np.random.default_rng(0), seeds=2, generations=1)
    page = build_report(simulated.study(values), tmp_path, "one")["report.html"].read_text(encoding="utf-8")
    assert "<h1>one</h1>" in page


def test_the_page_runs_its_own_scripts_without_eval_and_asks_for_nothing(built: str) -> None:
    policy = re.findall(r'content="(default-src [^"]+)"', built.replace("&#39;", "'"))
    assert len(policy) == 1
    assert policy[0].startswith("default-src 'none'")
    assert "unsafe-eval" not in policy[0]
    assert "ast: true" in html.text_of("page.js"), "Vega's expressions are interpreted"
    assert not re.search(r"""(?:fetch|XMLHttpRequest|import\(|WebSocket|https?://)""", html.text_of("page.js"))
    marked = re.sub(r"<script[^>]*>.*?</script>", "", built, flags=re.DOTALL)
    assert not re.search(r'(?:src|href|action)="(?!#|data:)', marked.replace("xlink:href", "href"))


def test_the_script_says_what_is_shown_and_sorts_numbers_as_numbers() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js")
    driver = """
    const part = { hidden: false, closest: () => null };
    const page = { querySelectorAll: () => [], getElementById: () => part, createElement: () => ({}),
                   body: { appendChild: (made) => made } };
    const names = "return { told, rows, compare, key };";
    const code = require("fs").readFileSync(0, "utf8") + names;
    const own = new Function("document", "addEventListener", "location", code)(page, () => {}, { hash: "" });
    const cell = (text, value) => ({ cells: [{ textContent: text, dataset: value ? { value } : {} }] });
    const texts = ["−0.5 [−1, 0]", "10", "2", "1,200", "< 0.0001", "word 10", "word 9", ""];
    const sorted = texts.map((t) => own.key(cell(t), 0)).sort(own.compare);
    const clean = (text) => String(text).replace(/</g, "&lt;");
    const said = own.told({ lines: [["replace", "one"], ["<b>"], ["late"]] }, "generation");
    console.log(JSON.stringify([sorted, own.key(cell("▲ collapses", "0.25"), 0),
                                said({ x: 3, said0: "5 [4, 6]", said1: "7", said2: null }, clean),
                                own.rows({ x: [1, 2], y: [3, null] })]));
    """
    done = subprocess.run([node, "-e", driver], input=html.text_of("page.js"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ordered, value, said, rows = json.loads(done.stdout)
    assert ordered == [-0.5, 0.0001, 2, 10, 1200, "", "word 9", "word 10"]
    assert value == 0.25
    assert said == "<b>generation 3</b><div>replace, one: 5 [4, 6]</div><div>&lt;b>: 7</div>"
    assert rows == [{"x": 1, "y": 3}, {"x": 2, "y": None}]


def test_the_narrow_table_fits_a_column_of_a_paper(frame: pd.DataFrame) -> None:
    table = tables.narrow(ReportContext(frame, "x").assessment)
    assert list(table.columns) == ["configuration", "policy", "growth", "verdict"]
    assert list(table["policy"][:2]) == ["replace", "accumulate"]
    cells = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    widths = tables.shares(cells)
    assert sum(widths) < 1
    for width, column in zip(widths, zip(*cells, strict=True), strict=True):
        longest = max(len(word) for cell in column for word in re.split(r"[\s_,=]+", cell))
        assert longest <= width * tables.LINE
    assert r"\linewidth" in tables.latex(table)


def test_every_symbol_of_the_analysis_survives_latex() -> None:
    import analysis

    source = "".join(p.read_text(encoding="utf-8") for p in Path(analysis.__file__).parent.rglob("*.py"))
    symbols = {c for c in source if not c.isascii() and not unicodedata.combining(c)}
    assert len(symbols) > 20
    lost = {c for c in symbols if r"\raggedright \tabularnewline" in tables.latex(pd.DataFrame({"x": [c]}))}
    assert lost == set()
