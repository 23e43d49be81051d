"""Rows sampled on a device: one step of all rows is work on tensors that stay there, recorded once for so many rows and
so many places, and replayed.

Points of the cumulative distribution are those of the reference path (`sampling/sample.py`), drawn on the CPU from the
batch's own stream, row by row; so a row depends neither on the device nor on how many rows grow beside it, but for
rounding, and keys of batches stay what they are.

Letters in tensor names: R rows of a batch at most, B rows that still grow, T places, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainables.families.language.gpu.draw import drawn_by_blocks
from trainables.families.language.gpu.keys_values import StaticKeyValues
from trainables.families.language.sampling import cut, has_lean_decoder, inverse, lean_decoder, tempered
from trainables.runtime import Captured

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

SIZE = 32
"""Batches hold multiples of so many rows."""

LOOK_EVERY = 16
"""Places between two looks at which documents have ended: a look waits for the device."""

HELD = 0.5
"""Share of a device's free memory that keys and values may take."""

_kept: dict[str, Growth] = {}
"""The last make that was sampled in this process, its steps recorded."""


def can_grow(config: LanguageConfig, model: PreTrainedModel) -> bool:
    """Whether rows are sampled this way: on CUDA, by lean decoders, drawn or greedily."""
    return model.device.type == "cuda" and growable(config, model)


def growable(config: LanguageConfig, model: PreTrainedModel) -> bool:
    """Whether a model's rows can be: any that has a lean decoder; beams are searched otherwise."""
    return config.decoding != "beam" and has_lean_decoder(model)


def growth(config: LanguageConfig, model: PreTrainedModel, dtype: torch.dtype, rows: int) -> Growth:
    """Room for so many rows of this model side by side, or for as many as there is memory for.

    An earlier one of the same make takes the weights and keeps its recordings. Under `torch.inference_mode`.
    """
    fields = ("context", "sequences", "decoding", "top_k", "top_p", "bos", "eos")
    told = [str(getattr(config, name)) for name in fields]
    key = "|".join([model.config.to_json_string(), str(model.device), str(dtype), *told])
    found = _kept.get(key)
    wanted = fitting(config, model, rows)
    if found is None or found.rows < wanted:
        del found  # its cache, before the next one is made
        _kept.clear()
        _kept[key] = Growth(config, model, dtype, wanted)
    _kept[key].load(model)
    return _kept[key]


def fitting(config: LanguageConfig, model: PreTrainedModel, rows: int) -> int:
    """Rows of a batch: as many as are wanted, as the config allows on a GPU, and as free memory holds."""
    most = config.side_by_side("cuda")
    if model.device.type == "cuda":
        shape, free = config.shape, torch.cuda.mem_get_info(model.device)[0]
        row = 2 * shape.layers * shape.width * config.context * 4 + 12 * config.tokens
        most = min(most, max(int(HELD * free) // row, SIZE))
    return -(-min(rows, most) // SIZE) * SIZE


class Growth:
    """Rows of one make of model, in batches of at most `rows`.

    Args:
        config: decides lengths, cuts and what ends a row.
        model: of the shape of every model that will be sampled; copied.
        dtype: of the blocks' matrix products.
        rows: of a batch at most, a multiple of `SIZE`.
    """

    def __init__(self, config: LanguageConfig, model: PreTrainedModel, dtype: torch.dtype, rows: int) -> None:
        self.config, self.dtype, self.rows = config, dtype, rows
        self.decoder = _static(copy.deepcopy(model), config.context, dtype)
        self.cache: Any = self.decoder.cache
        self.device = model.device
        whole = (config.context, rows)
        self.points_TR = torch.zeros(whole, device=self.device)
        self.tokens_TR, self.given_TR = (torch.zeros(whole, dtype=torch.int64, device=self.device) for _ in range(2))
        self.inside_TR = torch.zeros(whole, dtype=torch.bool, device=self.device)
        self.alive_R, self.latest_R = (torch.zeros(rows, dtype=torch.int64, device=self.device) for _ in range(2))
        self.ended_R = torch.zeros(rows, dtype=torch.bool, device=self.device)
        self.place = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.scale, self.checks = (torch.zeros((), device=self.device) for _ in range(2))
        self._steps: dict[tuple[int, int], Captured] = {}

    def load(self, model: PreTrainedModel) -> None:
        """Go on with another model's weights."""
        fresh = _static(model, self.config.context, self.dtype)
        for mine, theirs in zip(self.decoder.tensors(), fresh.tensors(), strict=True):
            mine.copy_(theirs)

    def grown(
        self, points_BT: Tensor, temperature: float, given_BT: Tensor, inside_BT: Tensor
    ) -> tuple[np.ndarray, float]:
        """Tokens, [B, T], for at most `rows` rows of uniform points, and a sum that is finite if all logits were.

        What follows a document's EOS is noise.

        Args:
            points_BT: in [0, 1), on any device.
            temperature: of the distribution.
            given_BT: what rows begin with, at most T places.
            inside_BT: which of these are given.
        """
        rows = len(points_BT)
        self._begin(rows, temperature)
        self.points_TR[:, :rows].copy_(points_BT.T)
        self.given_TR[: given_BT.shape[1], :rows].copy_(given_BT.T)
        self.inside_TR[: inside_BT.shape[1], :rows].copy_(inside_BT.T)
        self._run(-(-rows // SIZE) * SIZE)
        return self.tokens_TR[:, :rows].T.clone().cpu().numpy(), float(self.checks)

    def _begin(self, rows: int, temperature: float) -> None:
        for held in (self.points_TR, self.inside_TR, self.place, self.checks):
            held.zero_()
        self.tokens_TR.fill_(self.config.eos)
        self.latest_R.fill_(self.config.bos)
        self.alive_R.copy_(torch.arange(self.rows, device=self.device))
        self.ended_R.copy_(self.alive_R >= rows)
        self.scale.fill_(1 / temperature)
        self.cache.begin(self.rows)

    def _run(self, rows: int) -> None:
        """All places. Rows that have ended leave when those that grow fit into half the batch."""
        self.cache.rows = rows
        for place in range(self.config.context):
            self.cache.look(place)
            self._step(rows)()
            if self.config.sequences == "documents" and (place + 1) % LOOK_EVERY == 0:
                ended_B = self.ended_R[self.alive_R[:rows]]
                growing = rows - int(ended_B.sum())
                if not growing:
                    break
                for smaller in _sizes(rows, growing):
                    rows = smaller
                    self._keep(ended_B.int().argsort(stable=True)[:rows])

    def _keep(self, index: Tensor) -> None:
        """Go on with the rows at `index`."""
        for held in (self.alive_R, self.latest_R):
            held[: len(index)] = held[index]
        self.cache.keep(index)

    def _step(self, rows: int) -> Captured:
        """The step of so many rows at places of the bucket in use."""
        name = (rows, self.cache.used)
        if name not in self._steps:
            self._steps[name] = Captured(self._once, self.device)
        return self._steps[name]

    def _once(self) -> None:
        """One token more for every row that grows."""
        rows = self.cache.rows
        alive_B = self.alive_R[:rows]
        logits_BV = self.decoder.step(self.latest_R[:rows], self.place)
        tokens_B, check = self._drawn(logits_BV, self._here(self.points_TR)[alive_B])
        inside_B = self._here(self.inside_TR)[alive_B]
        tokens_B = torch.where(inside_B, self._here(self.given_TR)[alive_B], tokens_B)
        self.tokens_TR.index_put_((self.place.expand(rows), alive_B), tokens_B)
        self.ended_R.index_put_((alive_B,), self.ended_R[alive_B] | (tokens_B == self.config.eos) & ~inside_B)
        self.latest_R[:rows].copy_(tokens_B)
        self.checks.add_(check)
        self.place.add_(1)

    def _drawn(self, logits_BV: Tensor, points_B: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens, and a sum that is finite if the logits were."""
        config = self.config
        if config.decoding == "greedy":
            best = logits_BV.max(dim=-1)
            return best.indices, best.values.sum()
        if config.top_p == 1.0 and not 0 < config.top_k < logits_BV.shape[-1]:
            return drawn_by_blocks(logits_BV.float(), points_B, self.scale)
        chances_BV = tempered(logits_BV * self.scale, 1.0)
        return inverse(cut(config, chances_BV), points_B), chances_BV[:, 0].sum()

    def _here(self, table: Tensor) -> Tensor:
        """This place's row of a table."""
        return table.index_select(0, self.place)[0]


def _static(model: PreTrainedModel, length: int, dtype: torch.dtype) -> Any:
    """A lean decoder over keys and values that stay in place."""
    return lean_decoder(model, length, dtype, StaticKeyValues)


def _sizes(rows: int, growing: int) -> Iterator[int]:
    """The smallest of rows / 2, rows / 4, … that holds all that grow, where it is smaller than `rows`."""
    size = rows
    while -(-size // 2 // SIZE) * SIZE >= growing and -(-size // 2 // SIZE) * SIZE < size:
        size = -(-size // 2 // SIZE) * SIZE
    if size < rows:
        yield size
