"""The Monte-Carlo table of verdicts: `python -m benchmarks verdicts`, 400 studies a cell, some 15 minutes of one core.

Every study goes through the product's own tests, rules and outlook; the table says how often a word was wrong, how
often it was found, and how often the outlook held the truth. Of thousands of cells the worst are partly the unluckiest:
those near a limit are judged once more, on ten times as many fresh studies.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.stats import exclusion, holm, outlook
from analysis.verdicts.evidence import evidence_of
from analysis.verdicts.rules import BAD, GOOD, WORDS, Thresholds, judge
from benchmarks import verdict_families, verdict_widths
from benchmarks.harness import Ratio
from benchmarks.verdict_truths import BOUNDED, DIVERGING, MIXED, Setting, curve, settings, simulate

Array = npt.NDArray[np.float64]
STUDIES = 400
WRONG = 0.05
COVERED = 0.90
HELD = 0.95
WIDE = 2.0
DEAR = 1.2
FRESH = 10
"""Times as many studies as in the table for cells near a limit, and no study twice."""
NEAR = 0.02
"""How near."""


@dataclass(frozen=True)
class Cell:
    """What was found in one cell.

    Attributes:
        setting: which.
        words: share of studies by word.
        covered: share whose outlook held the truth at twice the generations.
        width: median width of the outlook over the median width of the oracle's, which knows the law.
        least: expected width that every interval has which holds the truth in 95 % of studies under each law, over the
            same (`benchmarks.verdict_widths`).
        possible: the same at 90 %.
        price: `width` over what it is at least not to know the law: `least` of every law over that of the truth's own.
    """

    setting: Setting
    words: dict[str, float]
    covered: float
    width: float
    least: float
    possible: float
    price: float

    @property
    def wrong(self) -> float:
        """Share of words that are wrong: a collapse where there is a bound, a bound where there is none."""
        return sum(self.words.get(word, 0.0) for word in (BAD if self.setting.bounded else GOOD))


def measure(setting: Setting, studies: int, look: int = 0) -> Cell:
    """Simulate and judge one cell; a cell's numbers do not depend on which others are measured, another look's are
    fresh."""
    named = zlib.crc32(repr(setting).encode())
    values = simulate(setting, studies, np.random.default_rng([named, look] if look else named))
    found = exclusion.exclude(values)
    limits = Thresholds()
    words = Counter(judge(evidence_of(one, found, i, limits), limits).word for i, one in enumerate(values))
    ahead = outlook.outlook(values, found.noise, limits.confidence)
    truth = curve(setting.truth, setting.generations, 2)
    covered = np.mean((ahead.low <= truth[-1]) & (truth[-1] <= ahead.high))
    unit = float(np.median(oracle(values, setting, found)))
    width, least = float(np.median(ahead.high - ahead.low) / unit), verdict_widths.least(setting, HELD)
    return Cell(
        setting,
        {word: words[word] / studies for word in WORDS if words[word]},
        float(covered),
        width,
        least / unit,
        verdict_widths.least(setting, COVERED) / unit,
        width * verdict_widths.known(setting, HELD) / least,
    )


def oracle(values: Array, setting: Setting, found: exclusion.Exclusion) -> Array:
    """Widths of the interval of one who knows the law and the noise's model, [studies]."""
    generations, runs = setting.generations, setting.seeds
    truth = curve(setting.truth, generations, 2)
    design = np.stack([np.ones(2 * generations), truth], axis=1)
    if setting.truth == "flat":
        design = design[:, :1]
    if setting.truth == "oscillation":
        turn = 2 * np.pi * np.arange(2 * generations) / 5
        design = np.stack([np.ones(2 * generations), np.sin(turn), np.cos(turn)], axis=1)
    widths = np.empty(len(values))
    for model in np.unique(found.noise.model):
        rows = np.flatnonzero(found.noise.model == model)
        white = exclusion.noise.whitener(int(model), generations, levels=True)
        predict = design[-1] @ np.linalg.pinv(white @ design[:generations])
        spread = (values[rows] @ white.T @ predict).std(axis=1, ddof=1) / np.sqrt(runs)
        widths[rows] = 2 * stats.t.ppf(0.975, runs - 1) * spread
    return widths


def null_tables(tables: int, rows: int = 200, seeds: int = 5, generations: int = 10) -> float:
    """Share of tables of constant curves that hold any "collapses" after the correction."""
    rng, limits, hit = np.random.default_rng(0), Thresholds(), 0
    for _ in range(tables):
        values = 1 + 0.05 * rng.standard_normal((rows, seeds, generations))
        found = exclusion.exclude(values)
        held = [evidence_of(one, found, i, limits) for i, one in enumerate(values)]
        adjusted = holm([e.p_collapses for e in held])
        hit += any(judge(e, limits, p).word in BAD for e, p in zip(held, adjusted, strict=True))
    return hit / tables


def ratios(studies: int) -> list[str]:
    """Definitions 1, 4 and 7, ratios of means against a threshold: errors 10 % on either side of it."""
    from analysis.stats.intervals import ratio_interval

    rows = [
        "| definition | seeds | noise of a value | false met | false not met | undecided |",
        "|---|---|---|---|---|---|",
    ]
    for name, threshold in (("1", 2.0), ("4 and 7", 0.5)):
        for seeds in (3, 5, 20):
            for noise in (0.05, 0.2, 0.5):
                rng = np.random.default_rng(seeds)
                met, kept, open_ = 0, 0, 0
                for side in (0.9, 1.1):
                    for _ in range(studies):
                        first = rng.gamma(noise**-2, noise**2, seeds)
                        last = side * threshold * rng.gamma(noise**-2, noise**2, seeds)
                        found = ratio_interval(last, first)
                        beyond = found.low > threshold if name == "1" else found.high < threshold
                        within = found.high <= threshold if name == "1" else found.low >= threshold
                        truly = (side > 1) == (name == "1")
                        met += beyond and not truly
                        kept += within and truly
                        open_ += not beyond and not within
                shares = met / studies, kept / studies, open_ / studies / 2
                rows.append(f"| {name} | {seeds} | {noise:.0%} | " + " | ".join(f"{s:.3f}" for s in shares) + " |")
    return rows


def table(found: Iterable[Cell]) -> list[str]:
    """The cells by truth and generations: worst wrong share over seeds and noises, and what 5 seeds at 5 % find."""
    cells = list(found)
    head = "truth | G | wrong, worst | wrong, mean | 5 seeds, 5 %: words | covered, least | covered, mean"
    head += " | width | least width"
    rows = [f"| {head} |", "|---" * 9 + "|"]
    for truth in (*BOUNDED, *DIVERGING, *MIXED):
        for generations in sorted({c.setting.generations for c in cells}):
            own = [c for c in cells if (c.setting.truth, c.setting.generations) == (truth, generations)]
            usual = [c for c in own if (c.setting.seeds, c.setting.noise, c.setting.kind) == (5, 0.05, "independent")]
            if not own:
                continue
            words = "; ".join(f"{word} {share:.2f}" for c in usual for word, share in c.words.items())
            wrong, covered = [c.wrong for c in own], [c.covered for c in own]
            figures = [f"{max(wrong):.3f}", f"{np.mean(wrong):.3f}", words, f"{min(covered):.2f}"]
            figures += [f"{np.mean(covered):.2f}"]
            figures += [f"{np.median(widths):.1f}×" for widths in ([c.width for c in own], [c.least for c in own])]
            rows.append(f"| {truth} | {generations} | " + " | ".join(figures) + " |")
    return rows


def summary(found: Iterable[Cell]) -> list[str]:
    """How many cells miss what must be shown, and the worst of each kind; of truths of two terms apart."""
    every = list(found)
    cells = [c for c in every if c.setting.truth not in MIXED]
    lines = []
    for name, own in (
        ("bounded", [c for c in cells if c.setting.bounded]),
        ("diverging", [c for c in cells if not c.setting.bounded]),
        *((truth, [c for c in every if c.setting.truth == truth]) for truth in MIXED),
    ):
        wrong = sorted(own, key=lambda c: -c.wrong)
        over = [c for c in own if c.wrong > WRONG]
        lines.append(
            f"{name}: {len(over)} of {len(own)} cells have more than {WRONG:.0%} wrong words; the worst: "
            + ", ".join(f"{_named(c.setting)} {c.wrong:.3f}" for c in wrong[:5])
        )
    low = sorted(cells, key=lambda c: c.covered)
    lines.append(
        f"outlook: {sum(c.covered < COVERED for c in cells)} of {len(cells)} cells cover less than {COVERED:.0%}; "
        "the worst: " + ", ".join(f"{_named(c.setting)} {c.covered:.2f}" for c in low[:5])
    )
    wide = [c for c in cells if c.width > WIDE]
    dear = sorted((c for c in cells if c.price > DEAR), key=lambda c: -c.price)
    lines += [
        f"outlook: {len(wide)} of {len(cells)} cells are wider than {WIDE:g} times the oracle's; quartiles "
        + _quartiles([c.width for c in cells]),
        *(
            f"least width at a coverage of {share:.0%}: above {WIDE:g} times the oracle's in "
            f"{sum(found(c) > WIDE for c in cells)} cells, {sum(found(c) > WIDE for c in wide)} of these "
            f"{len(wide)}; quartiles {_quartiles([found(c) for c in cells])}"
            for share, found in ((HELD, attrgetter("least")), (COVERED, attrgetter("possible")))
        ),
        f"outlook over what not to know the law costs at least: above {DEAR:g} in {len(dear)} cells; quartiles "
        + _quartiles([c.price for c in cells])
        + "; the largest: "
        + ", ".join(f"{_named(c.setting)} {c.price:.2f}" for c in dear[:5]),
    ]
    return lines


def near(found: Iterable[Cell]) -> list[Cell]:
    """Cells whose share of wrong words or of outlooks that hold the truth is beyond a limit, or near one."""
    cells = [c for c in found if c.setting.truth not in MIXED]
    return [c for c in cells if c.wrong > WRONG - NEAR or c.covered < COVERED + NEAR]


def second_look(found: Iterable[Cell], studies: int) -> list[str]:
    """The same cells on fresh studies: how many are beyond a limit, how many clearly, and the worst."""
    cells = [measure(c.setting, studies, look=1) for c in found]
    lines = [f"once more, {studies} fresh studies in each of {len(cells)} cells near a limit:"]
    for what, share, limit in (
        ("wrong words", lambda c: c.wrong, WRONG),
        ("truths missed by the outlook", lambda c: 1 - c.covered, 1 - COVERED),
    ):
        beyond = [c for c in cells if share(c) > limit]
        clear = [c for c in beyond if share(c) > limit + 3 * np.sqrt(limit * (1 - limit) / studies)]
        worst = sorted(cells, key=share, reverse=True)[:5]
        lines.append(
            f"{what}: {len(beyond)} above {limit:.0%}, {len(clear)} by more than three standard errors; the worst: "
            + ", ".join(f"{_named(c.setting)} {share(c):.4f}" for c in worst)
        )
    return lines


def _quartiles(values: list[float]) -> str:
    return ", ".join(f"{q:.2f}" for q in np.quantile(values, (0.25, 0.5, 0.75)))


def _named(setting: Setting) -> str:
    return (
        f"{setting.truth} ({setting.generations} generations, {setting.seeds} seeds, {setting.noise:.0%} "
        f"{setting.kind})"
    )


def claims() -> list[Ratio]:
    """The whole table, printed; it compares nothing with a peer."""
    started = time.process_time()
    cells = [measure(setting, STUDIES) for setting in settings()]
    lines = [*table(cells), "", *summary(cells), "", *second_look(near(cells), FRESH * STUDIES), ""]
    lines += [f"200 constant rows: {null_tables(STUDIES):.3f} of {STUDIES} tables hold any “collapses”.", ""]
    lines += [
        *ratios(STUDIES),
        "",
        *verdict_families.rows(STUDIES),
        "",
        f"{time.process_time() - started:.0f} s of one core, {STUDIES} studies a cell.",
    ]
    print("\n".join(lines), flush=True)
    return []
