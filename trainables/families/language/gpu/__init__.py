"""Language models on a GPU: fits and samples in fixed shapes on tensors that stay there. The reference paths are
`fit.py` and `sampling/`; on any device both give the same, up to rounding.
"""

from trainables.families.language.gpu.grow import can_grow, growth
from trainables.families.language.gpu.train import can_pack, fit_packed

__all__ = [
    "can_grow",
    "can_pack",
    "fit_packed",
    "growth",
]
