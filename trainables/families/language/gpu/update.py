"""One update of a language model as work on tensors that stay where they are: nothing of it waits for the host.

The same computation as the padded update of `fit.py`: every token is read after the same tokens of its own document and
BOS, at the same place, and weighs the same in the loss; documents lie side by side instead of above one another. So the
loss and its gradients are equal but for the order in which sums are rounded, and what is fitted keeps its key.

Letters in tensor names: U updates of a stretch, B documents, L lines, T places of a line, N = L · T.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainables.families.language.fit import BETAS, decayed
from trainables.families.language.gpu.attention import attend_within_documents, document_mask, kernels_agree
from trainables.families.language.gpu.packing import Documents, Plan, rounded, segments
from trainables.families.language.loss import hidden_loss
from trainables.families.language.model import halves
from trainables.runtime import Captured, compiled_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

STRETCH = 64
"""Updates whose plans are sent together, and between two looks at the loss."""

COMPILING, GAIN = 31.0, 0.4
"""Seconds that a compile took, and the share of an update that it saved (Llama 12M and 42M on one H200, torch 2.11)."""

RECORDED = 2 * 10**8
"""Parameters up to which updates are recorded as a graph: larger ones keep the device busy by themselves."""


class Update:
    """A model and its AdamW in place, for documents of an update in lines of one width; reused from fit to fit.

    Args:
        config: decides batch, context, loss and optimiser.
        model: of the same shape as every model that will be fitted; copied.
    """

    def __init__(self, config: LanguageConfig, model: PreTrainedModel) -> None:
        self.config, self.device = config, next(model.parameters()).device
        self.model = copy.deepcopy(model).train()
        self.model.config.pad_token_id = None  # looking for it in a batch would wait for the device
        attend_within_documents(self.model)
        self.rate = torch.zeros((), device=self.device)
        self.optimizer = _adamw(config, self.model, self.rate)
        self.parameters = list(self.model.parameters())
        self.whole = config.sequences == "fixed_length"
        self.flat = not self.whole and self._kernels()
        self.step = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.loss = torch.zeros((), device=self.device)
        self.lines = 0
        self.seen = 0
        self.compiled = False
        self._loss: Any = self._loss_of
        self._run: Captured | None = None
        self._plan: dict[str, Tensor] = {}

    def begin(self, weights: PreTrainedModel, rows: Documents) -> None:
        """Take the weights of a model and a corpus; the optimiser forgets."""
        with torch.no_grad():
            for mine, theirs in zip(self.parameters, weights.parameters(), strict=True):
                mine.copy_(theirs)
            for held in self.optimizer.state.values():
                for value in held.values():
                    value.zero_()
        self._hold(rows)

    def end(self, weights: PreTrainedModel) -> None:
        """Give the weights to a model."""
        with torch.no_grad():
            for mine, theirs in zip(self.parameters, weights.parameters(), strict=True):
                theirs.copy_(mine)

    def plan(self, plan: Plan, rates: np.ndarray) -> None:
        """The next updates; at most `STRETCH`. Wider lines than ever before make another shape."""
        lines = self.config.batch if self.whole else rounded(plan.lines, self.config.batch)
        if lines > self.lines:
            self.lines, self._run = lines, None
        self._put("first", plan.first, torch.int64)
        for name in ("lengths", "slots", "counted"):
            self._put(name, getattr(plan, name), torch.int32)
        self._put("share", plan.share, torch.float32)
        self._put("rates", rates, torch.float32)
        if self.flat:
            self._put("segments", segments(plan, self.lines, self.config.context), torch.int32)
        self.step.zero_()

    def run(self, updates: int) -> None:
        """The next updates of the plan."""
        if self._run is None:
            small = self.config.parameters <= RECORDED
            self._run = Captured(self._once, self.device if small else torch.device("cpu"))
        for _ in range(updates):
            self._run()
        self.seen += updates

    def compile_if_it_repays(self, seconds: float, updates: int) -> None:
        """Compile where what it saves over so many updates, and over as many as were made before, exceeds its cost.

        What was made before in this process stands for what is to come: later generations and cells of the same make.
        """
        if self.device.type == "cuda" and not self.compiled and repays(seconds, updates + self.seen):
            self.compile()

    def compile(self, **options: Any) -> None:
        """Go on with a compiled loss and gradient; `options` are those of `torch.compile`."""
        self.compiled, self._run = True, None
        self._loss = compiled_once(self._loss_of, **options)

    def gradients(self) -> None:
        """The loss of this step's documents and its gradients, which replace older ones."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(*self._batch())
        torch.autograd.backward(loss)
        self.loss.copy_(loss.detach())

    def _once(self) -> None:
        """One update."""
        self.rate.copy_(self._here("rates"))
        self.gradients()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        self.optimizer.step()
        self.step.add_(1)

    def _loss_of(
        self, read_LT: Tensor, tokens_LT: Tensor, share_LT: Tensor, place_LT: Tensor, within: dict[str, Any]
    ) -> Tensor:
        """Σ share · −log p of the tokens that follow what is read."""
        with self._precision():
            known = self.model.base_model(read_LT, position_ids=place_LT, use_cache=False, **within)
            hidden_ND = known.last_hidden_state.flatten(0, 1)
            return hidden_loss(
                hidden_ND, self.model.lm_head.weight, tokens_LT.flatten(), share_LT.flatten(), self.config.loss.above
            )

    def _precision(self) -> Any:
        """As the config wants it; casts are not kept, since a recording must make its own."""
        return torch.autocast(self.device.type, torch.bfloat16, halves(self.config), cache_enabled=False)

    def _batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Any]]:
        """What a model reads and is to predict, the shares and places of tokens, and who sees whom.

        Numbers come in by `masked_fill`, as arguments of its kernel: a copy to the device could not be recorded.
        """
        first_B, length_B, slot_B, counted_B, share_B = map(
            self._here, ("first", "lengths", "slots", "counted", "share")
        )
        slots_N = torch.arange(self.lines * self.config.context, dtype=torch.int32, device=self.device)
        document_N = (torch.searchsorted(slot_B, slots_N, right=True) - 1).clamp_min(0)
        offset_N = slots_N - slot_B[document_N]
        inside_N = (offset_N >= 0) & (offset_N < length_B[document_N])
        place_N = offset_N.masked_fill(~inside_N, 0).long()
        tokens_N = self._tokens(first_B[document_N] + place_N).masked_fill(~inside_N, self.config.eos)
        read_N = tokens_N.roll(1).masked_fill(place_N == 0, self.config.bos)
        counts_N = inside_N & (offset_N >= counted_B[document_N])
        share_N = share_B[document_N].masked_fill(~counts_N, 0.0)
        lines = (self.lines, self.config.context)
        within = self._within(document_N.masked_fill(~inside_N, -1).view(lines))
        return read_N.view(lines), tokens_N.view(lines), share_N.view(lines), place_N.view(lines), within

    def _within(self, document_LT: Tensor) -> dict[str, Any]:
        if self.whole:
            return {}
        if self.flat:
            return {"segments": self._here("segments"), "longest": self.config.context}
        return {"attention_mask": document_mask(document_LT)}

    def _tokens(self, at_N: Tensor) -> Tensor:
        """Of the corpus. 16 bits are held as signed integers, which torch can index on every device."""
        found = self._corpus[at_N].long()
        return found & 0xFFFF if self._corpus.dtype == torch.int16 else found

    def _hold(self, rows: Documents) -> None:
        """The corpus on the device; a recording that reads another one is made again."""
        narrow = all(piece.dtype == np.uint16 for piece in rows.pieces)
        held = getattr(self, "_corpus", None)
        dtype = torch.int16 if narrow else torch.int32
        if held is None or held.dtype != dtype or len(held) < rows.tokens:
            self._corpus = torch.empty(rows.tokens, dtype=dtype, device=self.device)
            self._run = None
        begin = 0
        for piece in rows.pieces:
            whole = torch.from_numpy(np.array(piece.view(np.int16) if narrow else piece.astype(np.int32)))
            self._corpus[begin : begin + len(piece)].copy_(whole)
            begin += len(piece)

    def _here(self, name: str) -> Tensor:
        """This step's row of the plan."""
        return self._plan[name].index_select(0, self.step)[0]

    def _put(self, name: str, values: np.ndarray, dtype: torch.dtype) -> None:
        """Into the plan's tensor of that name, which has room for a whole stretch."""
        given = torch.from_numpy(np.ascontiguousarray(values)).to(dtype)
        held = self._plan.get(name)
        if held is None or held.shape[1:] != given.shape[1:]:
            self._plan[name] = torch.zeros((STRETCH, *given.shape[1:]), dtype=dtype, device=self.device)
            self._run = None
        self._plan[name][: len(given)].copy_(given)

    def _kernels(self) -> bool:
        config = self.model.config
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        alike = getattr(config, "num_key_value_heads", config.num_attention_heads) == config.num_attention_heads
        return halves(self.config) and alike and kernels_agree(int(width), self.device)


def repays(seconds: float, updates: int) -> bool:
    """Whether compiling saves more over so many updates, each of so many seconds, than it costs."""
    return GAIN * seconds * updates > COMPILING


def _adamw(config: LanguageConfig, model: PreTrainedModel, rate: Tensor) -> torch.optim.AdamW:
    words: Mapping[str, Any] = {"capturable": True} if rate.is_cuda else {}
    return torch.optim.AdamW(decayed(config, model), lr=rate, betas=BETAS, fused=True, **words)
