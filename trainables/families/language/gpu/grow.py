"""Rows sampled on a device: one step of all rows is work on tensors that stay there, recorded once for so many rows and
so many places, and replayed.

Points of the cumulative distribution are those of the reference path (`sampling/sample.py`), drawn on the CPU from the
batch's own stream, row by row; so a row depends neither on the device nor on how many rows grow beside it, but for
rounding, and keys of batches stay what they are.

Rows of several models of one shape grow in one batch, where they take turns: row b is of model b mod `lanes`.

Letters in tensor names: R rows of a batch at most, B rows that still grow, T places, V vocabulary.
"""

from __future__ import annotations

import copy
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from trainables.families.language.gpu.draw import drawn_by_blocks
from trainables.families.language.gpu.keys_values import StaticKeyValues
from trainables.families.language.gpu.update import repays
from trainables.families.language.sampling import cut, has_lean_decoder, inverse, lean_decoder, tempered
from trainables.runtime import Captured, compiled_once, forget, pick_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

SIZE = 32
"""Batches hold multiples of so many rows."""

LOOK_EVERY = 16
"""Places between two looks at which documents have ended: a look waits for the device."""

HELD = 0.5
"""Share of a device's free memory that keys and values may take."""

Shape = tuple[int, int]
"""Rows of a step, and the end of the bucket that it reads up to."""

_kept: dict[str, Growth] = {}
"""The last make that was sampled in this process, its steps recorded."""


def can_grow(config: LanguageConfig, model: PreTrainedModel) -> bool:
    """Whether rows are sampled this way: on CUDA, by lean decoders, drawn or greedily."""
    return model.device.type == "cuda" and growable(config, model)


def can_grow_together(config: LanguageConfig) -> bool:
    """Whether rows of models that are fitted side by side are sampled this way, all in one batch."""
    return pick_device().type == "cuda" and config.decoding != "beam"


def growable(config: LanguageConfig, model: PreTrainedModel) -> bool:
    """Whether a model's rows can be: any that has a lean decoder; beams are searched otherwise."""
    return config.decoding != "beam" and has_lean_decoder(model)


def growth(config: LanguageConfig, model: PreTrainedModel, dtype: torch.dtype, rows: int) -> Growth:
    """Room for so many rows of this model side by side, or for as many as there is memory for.

    An earlier one of the same make takes the weights and keeps its recordings.
    """
    with torch.inference_mode():
        fresh: StepDecoder = lean_decoder(model, config.context, dtype, StaticKeyValues)
        return growth_of(config, fresh, model.config.to_json_string(), rows)


def growth_of(config: LanguageConfig, fresh: StepDecoder, make: str, rows: int, lanes: int = 1) -> Growth:
    """As `growth`, of a decoder of so many models' rows.

    Args:
        config: of the models.
        fresh: reads their weights; copied.
        make: names what decoders have alike whose weights can take each other's place.
        rows: of all models.
        lanes: models.
    """
    tensors = fresh.tensors()
    fields = ("context", "sequences", "decoding", "top_k", "top_p", "bos", "eos")
    told = [str(getattr(config, name)) for name in fields]
    kinds = [*sorted({str(tensor.dtype) for tensor in tensors}), str(tensors[0].device), str(lanes)]
    key, device = "|".join([make, *kinds, *told]), tensors[0].device
    if key not in _kept or _kept[key].rows < fitting(config, device, rows, lanes):
        forget(_kept)  # of another make, or too small: its cache goes before the next one is made
        if device.type == "cuda":
            torch.cuda.empty_cache()  # what torch itself keeps and nobody uses counts as taken
        with torch.inference_mode():
            _kept[key] = Growth(config, copy.deepcopy(fresh), fitting(config, device, rows, lanes), lanes)
    with torch.inference_mode():
        _kept[key].load(fresh)
    return _kept[key]


def fitting(config: LanguageConfig, device: torch.device, rows: int, lanes: int = 1) -> int:
    """Rows of a batch: as many as are wanted, as the config allows on a GPU, and as free memory holds."""
    most, size = config.side_by_side("cuda"), unit(lanes)
    if device.type == "cuda":
        shape, free = config.shape, torch.cuda.mem_get_info(device)[0]
        row = 2 * shape.layers * shape.width * config.context * 4 + 12 * config.tokens
        most = min(most, max(int(HELD * free) // row, size))
    return -(-min(rows, most) // size) * size


def unit(lanes: int) -> int:
    """Batches hold multiples of so many rows: about `SIZE`, as many of each model."""
    return lanes * max(SIZE // lanes, 1)


class StepDecoder(Protocol):
    """What a step calls."""

    cache: Any

    def step(self, tokens_B: Tensor, place: Any) -> Tensor:
        """Logits of the next token, [B, V], after reading the token at a place, [1]."""

    def tensors(self) -> list[Tensor]:
        """All that a step reads of a model."""


class Growth:
    """Rows of one make of model, in batches of at most `rows`.

    Args:
        config: decides lengths, cuts and what ends a row.
        decoder: of the shape of every model that will be sampled; its weights are written over.
        rows: of a batch at most, a multiple of `unit(lanes)`.
        lanes: models whose rows take turns.
    """

    def __init__(self, config: LanguageConfig, decoder: StepDecoder, rows: int, lanes: int = 1) -> None:
        self.config, self.decoder, self.rows, self.lanes = config, decoder, rows, lanes
        self.cache: Any = decoder.cache
        self.device = decoder.tensors()[0].device
        whole = (config.context, rows)
        self.points_TR = torch.zeros(whole, device=self.device)
        self.tokens_TR, self.given_TR = (torch.zeros(whole, dtype=torch.int64, device=self.device) for _ in range(2))
        self.inside_TR = torch.zeros(whole, dtype=torch.bool, device=self.device)
        self.alive_R, self.latest_R = (torch.zeros(rows, dtype=torch.int64, device=self.device) for _ in range(2))
        self.ended_R = torch.zeros(rows, dtype=torch.bool, device=self.device)
        self.place = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.scale, self.checks = (torch.zeros((), device=self.device) for _ in range(2))
        self._steps: dict[Shape, Captured] = {}
        self._reads: dict[Shape, Callable[..., Tensor]] = {}
        self._spent: defaultdict[Shape, float] = defaultdict(float)

    def load(self, fresh: StepDecoder) -> None:
        """Go on with other models' weights."""
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
        started = time.perf_counter()
        places = self._run(-(-rows // unit(self.lanes)) * unit(self.lanes))
        found = self.tokens_TR[:, :rows].T.clone().cpu().numpy(), float(self.checks)
        self._compile_if_it_repays(places, time.perf_counter() - started)
        return found

    def compile(self, shape: Shape, **options: Any) -> None:
        """Go on with compiled steps of this shape; `options` are those of `torch.compile`."""
        self._reads[shape] = compiled_once(self.decoder.step, **options)
        self._steps.pop(shape, None)

    def _compile_if_it_repays(self, places: Counter[Shape], seconds: float) -> None:
        """Compile the step of a shape once what that would have saved of the seconds spent on it exceeds its cost: what
        was made before in this process stands for what is to come.
        """
        for shape, count in places.items():
            self._spent[shape] += seconds * count / places.total()
            if self.device.type == "cuda" and shape not in self._reads and repays(self._spent[shape], 1):
                self.compile(shape)

    def _begin(self, rows: int, temperature: float) -> None:
        for held in (self.points_TR, self.inside_TR, self.place, self.checks):
            held.zero_()
        self.tokens_TR.fill_(self.config.eos)
        self.latest_R.fill_(self.config.bos)
        self.alive_R.copy_(torch.arange(self.rows, device=self.device))
        self.ended_R.copy_(self.alive_R >= rows)
        self.scale.fill_(1 / temperature)
        self.cache.begin(self.rows)

    def _run(self, rows: int) -> Counter[Shape]:
        """All places; how many were of each shape. Rows that have ended leave when those that grow fit into half the
        batch.
        """
        self.cache.rows, places = rows, Counter[Shape]()
        for place in range(self.config.context):
            self.cache.look(place)
            self._step(rows)()
            places[rows, self.cache.used] += 1
            if self.config.sequences == "documents" and (place + 1) % LOOK_EVERY == 0:
                ended_NL = self.ended_R[self.alive_R[:rows]].view(-1, self.lanes)
                growing = len(ended_NL) - int(ended_NL.sum(dim=0).min())
                if not growing:
                    break
                for smaller in _sizes(len(ended_NL), growing, unit(self.lanes) // self.lanes):
                    rows = smaller * self.lanes
                    first_NL = torch.argsort(ended_NL.int(), dim=0, stable=True)[:smaller]
                    self._keep((first_NL * self.lanes + torch.arange(self.lanes, device=self.device)).flatten())
        return places

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
        read: Callable[..., Tensor] = self._reads.get((rows, self.cache.used), self.decoder.step)
        logits_BV = read(self.latest_R[:rows], self.place)
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


def _sizes(rows: int, growing: int, unit: int) -> Iterator[int]:
    """The smallest of rows / 2, rows / 4, … that holds all that grow, in units, where it is smaller than `rows`."""
    size = rows
    while -(-size // 2 // unit) * unit >= growing and -(-size // 2 // unit) * unit < size:
        size = -(-size // 2 // unit) * unit
    if size < rows:
        yield size
