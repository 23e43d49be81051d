"""Data policies: one module each, named here in the order of tables and legends. See `base.py` for the contract."""

from trainables.config import Registry
from trainables.policies.base import FRESH, Budget, Color, Draw, PolicyConfig, Recipe, Sampling, Selection

POLICIES = Registry(
    "policy",
    {
        "replace": "trainables.policies.replace:Replace",
        "accumulate": "trainables.policies.accumulate:Accumulate",
        "accumulate_subsample": "trainables.policies.accumulate_subsample:AccumulateSubsample",
        "replace_multiple": "trainables.policies.replace_multiple:ReplaceMultiple",
        "sliding_window": "trainables.policies.sliding_window:SlidingWindow",
        "synthetic_augmentation": "trainables.policies.synthetic_augmentation:SyntheticAugmentation",
        "fresh_mix": "trainables.policies.fresh_mix:FreshMix",
        "weighted_fresh": "trainables.policies.weighted_fresh:WeightedFresh",
        "ratio_mix": "trainables.policies.ratio_mix:RatioMix",
        "decaying_real": "trainables.policies.decaying_real:DecayingReal",
        "verified": "trainables.policies.verified:Verified",
        "self_verified": "trainables.policies.self_verified:SelfVerified",
        "surprising": "trainables.policies.surprising:Surprising",
        "curated": "trainables.policies.curated:Curated",
        "detector_weighted": "trainables.policies.detector_weighted:DetectorWeighted",
        "token_edit": "trainables.policies.token_edit:TokenEdit",
        "self_corrected": "trainables.policies.self_corrected:SelfCorrected",
        "biased_sampling": "trainables.policies.biased_sampling:BiasedSampling",
        "compose": "trainables.policies.compose:Compose",
    },
)

__all__ = ["FRESH", "POLICIES", "Budget", "Color", "Draw", "PolicyConfig", "Recipe", "Sampling", "Selection"]
