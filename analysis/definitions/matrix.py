"""Every definition on every configuration and policy: findings, the policy × definition matrix, and sensitivity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.data import IDENTITY, is_parameter, order, require_direction
from analysis.definitions.base import MET, NOT_MET, UNDECIDED, UNSUPPORTED, Case, Definition
from analysis.definitions.registry import definitions
from analysis.stats import Curves, by_policy, curves_of, laws
from analysis.verdicts import Replicates, Thresholds
from trainables.families import SUMMARIES

if TYPE_CHECKING:
    import pandas as pd

WORDS = (MET, NOT_MET, UNDECIDED, UNSUPPORTED)


def cases(
    frame: pd.DataFrame, thresholds: Thresholds, replicates: Replicates | None = None, seed: int = 0
) -> list[Case]:
    """Every configuration under every policy, ready to be judged.

    Raises:
        ValueError: it is doubtful which way is for the worse, and nobody said.
    """
    require_direction(frame)
    found = []
    for family, part in frame.groupby("family", sort=True):
        held = dict(_curves(part, replicates or {}))
        scaling = _scaling(held["test_loss"], str(family), seed, thresholds.confidence)
        groups = {name: dict(by_policy(whole)) for name, whole in held.items()}
        for config, policy in groups["test_loss"]:
            own = {name: group[config, policy] for name, group in groups.items() if (config, policy) in group}
            ladder = scaling.get((config, policy), {})
            found.append(
                Case(str(family), config, policy, own, ladder, thresholds.confidence, thresholds.min_runs, seed)
            )
    return found


def findings(cases: Sequence[Case], chosen: Sequence[Definition] | None = None) -> pd.DataFrame:
    """One row per case and definition.

    Returns:
        Columns: family, config, policy, number, definition, word, estimate, low, high, boundary, threshold, runs,
        metric, reason (why it is not supported).
    """
    import pandas as pd

    rows = []
    for case in cases:
        for definition in chosen or definitions():
            found = definition.find(case)
            rows.append(
                {
                    "family": case.family,
                    "config": case.config,
                    "policy": case.policy,
                    "number": definition.number,
                    "definition": definition.name,
                    "word": found.word,
                    "estimate": found.measure.estimate,
                    "low": found.measure.low,
                    "high": found.measure.high,
                    "boundary": found.measure.boundary,
                    "threshold": found.threshold,
                    "runs": found.measure.runs,
                    "metric": found.measure.metric,
                    "reason": found.measure.unsupported,
                }
            )
    return pd.DataFrame(rows)


def definition_matrix(found: pd.DataFrame) -> pd.DataFrame:
    """Counts of words, one row per family, policy and definition, in the order of the literature."""
    counts = found.groupby(["family", "policy", "number", "definition", "threshold"])["word"].value_counts()
    table = (
        counts.unstack(fill_value=0).reindex(columns=list(WORDS), fill_value=0).reset_index().rename_axis(columns=None)
    )
    rank = {policy: i for i, policy in enumerate(order(found["policy"]))}
    return table.sort_values(["family", "policy", "number"], key=lambda c: c.map(rank) if c.name == "policy" else c)


def sensitivity(cases: Sequence[Case]) -> pd.DataFrame:
    """Share of the supported cases in which each definition is met, at each of its thresholds.

    Returns:
        Columns: number, definition, threshold, policy, supported, met, undecided (shares of the supported).
    """
    import pandas as pd

    rows = []
    for definition in definitions():
        for threshold in definition.grid:
            words = pd.DataFrame(
                [(case.policy, definition.find(case, threshold).word) for case in cases], columns=["policy", "word"]
            )
            words = words[words["word"] != UNSUPPORTED]
            for policy, own in words.groupby("policy", sort=True)["word"]:
                rows.append(
                    {
                        "number": definition.number,
                        "definition": definition.name,
                        "threshold": threshold,
                        "policy": policy,
                        "supported": len(own),
                        "met": float((own == MET).mean()),
                        "undecided": float((own == UNDECIDED).mean()),
                    }
                )
    return pd.DataFrame(rows)


def _curves(part: pd.DataFrame, replicates: Replicates) -> Iterator[tuple[str, Curves]]:
    """Curves of every recorded metric of a family; closed forms and spreads of replicates are no metrics."""
    for name in part.columns:
        apart = name.startswith(("theory_", "composition.", "seconds.")) or name.endswith(SUMMARIES)
        known = name in IDENTITY and name != "test_loss"
        if apart or known or is_parameter(name) or name in ("reason", "cell_config") or not part[name].notna().any():
            continue
        held = {cell: found[name] for cell, found in replicates.items() if name in found}
        yield name, curves_of(part, name, held)


def _scaling(loss: Curves, family: str, seed: int, confidence: float) -> dict[tuple[str, str], dict[str, float]]:
    """Figures of each configuration's ladder at its last generation, see `changed_scaling`."""
    table = laws(loss, family, seed, confidence)
    if table.empty:
        return {}
    found: dict[tuple[str, str], dict[str, float]] = {}
    for _, ladder in table.groupby("ladder", sort=False):
        start, end = ladder.iloc[0], ladder.iloc[-1]
        scale = np.abs([start["alpha"], start["floor"]])
        change = np.array([end["alpha_change"], end["floor_change"]]) / scale
        low = np.array([end["alpha_change_low"], end["floor_change_low"]]) / scale
        high = np.array([end["alpha_change_high"], end["floor_change_high"]]) / scale
        figures = {
            "estimate": float(np.abs(change).max()),
            "low": float(np.maximum(low, -high).max()),
            "high": float(np.maximum(-low, high).max()),
            "cells": float(end["cells"]),
        }
        found |= {(config, str(end["policy"])): figures for config in end["configs"].split()}
    return found
