"""Shapes by name, and how many parameters a shape comes to. Formulas only: no model is built here.

The paper's sizes are exact at 8,000 tokens of vocabulary (Gerstgrasser et al. 2024); the small ones are
nominal at 512.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from trainables.config import did_you_mean


@dataclass(frozen=True)
class Shape:
    """A transformer's dimensions.

    Attributes:
        width: of the residual stream.
        layers: number of blocks.
        heads: of attention.
        intermediate: width inside a feed-forward block.
        tied: whether embedding and output share weights.
        positions: length of the position table; None takes the context.
    """

    width: int
    layers: int
    heads: int
    intermediate: int
    tied: bool = True
    positions: int | None = None


GATED = frozenset({"gemma", "gemma2", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"})
"""Model types whose feed-forward blocks have three matrices in place of two."""

LEAN = frozenset({"gpt2", "llama", "qwen2", "qwen3"})
"""Architectures that have a decoder of their own here, unless overrides change what it reads."""

INNER = frozenset({"codegen", "gpt-sw3", "gpt2", "gpt_bigcode", "gptj"})
"""Architectures whose configs call the width inside a feed-forward block `n_inner`, and by default take 4 widths."""

FORMULAS = frozenset({"gpt2", "llama"})
"""Model types whose parameters are counted without building them."""

_SMALL = {
    "0.1M": (48, 3, 3),
    "0.4M": (96, 3, 3),
    "1M": (128, 5, 4),
    "2M": (192, 4, 6),
    "5M": (256, 6, 8),
}

_PAPER = {
    "9M": Shape(256, 8, 8, 1024, tied=True, positions=2048),
    "12M": Shape(256, 8, 8, 1024, tied=False, positions=2048),
    "42M": Shape(512, 8, 8, 2048, tied=False, positions=2048),
    "126M": Shape(768, 12, 12, 3072, tied=False, positions=2048),
}

SIZES = (*_SMALL, *_PAPER)
"""Names that `shape` knows, smallest first."""


_WORD = re.compile(r"(\d+(?:\.\d+)?)([kmb])")
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9}


def suggest_size(word: str) -> str:
    """The tail of a "no such size" message: the size that is nearest in parameters, and all of them."""
    if _count(word) is None:
        return did_you_mean(word, SIZES)
    near = min(SIZES, key=lambda name: abs(math.log((_count(name) or 1.0) / (_count(word) or 1.0))))
    return f"; the nearest is {near!r} (known: {', '.join(SIZES)})"


def _count(word: str) -> float | None:
    """Parameters that a name speaks of; None where it is none such."""
    found = _WORD.fullmatch(word.strip().lower())
    return float(found[1]) * _UNITS[found[2]] or None if found else None


def shape(size: str, architecture: str) -> Shape:
    """The shape that a name stands for; small gated models keep the parameters of ungated ones."""
    if size in _PAPER:
        return _PAPER[size]
    width, layers, heads = _SMALL[size]
    return Shape(width, layers, heads, feed_forward(architecture, width))


def feed_forward(architecture: str, width: int) -> int:
    """Four times the width, or its two thirds where there is a gate (Shazeer 2020, arXiv 2002.05202)."""
    return round(8 * width / 3 / 16) * 16 if architecture in GATED else 4 * width


def parameters(architecture: str, dims: Shape, vocabulary: int, positions: int) -> int | None:
    """Parameters of a model, or None for an architecture without a formula here."""
    width, inner = dims.width, dims.intermediate
    embeddings = vocabulary * width * (1 if dims.tied else 2)
    if architecture == "gpt2":
        block = 4 * width**2 + 2 * width * inner + 9 * width + inner
        return embeddings + positions * width + dims.layers * block + 2 * width
    if architecture == "llama":
        block = 4 * width**2 + 3 * width * inner + 2 * width
        return embeddings + dims.layers * block + width
    return None
