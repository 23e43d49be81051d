"""Estimators on curves: intervals, growth laws, scaling laws, survival, importance."""

from analysis.stats import exclusion, growth, importance, intervals, law_set, noise, outlook, size_ladders, survival
from analysis.stats.bootstrap import hierarchical
from analysis.stats.curves import (
    Curves,
    block_of,
    by_policy,
    curves_of,
    first,
    known_to_diverge,
    last,
    late_excess,
    places,
    ratio,
    slope,
    whole_block,
)
from analysis.stats.growth import LAWS, MINIMUM, Fit, fit
from analysis.stats.intervals import Interval, detectable, power_of, runs_needed, t_interval
from analysis.stats.multiplicity import holm
from analysis.stats.scaling import SIZES
from analysis.stats.size_ladders import laws
from analysis.stats.survival import EVENTS, restricted_mean, times

__all__ = [
    "EVENTS",
    "LAWS",
    "MINIMUM",
    "SIZES",
    "Curves",
    "Fit",
    "Interval",
    "block_of",
    "by_policy",
    "curves_of",
    "detectable",
    "exclusion",
    "first",
    "fit",
    "growth",
    "hierarchical",
    "holm",
    "importance",
    "intervals",
    "known_to_diverge",
    "last",
    "late_excess",
    "law_set",
    "laws",
    "noise",
    "outlook",
    "places",
    "power_of",
    "ratio",
    "restricted_mean",
    "runs_needed",
    "size_ladders",
    "slope",
    "survival",
    "t_interval",
    "times",
    "whole_block",
]
