"""The report: complete, self-contained, small, and its tables say what was judged."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data.frame import arrange
from analysis.report import ReportContext, build_report, style, tables
from tests.support import browser, simulated


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Two families; theory for one."""
    rng = np.random.default_rng(0)
    linear = simulated.noisy(rng, ("replace", "accumulate", "accumulate_subsample"), ("dim 10", "dim 20"), noise=0.02)
    theory = {k: simulated.LAWS[k[1]](np.arange(1, 21)) for k in linear}
    language = simulated.noisy(rng, sizes=("0.1M <&>", "0.4M"), seeds=3, generations=4, noise=0.02)
    parts = [
        simulated.study(linear, metrics={"theory_test_loss": theory}),
        simulated.study({k: 5 + v for k, v in language.items()}, "language"),
    ]
    return arrange(pd.concat(parts, ignore_index=True))


@pytest.fixture(scope="module")
def built(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_report(frame, tmp_path_factory.mktemp("report"), "A <study> & more", command="collapse-sweep report x")


def test_every_file_is_there(built: dict[str, Path]) -> None:
    for name in ("robustness", "paired"):
        assert {f"{name}.{end}" for end in ("csv", "parquet", "md", "tex")} <= set(built)
    for name in ("curves-linear", "curves-language"):
        assert {f"{name}.{end}" for end in ("csv", "svg", "png")} <= set(built)
    assert all(path.stat().st_size > 0 for path in built.values())


def test_html_is_self_contained_and_well_formed(built: dict[str, Path]) -> None:
    text = built["report.html"].read_text(encoding="utf-8")
    assert built["report.html"].stat().st_size < 5_000_000
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, flags=re.DOTALL)
    held = re.findall(r'<script type="application/json">(.*?)</script>', text, flags=re.DOTALL)
    assert len(scripts) == len(held) + 2, "Vega's bundle and the page's own"
    assert len(held) >= 3
    assert not any("<" in text for text in held)
    marked = markup(text)
    assert not re.search(r'(?:src|href)="(?!#|data:)', marked.replace("xlink:href", "href"))
    assert "url(http" not in marked
    assert "A &lt;study&gt; &amp; more" in text
    assert "0.1M &lt;&amp;&gt;" in text
    assert "prefers-color-scheme:dark" in text
    assert 'name="viewport"' in text
    _Balanced().check(marked)


def markup(page: str) -> str:
    """The page without its scripts."""
    return re.sub(r"(<script[^>]*>).*?</script>", r"\1</script>", page, flags=re.DOTALL)


class _Balanced(HTMLParser):
    """Every element that needs an end has one, in order."""

    void = frozenset({"meta", "link", "br", "img", "path", "use", "input"})

    def check(self, text: str) -> None:
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag


def test_pictures_follow_the_theme(built: dict[str, Path]) -> None:
    text = built["report.html"].read_text(encoding="utf-8")
    pictures = re.findall(r"<svg.*?</svg>", markup(text), flags=re.DOTALL)
    assert len(pictures) >= 2
    for picture in pictures:
        assert 'role="img"' in picture
        assert not any(color in picture for color in (style.INK, *style.SERIES))


def test_the_same_frame_gives_the_same_report(frame: pd.DataFrame, built: dict[str, Path], tmp_path: Path) -> None:
    again = build_report(frame, tmp_path, "A <study> & more", command="collapse-sweep report x")
    for name in ("report.html", "robustness.csv", "curves-linear.svg", "robustness.tex"):
        assert again[name].read_bytes() == built[name].read_bytes(), name


def test_tables_say_what_was_judged(frame: pd.DataFrame, built: dict[str, Path]) -> None:
    held = pd.read_parquet(built["robustness.parquet"])
    pd.testing.assert_frame_equal(held, ReportContext(frame, "").assessment, check_dtype=False)
    text = built["robustness.md"].read_text(encoding="utf-8")
    assert text.count("\n") == 2 + 4
    assert "theory 1" in text
    shown = tables.render(tables.robustness(held), width=140)
    assert "▲ collapses" in shown or "collapses" in shown
    assert max(len(line) for line in shown.splitlines()) <= 140


def test_latex_escapes_and_compiles(built: dict[str, Path], tmp_path: Path) -> None:
    text = built["robustness.tex"].read_text(encoding="utf-8")
    assert text.isascii()
    assert r"accumulate\_\allowbreak{}subsample" in text
    assert r"$<$" in text or "0.1M <" in text
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("needs pdflatex (Debian package texlive-latex-base)")
    names = [n for n in built if n.endswith(".tex")]
    inputs = "\n\n".join(rf"\input{{{built[n]}}}" for n in names)
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{inputs}\end{{document}}"
    (tmp_path / "all.tex").write_text(document)
    done = subprocess.run(
        [latex, "-interaction=nonstopmode", "-halt-on-error", "all.tex"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_browser_shows_it_without_a_complaint(built: dict[str, Path], tmp_path: Path) -> None:
    command = browser.command()
    if command is None:
        pytest.skip("needs Chromium (Debian package chromium)")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--enable-logging=stderr"]
    done = subprocess.run(
        [command, *flags, "--v=0", "--dump-dom", built["report.html"].as_uri()], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Robustness table" in done.stdout
    assert re.search(r'<div id="controls">', done.stdout), "the page's own script ran"
    assert "CONSOLE" not in done.stderr, done.stderr[-2000:]


def test_charts_answer_the_pointer_and_choices_and_no_request_leaves(built: dict[str, Path], tmp_path: Path) -> None:
    command = browser.command()
    if command is None:
        pytest.skip("needs Chromium (Debian package chromium)")
    report = built["report.html"]
    drawn = "document.querySelectorAll('.panels .vega-embed svg').length"
    with browser.page(command, tmp_path) as page:
        page.open(report)
        page.wait(f"{drawn} === 4")
        assert page.evaluate("document.querySelector('#overview .plot').hidden"), "the chart took the picture's place"
        x, y, width, height = page.evaluate(
            "(({ x, y, width, height }) => [x, y, width, height])"
            "(document.querySelector('.panels svg').getBoundingClientRect())"
        )
        for share in (0.5, 0.98):
            page.move(x + share * width, y + 0.4 * height)
        page.wait("document.querySelector('#vg-tooltip-element.visible')?.textContent.includes('generation 4')")
        said = page.evaluate("document.getElementById('vg-tooltip-element').textContent")
        assert re.search(r"replace: 9\.\d+ \[8\.\d+, 9\.\d+\]accumulate: 6\.", said), said
        marks = "document.querySelectorAll('#overview .mark-symbol path').length"
        before = page.evaluate(marks)
        page.evaluate("document.querySelector('#policies input[value=replace]').click()")
        page.wait(f"{marks} < {before}")
        assert page.evaluate("document.querySelectorAll('th[data-policy=replace]:not(.off)').length") == 0
        page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
        page.wait(f"{drawn} === document.querySelectorAll('.panels > div').length && {drawn} > 4")
        assert page.asked == [report.as_uri()]
        assert page.said == []


def test_without_scripts_the_pictures_stand(built: dict[str, Path]) -> None:
    text = built["report.html"].read_text(encoding="utf-8")
    charts = re.findall(r'<figure class="chart"><div class="plot[^"]*">(.*?)</div>', text, flags=re.DOTALL)
    assert len(charts) >= 3
    assert all(re.match(r"<svg role=.img.", picture) for picture in charts)


def test_series_colors_have_contrast_in_both_themes() -> None:
    """WCAG's 3:1 for graphics and 4.5:1 for text, against the page's backgrounds."""
    for color in style.SERIES:
        assert _contrast(color, "#ffffff") >= 4.5
        assert _contrast(style.DARK[color], "#15181c") >= 4.5
    assert _contrast(style.INK, "#ffffff") >= 7
    assert _contrast(style.DARK[style.INK], "#15181c") >= 7


def _contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_an_empty_frame_is_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frame: no generation"):
        build_report(frame.iloc[:0], tmp_path, "x")


def test_losses_that_start_at_zero_get_a_report(frame: pd.DataFrame, tmp_path: Path) -> None:
    """Growth is no share of a first loss of 0: what needs one is left out, the rest is made."""
    first = frame.groupby("cell")["test_loss"].transform("first")
    paths = build_report(frame.assign(test_loss=frame["test_loss"] - first), tmp_path, "zero")
    assert 'id="claims"' in paths["report.html"].read_text(encoding="utf-8")


def test_intervals_are_printed_with_fitting_digits() -> None:
    assert tables.interval(0.123456, 0.1, 0.15) == "+0.123 [+0.100, +0.150]"
    assert tables.interval(-12.3456, -20.0, -5.0) == "−12 [−20, −5]"
    assert tables.interval(1e-7, 0.5e-7, 1.5e-7) == "+1.00e−07 [+5.00e−08, +1.50e−07]"
    assert tables.interval(0.5, float("nan"), float("nan")) == "0.5"
    assert tables.interval(2.5e90, -8e89, 1.3e91) == "+2.50e+90 [−8.00e+89, +1.30e+91]"
    assert tables.number(1234567.0) == "1.23e+06"


def test_only_coordinates_are_rounded_in_a_page_and_sizes_of_models_are_not() -> None:
    with style.figure("x") as made:
        made.subplots().set_title("vae · 0.0060M")
        page = style.inline(style.svg(made), "x")
    assert ">vae · 0.0060M<" in page
    assert not re.search(r' d="[^"]*\d\.\d{3}', page)
