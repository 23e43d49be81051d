"""Rows sampled or edited by a language model."""

from trainables.families.language.sampling.decoder import Cache, has_lean_decoder, lean_decoder
from trainables.families.language.sampling.edit import edit_rows
from trainables.families.language.sampling.llama import ALIKE, LlamaDecoder
from trainables.families.language.sampling.sample import (
    block_size,
    cut,
    first_above,
    inverse,
    sample_rows,
    sample_together,
    tempered,
)

__all__ = [
    "ALIKE",
    "Cache",
    "LlamaDecoder",
    "block_size",
    "cut",
    "edit_rows",
    "first_above",
    "has_lean_decoder",
    "inverse",
    "lean_decoder",
    "sample_rows",
    "sample_together",
    "tempered",
]
