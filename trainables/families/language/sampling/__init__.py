"""Rows sampled or edited by a language model."""

from trainables.families.language.sampling.edit import edit_rows
from trainables.families.language.sampling.llama import ALIKE, LlamaDecoder
from trainables.families.language.sampling.sample import sample_rows

__all__ = [
    "ALIKE",
    "LlamaDecoder",
    "edit_rows",
    "sample_rows",
]
