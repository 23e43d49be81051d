"""Decoding one token at a time: lean paths for GPT-2 and relatives of Llama; the rest in `generic.py`.

Letters in tensor names: B rows, D width, H heads, T places, K width of a head, N outputs, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainables.families.language.sampling.gpt2 import Gpt2Decoder
    from trainables.families.language.sampling.llama import LlamaDecoder

CHUNK = 16
"""Places of keys and values that lie side by side."""


class Decoder(ABC):
    """Rows that grow side by side. Call `begin`, then `step` for place 0, 1, …, under `torch.inference_mode`."""

    @abstractmethod
    def begin(self, rows: int) -> None:
        """Forget all rows, and start so many new ones."""

    @abstractmethod
    def step(self, tokens_B: Tensor, place: int) -> Tensor:
        """Logits of the next token, [B, V], after reading the token at `place`; the next step may overwrite them."""

    @abstractmethod
    def keep(self, index: Tensor) -> None:
        """Go on with the rows at `index` alone."""


def decoder(model: PreTrainedModel, length: int, dtype: torch.dtype = torch.float32) -> Decoder:
    """The fastest decoder for `model` that gives its own logits.

    Args:
        model: in evaluation mode; its weights are copied where a lean path is taken.
        length: tokens of a row that will be read at most.
        dtype: of the blocks' matrix products; the residual stream, norms, the product that gives logits and, on
            a CPU, attention are in single precision whatever it is.
    """
    from trainables.families.language.sampling.fused import FusedDecoder
    from trainables.families.language.sampling.generic import generic_decoder

    if FusedDecoder.fits(model):
        return FusedDecoder.of(model, length, dtype)
    if has_lean_decoder(model):
        return lean_decoder(model, length, dtype, KeyValues)
    return generic_decoder(model, length, dtype)


def has_lean_decoder(model: PreTrainedModel) -> bool:
    """Whether the model is a GPT-2 or a relative of Llama with nothing more: what lean paths are written for."""
    from trainables.families.language.sampling.gpt2 import Gpt2Decoder
    from trainables.families.language.sampling.llama import LlamaDecoder

    return Gpt2Decoder.fits(model) or LlamaDecoder.fits(model)


def lean_decoder(
    model: PreTrainedModel, length: int, dtype: torch.dtype, cache: Callable[..., Cache]
) -> Gpt2Decoder | LlamaDecoder:
    """The decoder of a model that has a lean one, over keys and values as `cache` holds them."""
    from trainables.families.language.sampling.gpt2 import Gpt2Decoder
    from trainables.families.language.sampling.llama import LlamaDecoder

    kind = Gpt2Decoder if Gpt2Decoder.fits(model) else LlamaDecoder
    return kind(model, length, dtype, cache)


class Cache(Protocol):
    """Keys and values of all layers, of rows that grow side by side."""

    def begin(self, rows: int) -> None:
        """Room for so many rows."""

    def attend(self, layer: int, place: Any, q_BHK: Tensor, k_BHK: Tensor, v_BHK: Tensor, scale: float) -> Tensor:
        """Store this place's key and value, and what the queries find, [B, heads · K].

        How a place is said, by a number or a tensor, the decoder's caller and the cache agree on.
        """

    def keep(self, index: Tensor) -> None:
        """Rows at `index` alone."""


class Product:
    """x Wᵀ + b with a weight [N, D] held in the precision of products, in which the result is as well."""

    def __init__(self, weight_ND: Tensor, bias_N: Tensor | None, dtype: torch.dtype) -> None:
        self.weight = weight_ND.detach().to(dtype).contiguous()
        self.bias = None if bias_N is None else bias_N.detach().to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)

    @property
    def tensors(self) -> list[Tensor]:
        """What it holds."""
        return [self.weight] if self.bias is None else [self.weight, self.bias]


class KeyValues:
    """Keys and values of every layer, in place: [layers, 2, chunks, B · H, CHUNK, K].

    Places come in chunks of which every one is read whole: a read without gaps is three times as fast on a CPU as one
    that skips what rows have not filled yet.
    """

    def __init__(self, layers: int, heads: int, length: int, width: int, like: Tensor) -> None:
        self.layers, self.heads, self.width = layers, heads, width
        self.chunks = -(-length // CHUNK)
        dtype = torch.float32 if like.device.type == "cpu" else like.dtype  # halves cost a CPU more than they save
        self.held = like.new_empty(0, dtype=dtype)
        self.unread_CC = like.new_full((CHUNK, CHUNK), float("-inf"), dtype=dtype).triu(1)

    def begin(self, rows: int) -> None:
        """Room for so many rows; what an earlier use of it left is overwritten before it is read."""
        shape = (self.layers, 2, self.chunks, rows * self.heads, CHUNK, self.width)
        if self.held.shape != shape:
            self.held = _zeros(shape, self.held)

    def attend(self, layer: int, place: int, q_BHK: Tensor, k_BHK: Tensor, v_BHK: Tensor, scale: float) -> Tensor:
        """Store this place's key and value, and what the queries find, [B, heads · K].

        Queries may have several heads to one of the keys. Plain batched products: for one place at a time
        they take a third of the time of `scaled_dot_product_attention` on a CPU.
        """
        last, within = divmod(place, CHUNK)
        keys, values = self.held[layer].unbind(0)
        keys[last, :, within] = k_BHK.flatten(0, 1)
        values[last, :, within] = v_BHK.flatten(0, 1)
        rows, used = keys.shape[1], last + 1
        q_RGK = (q_BHK * scale).to(keys.dtype).reshape(rows, -1, self.width)
        q_SGK = q_RGK.expand(used, *q_RGK.shape).flatten(0, 1)
        scores = torch.bmm(q_SGK, keys[:used].flatten(0, 1).transpose(1, 2)).view(used, rows, -1, CHUNK)
        scores[last] += self.unread_CC[within]
        chances = scores.permute(1, 2, 0, 3).flatten(2).softmax(dim=-1).view(rows, -1, used, CHUNK)
        found = torch.bmm(chances.permute(2, 0, 1, 3).flatten(0, 1), values[:used].flatten(0, 1))
        return found.view(used, len(q_BHK), -1).sum(dim=0)

    def keep(self, index: Tensor) -> None:
        """Rows at `index` alone."""
        *head, _, chunk, width = self.held.shape
        self.held = self.held.view(*head, -1, self.heads, chunk, width)[:, :, :, index].flatten(3, 4)


def _zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Zeros, on a CPU in large pages where the system has them: numpy asks for these, torch does not."""
    if like.device.type != "cpu":
        return like.new_zeros(shape)
    return torch.from_numpy(np.zeros(shape, np.float32))
