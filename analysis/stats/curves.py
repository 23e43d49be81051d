"""Curves: one metric of many recursions as a matrix over generations, and the contrasts taken of a curve.

A row is one independent recursion: a cell, or one replicate of a cell whose replicates are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.data import FAILED, IDENTITY, is_parameter

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
HUGE = 1e100
"""From here on a magnitude counts as infinite: variances take squares, which overflow beyond 1e154."""
LEAST, UNBROKEN = 3, 0.75
"""Recursions, and share of the values, that a block without gaps keeps to be preferred to one without a generation."""
_PER_GENERATION = ("generation", "test_loss", "corpus_rows", "real_fraction")


@dataclass(frozen=True)
class Curves:
    """A metric over generations.

    Attributes:
        metric: its name.
        runs: one row per recursion: study, cell, family, config, policy, seed, replicate, hyperparameters; `heavy`
            where the family says (metric `infinite_mean`) that its mean over recursions is infinite, `diverged` where
            its loss went to infinity (`HUGE`) or to no number, or the cell failed for good; `diverged_at`, the first
            generation of that, NaN where there is none or it is not known; `separated`, the share of its recursions
            whose last labels are fitted perfectly (metric `separated`).
        generations: [generations], ascending.
        values: [runs, generations], NaN where a recursion has no value.
        errors: like `values`, standard error of a mean over replicates; NaN where a row is one recursion.
        theory: like `values`, the closed form; NaN where there is none.
    """

    metric: str
    runs: pd.DataFrame
    generations: npt.NDArray[np.int64]
    values: Array
    errors: Array
    theory: Array

    def select(self, mask: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Curves:
        """Some of the runs, by a mask or by positions."""
        import pandas as pd

        runs = self.runs.take(np.flatnonzero(mask) if mask.dtype == bool else mask)
        runs.index = pd.RangeIndex(len(runs))
        return Curves(
            self.metric,
            runs,
            self.generations,
            self.values[mask],
            self.errors[mask],
            self.theory[mask],
        )

    @cached_property
    def groups(self) -> list[tuple[tuple[str, str], Curves]]:
        """See `by_policy`."""
        joined = replace(self, runs=self.runs.copy())  # columns of a kind lie in one block, taken from at once
        return [(key, joined.select(held)) for key, held in places(self)]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Generations with a value, [runs]."""
        return np.asarray(np.isfinite(self.values).sum(axis=1), dtype=np.int64)

    @property
    def reaches(self) -> npt.NDArray[np.int64]:
        """Generations up to the last one with a value, [runs]; one that is missing before does not end a recursion."""
        known = np.isfinite(self.values)
        return np.where(known.any(axis=1), known.shape[1] - known[:, ::-1].argmax(axis=1), 0)


def curves_of(frame: pd.DataFrame, metric: str = "test_loss", replicates: Mapping[str, Array] | None = None) -> Curves:
    """The curves of a tidy frame. A cell that several studies share counts once.

    Args:
        frame: as `analysis.load` gives it.
        metric: column to take.
        replicates: by cell key, every replicate's values, [replicates, generations from 1 on]; such a cell becomes
            that many rows.

    Raises:
        ValueError: the frame has no such column.
    """
    import pandas as pd

    if metric not in frame:
        raise ValueError(f"metric: no column {metric!r} in the frame")
    once = frame.drop_duplicates(["cell", "generation"])
    once = once[once.groupby("cell")[metric].transform("count") > 0]
    runs = once.drop_duplicates("cell")
    runs = runs[[c for c in runs.columns if _constant(c)]].reset_index(drop=True)
    row = pd.Index(runs["cell"]).get_indexer(pd.Index(once["cell"]))
    generations = np.unique(once["generation"].to_numpy(dtype=np.int64))
    column = np.searchsorted(generations, once["generation"].to_numpy())
    taken = [_matrix(once, c, row, column, (len(runs), len(generations))) for c in _columns(metric)]
    heavy = set(once.loc[once["infinite_mean"] > 0, "cell"]) if "infinite_mean" in once else set()
    gone = _diverged(once, metric)
    runs = runs.assign(
        replicate=0,
        heavy=runs["cell"].isin(list(heavy)),
        separated=_separated(once, runs["cell"]),
        diverged=runs["cell"].isin(gone.index) | (runs["status"] == FAILED),
        diverged_at=runs["cell"].map(gone).astype(float),
    )
    result = Curves(metric, runs, generations, *taken)
    return _expand(result, replicates) if replicates else result


def _separated(once: pd.DataFrame, cells: pd.Series[str]) -> Array:
    """Share of each cell's recursions that are separated at its last generation."""
    if "separated" not in once:
        return np.zeros(len(cells))
    found = once.sort_values("generation").groupby("cell")["separated"].last()
    return cells.map(found).fillna(0.0).to_numpy(dtype=float)


def known_to_diverge(runs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which of `Curves.runs` diverged for certain: of recursions side by side in a cell that failed, which it does with
    the first of them, one."""
    gone = runs["diverged"].to_numpy(dtype=bool)
    if not gone.any():  # as in most of thousands of calls
        return gone
    beside = (runs["status"] == FAILED) & (runs["replicate"] > 0)
    return gone & ~beside.to_numpy(dtype=bool)


def by_policy(whole: Curves) -> list[tuple[tuple[str, str], Curves]]:
    """The curves of each (configuration, policy)."""
    return whole.groups


def places(whole: Curves) -> list[tuple[tuple[str, str], npt.NDArray[np.int64]]]:
    """Rows of each (configuration, policy)."""
    found = whole.runs.groupby(["config", "policy"], sort=True).indices
    return [((str(key[0]), str(key[1])), np.asarray(held)) for key, held in _items(found)]


def slope(values: Array, generations: npt.NDArray[Any]) -> Array:
    """Least-squares slope per generation of each curve, [runs]; NaN with fewer than two values.

    It is taken of changes since the first value, so that a curve of equal values has slope 0, however high it lies.
    """
    held = np.isfinite(values)
    count = held.sum(axis=1)
    n = np.where(held, generations, 0.0)
    y = np.where(held, values - first(values)[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.where(held, generations - (n.sum(axis=1) / count)[:, None], 0.0)
        found = (centred * y).sum(axis=1) / (centred**2).sum(axis=1)
    return np.where(count >= 2, found, np.nan)


def first(values: Array) -> Array:
    """Value of each curve at its first generation, [runs]."""
    found: Array = values[np.arange(len(values)), np.isfinite(values).argmax(axis=1)]
    return found


def last(values: Array) -> Array:
    """Value of each curve at its last generation, [runs]."""
    back = np.isfinite(values)[:, ::-1].argmax(axis=1)
    found: Array = values[np.arange(len(values)), values.shape[1] - 1 - back]
    return found


def ratio(values: Array) -> Array:
    """Last over first value, [runs]; NaN where the first is not positive."""
    start = first(values)
    return np.where(start > 0, last(values) / np.where(start > 0, start, 1.0), np.nan)


def late_excess(values: Array, share: float) -> Array:
    """Rise over the second half of the generations (by its slope), less `share` of the whole rise, [runs].

    Negative for a curve that has levelled off: one that follows Σ1/i² makes 8 % of its rise in the second half of
    20 generations, one that follows ln n 23 %, a straight one 53 %. NaN with fewer than four generations.
    """
    generations = values.shape[1]
    if generations < 4:
        return np.full(len(values), np.nan)
    middle = generations // 2 - 1
    late: Array = slope(values[:, middle:], np.arange(middle, generations)) * (generations - 1 - middle)
    return late - share * (values[:, -1] - values[:, 0])


def whole_block(values: Array) -> Array:
    """The values of `block_of`, all finite."""
    return values[np.ix_(*block_of(values))]


def block_of(values: Array) -> tuple[Mask, Mask]:
    """Recursions and first generations, as masks, whose block holds most values; a few recursions that went further
    than the others cost no more than what they have beyond these.

    A recursion that lacks a generation which others have counts up to there: without that generation all curves would
    jump at it. Where so much would be lost, it is left out of all.
    """
    known = np.isfinite(values)
    held = known[:, known.any(axis=0)]
    reaches = np.where(held.all(axis=1), held.shape[1], held.argmin(axis=1))
    unbroken, most = _most(known, reaches), _most(known, known.sum(axis=1))
    size, other = (int(runs.sum() * generations.sum()) for runs, generations in (unbroken, most))
    enough = unbroken[0].sum() >= min(LEAST, most[0].sum()) and size >= UNBROKEN * other
    return unbroken if enough else most


def _most(known: Mask, lengths: npt.NDArray[np.int64]) -> tuple[Mask, Mask]:
    reaches = np.unique(lengths)
    held = [(lengths >= reach).sum() * reach for reach in reaches]
    reach = reaches[::-1][int(np.argmax(held[::-1]))]  # of equal blocks the longest
    runs = lengths >= reach
    return runs, known[runs].all(axis=0)


def _items(places: Any) -> list[tuple[Any, Any]]:
    """Groups of several keys; pandas' types know groups of one key only."""
    return list(places.items())


def _diverged(frame: pd.DataFrame, metric: str) -> pd.Series[int]:
    """By cell, the first generation at which metric or loss was infinite, or from which on the loss was no number."""
    infinite = (np.abs(frame[[metric, "test_loss"]].to_numpy(dtype=float)) >= HUGE).any(axis=1)
    loss = frame["test_loss"].where(np.isfinite(frame["test_loss"]))
    ended = frame["generation"].where(loss.notna()).groupby(frame["cell"]).transform("max")
    lost = loss.isna() & ~(frame["generation"] < ended)
    first_lost: pd.Series[int] = frame[infinite | lost].groupby("cell")["generation"].min()
    return first_lost


def _columns(metric: str) -> tuple[str, str, str]:
    return metric, f"{metric}_se", f"theory_{metric}"


def _constant(column: str) -> bool:
    """Whether a column says what a cell is, rather than how a generation did."""
    if column in IDENTITY:
        return column not in _PER_GENERATION
    return column in ("reason", "cell_config", "parameters") or is_parameter(column)


def _matrix(frame: pd.DataFrame, column: str, row: Index, place: Index, shape: tuple[int, int]) -> Array:
    matrix = np.full(shape, np.nan)
    if column in frame:
        values = frame[column].to_numpy(dtype=float)
        matrix[row, place] = _numbers(values)
    return matrix


def _numbers(values: Array) -> Array:
    """The values, NaN where they are infinite."""
    return np.where(np.abs(values) < HUGE, values, np.nan)


def _expand(held: Curves, replicates: Mapping[str, Array]) -> Curves:
    """Cells whose replicates are known, as that many rows."""
    values: list[Array] = []
    position: list[int] = []
    number: list[int] = []
    ends: list[Array] = []
    for i, (cell, end) in enumerate(zip(held.runs["cell"], held.runs["diverged_at"], strict=True)):
        block, at = held.values[i : i + 1], np.array([end])
        if cell in replicates:
            block = np.full((len(replicates[cell]), len(held.generations)), np.nan)
            wanted = held.generations <= replicates[cell].shape[1]
            block[:, wanted] = _numbers(replicates[cell][:, held.generations[wanted] - 1])
            lost = ~np.isfinite(block[:, wanted])  # behind them the cell has no generation
            at = np.where(lost.any(axis=1), held.generations[lost.argmax(axis=1)], end)
        values.append(block)
        position += [i] * len(block)
        number += range(len(block))
        ends.append(at)
    known = held.runs["cell"].isin(list(replicates)).to_numpy()[position]
    runs, diverged_at = held.runs.iloc[position].reset_index(drop=True), np.concatenate(ends)
    gone = runs["diverged"] | np.isfinite(diverged_at)
    return Curves(
        held.metric,
        runs.assign(replicate=number, diverged=gone, diverged_at=diverged_at),
        held.generations,
        np.concatenate(values),
        np.where(known[:, None], np.nan, held.errors[position]),
        held.theory[position],
    )
