"""What sampled rows begin with: tokens that are given, not drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainables.families.language.token_rows import Rows

if TYPE_CHECKING:
    from trainables.families.language.config import LanguageConfig


@dataclass(frozen=True)
class Prompts:
    """Given beginnings of rows.

    Attributes:
        tokens: [rows, longest], noise behind each row's own.
        lengths: tokens given of each row, [rows].
    """

    tokens: np.ndarray
    lengths: np.ndarray

    def part(self, rows: slice) -> Prompts:
        """Those of some rows."""
        return Prompts(self.tokens[rows], self.lengths[rows])

    @property
    def inside(self) -> np.ndarray:
        """Which tokens are given, [rows, longest]."""
        found: np.ndarray = np.arange(self.tokens.shape[1]) < self.lengths[:, None]
        return found


def prompts_of(config: LanguageConfig, real: Rows | None, rows: int) -> Prompts:
    """What each of `rows` rows begins with, as `config.prompts` wants it.

    Args:
        config: says which tokens.
        real: rows to take beginnings of, one a row; None where none are taken.
        rows: how many.

    A document never gives its EOS, which would leave nothing to say.
    """
    if real is None:
        return Prompts(np.zeros((rows, 1), dtype=np.int64), np.zeros(rows, dtype=np.int64))
    lengths = real.lengths if config.sequences == "fixed_length" else real.lengths - 1
    if config.prompts == "source":
        taken = real.given
    else:
        taken = np.minimum(lengths, 1 if config.prompts == "first_token" else config.prompt_tokens)
    longest = max(int(taken.max()), 1)
    place = np.minimum(real.starts[:-1, None] + np.arange(longest), len(real.tokens) - 1)
    return Prompts(real.tokens[place].astype(np.int64), taken)


def by_turns(prompts: Sequence[Prompts]) -> Prompts:
    """As many rows' of several models as one: row i of each, then row i + 1."""
    if len(prompts) == 1:
        return prompts[0]
    longest = max(one.tokens.shape[1] for one in prompts)
    padded = [np.pad(one.tokens, ((0, 0), (0, longest - one.tokens.shape[1]))) for one in prompts]
    tokens, lengths = np.stack(padded, axis=1), np.stack([one.lengths for one in prompts], axis=1)
    return Prompts(tokens.reshape(-1, longest), lengths.ravel())
