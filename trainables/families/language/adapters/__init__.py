"""Low-rank adapters by `peft`: which layers have them, fitting them, merging them, writing them for others.

Loaded where a config asks for adapters, and only there: `peft` is an optional package.
"""

from trainables.families.language.adapters.files import write_adapters
from trainables.families.language.adapters.layers import adapter_parameters, check_adapters
from trainables.families.language.adapters.weights import adapted, adapter_weights, merged

__all__ = [
    "adapted",
    "adapter_parameters",
    "adapter_weights",
    "check_adapters",
    "merged",
    "write_adapters",
]
