"""Language models on a GPU: fits and samples in fixed shapes on tensors that stay there. The reference paths are
`fit.py` and `sampling/`; on any device both give the same, up to rounding.
"""

from trainables.families.language.gpu.grow import Growth, can_grow, can_grow_together, growth, growth_of
from trainables.families.language.gpu.keys_values import StaticKeyValues
from trainables.families.language.gpu.train import can_pack, fit_packed

__all__ = [
    "Growth",
    "StaticKeyValues",
    "can_grow",
    "can_grow_together",
    "can_pack",
    "fit_packed",
    "growth",
    "growth_of",
]
