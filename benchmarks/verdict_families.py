"""The product's own closed-form families, run and judged in studies of five recursions, beside their theory."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.data.replicates import values_of
from analysis.stats import exclusion
from analysis.verdicts.evidence import evidence_of
from analysis.verdicts.rules import BAD, GOOD, WORDS, Thresholds, judge
from trainables import Cell, run
from trainables.store import MemoryStore

Array = npt.NDArray[np.float64]
LINEAR: dict[str, Any] = {"kind": "linear", "dim": 10, "noise": 1.0}
SMALL: dict[str, Any] = {"kind": "linear", "dim": 5, "noise": 1.0}
GAUSSIAN: dict[str, Any] = {"kind": "gaussian", "dim": 1}
SEEDS = 5
GENERATIONS = (6, 10, 20)
CELLS: tuple[tuple[str, dict[str, Any], dict[str, Any], int, str, bool], ...] = (
    ("linear, dim 10", LINEAR, {"kind": "replace"}, 100, "test_loss", False),
    ("linear, dim 10", LINEAR, {"kind": "replace_multiple"}, 100, "test_loss", False),
    ("linear, dim 10", LINEAR, {"kind": "accumulate"}, 100, "test_loss", True),
    ("linear, dim 10", LINEAR, {"kind": "accumulate_subsample"}, 100, "test_loss", True),
    ("linear, dim 10", LINEAR, {"kind": "ratio_mix", "ratio": 0.8}, 100, "test_loss", True),
    ("linear, dim 5", SMALL, {"kind": "ratio_mix", "ratio": 0.9, "fresh": True}, 500, "test_loss", True),
    ("gaussian, dim 1", GAUSSIAN, {"kind": "replace"}, 100, "trace_ratio", False),
    ("gaussian, dim 1", GAUSSIAN, {"kind": "accumulate"}, 100, "trace_ratio", True),
)
"""Name, family, policy, rows, metric, and whether theory says that it is bounded."""


def rows(studies: int) -> list[str]:
    """A markdown table: words by family, policy and generations, and the share that theory contradicts."""
    lines = ["| family | policy | metric | G | wrong | words |", "|---|---|---|---|---|---|"]
    for name, family, policy, count, metric, bounded in CELLS:
        values = recursions(family, policy, count, metric, studies)
        for generations in GENERATIONS:
            words = _words(values[:, :, :generations])
            wrong = sum(words[word] for word in (BAD if bounded else GOOD)) / studies
            said = "; ".join(f"{word} {words[word] / studies:.2f}" for word in WORDS if words[word])
            label = ", ".join(str(value) for value in policy.values())
            lines.append(f"| {name} | {label} | {metric} | {generations} | {wrong:.3f} | {said} |")
    return lines


def recursions(family: dict[str, Any], policy: dict[str, Any], rows: int, metric: str, studies: int) -> Array:
    """Independent recursions as studies of `SEEDS`, [studies, seeds, generations], turned so that growth is for the
    worse; a variance by its logarithm, as the verdict has it."""
    data = {"family": family, "policy": policy, "rows": rows, "generations": max(GENERATIONS)}
    cell = Cell.model_validate(data | {"replicates": studies * SEEDS})
    store = MemoryStore()
    list(run(cell, store))
    held: Array = values_of(cell, cell.generations, store)[metric]
    turned = -np.log(held) if metric == "trace_ratio" else held
    return np.asarray(turned.reshape(studies, SEEDS, -1))


def _words(values: Array) -> Counter[str]:
    limits, found = Thresholds(), exclusion.exclude(values)
    return Counter(judge(evidence_of(one, found, i, limits), limits).word for i, one in enumerate(values))
