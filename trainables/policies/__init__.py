"""Data policies: one module each, named here. See `base.py` for the contract."""

from trainables.config import Registry
from trainables.policies.base import FRESH, Budget, Draw, PolicyConfig, Recipe, Sampling, Selection

POLICIES = Registry(
    "policy",
    {
        "replace": "trainables.policies.replace:Replace",
        "accumulate": "trainables.policies.accumulate:Accumulate",
        "accumulate_subsample": "trainables.policies.accumulate_subsample:AccumulateSubsample",
    },
)

__all__ = ["FRESH", "POLICIES", "Budget", "Draw", "PolicyConfig", "Recipe", "Sampling", "Selection"]
