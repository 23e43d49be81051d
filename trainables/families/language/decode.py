"""Decoding one token at a time: a lean path for GPT-2 and Llama, transformers' own cache for the rest.

Letters in tensor names: B rows, D width, H heads, T places, K width of a head, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Decoder(ABC):
    """Rows that grow side by side. Call `step` for place 0, 1, … in turn, under `torch.inference_mode`."""

    @abstractmethod
    def step(self, tokens_B: Tensor, place: int) -> Tensor:
        """Logits of the next token, [B, V], after reading the token at `place`."""

    @abstractmethod
    def keep(self, index: Tensor) -> None:
        """Go on with the rows at `index` alone."""


def decoder(model: PreTrainedModel, rows: int, length: int) -> Decoder:
    """The fastest decoder for `model` that gives its own logits.

    Args:
        model: in evaluation mode.
        rows: how many rows grow.
        length: tokens that will be read at most.
    """
    from trainables.families.language.decode_gpt2 import Gpt2Decoder
    from trainables.families.language.decode_llama import LlamaDecoder

    for lean in (Gpt2Decoder, LlamaDecoder):
        if lean.fits(model):
            return lean(model, rows, length)
    return CachedDecoder(model)


class CachedDecoder(Decoder):
    """Any architecture, by the cache that its model returns."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.name = ""
        self.cache: Any = None

    def step(self, tokens_B: Tensor, place: int) -> Tensor:
        held = {self.name: self.cache} if self.name else {}
        answer = self.model(tokens_B[:, None], use_cache=True, **held)
        self.name = next(name for name in ("past_key_values", "cache_params") if name in answer)
        self.cache = answer[self.name]
        logits_BV: Tensor = answer.logits[:, -1]
        return logits_BV

    def keep(self, index: Tensor) -> None:
        self.cache.reorder_cache(index)


class KeyValues:
    """Keys and values of every layer, in place: [layers, 2, B · H, T, K]."""

    def __init__(self, layers: int, rows: int, heads: int, length: int, width: int, like: Tensor) -> None:
        self.heads = heads
        self.held = like.new_empty(layers, 2, rows * heads, length, width)

    def attend(self, layer: int, place: int, q_BHK: Tensor, k_BHK: Tensor, v_BHK: Tensor, scale: float) -> Tensor:
        """Store this place's key and value, and what the queries find, [B, heads · K].

        Queries may have several heads to one of the keys. Plain batched products: for one place at a time
        they take half the time of `scaled_dot_product_attention` on a CPU.
        """
        keys, values = self.held[layer].unbind(0)
        keys[:, place] = k_BHK.flatten(0, 1)
        values[:, place] = v_BHK.flatten(0, 1)
        queries = (q_BHK * scale).reshape(len(keys), -1, keys.shape[-1])
        chances = torch.bmm(queries, keys[:, : place + 1].transpose(1, 2)).softmax(dim=-1)
        return torch.bmm(chances, values[:, : place + 1]).view(len(q_BHK), -1)

    def keep(self, index: Tensor) -> None:
        """Rows at `index` alone."""
        layers, two, _, *tail = self.held.shape
        self.held = self.held.view(layers, two, -1, self.heads, *tail)[:, :, index].view(layers, two, -1, *tail)
