"""CPU kernels of language models. Each has a plain reference beside it."""

from trainables.families.language.cpu import decode
from trainables.families.language.cpu.attention import attend
from trainables.families.language.cpu.decode import added, drawn
from trainables.families.language.cpu.forward import compute_dtype, hidden
from trainables.families.language.cpu.simd import LANES, exponents, ordered, unordered

__all__ = [
    "LANES",
    "added",
    "attend",
    "compute_dtype",
    "decode",
    "drawn",
    "exponents",
    "hidden",
    "ordered",
    "unordered",
]
