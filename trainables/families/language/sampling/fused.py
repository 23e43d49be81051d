"""Decoding on one core of a CPU: torch's matrix products, and compiled loops for all that lies between them.

Letters: see `decode.py`. N outputs of a product; its weight is held as [D, N].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainables.families.language.sampling.decoder import Decoder, Product
from trainables.families.language.sampling.gpt2 import Gpt2Decoder
from trainables.families.language.sampling.llama import LlamaDecoder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GATED, GELU = frozenset({"silu", "swish"}), frozenset({"gelu_new", "gelu_pytorch_tanh"})
"""Activations that there are loops for: of models with gates, and of those without."""


@dataclass(frozen=True)
class Norm:
    """RMSNorm or, where `centred`, LayerNorm."""

    gain: np.ndarray
    shift: np.ndarray
    eps: np.float32
    centred: bool


@dataclass(frozen=True)
class Matrix:
    """A weight, [D, N], in the precision of products, and a bias, [N], in single."""

    weight: Tensor
    bias: np.ndarray

    @classmethod
    def of(cls, product: Product) -> Matrix:
        bias = torch.zeros(len(product.weight)) if product.bias is None else product.bias.float()
        return cls(product.weight.T.contiguous(), bias.numpy())

    @property
    def outputs(self) -> int:
        return self.weight.shape[1]


@dataclass(frozen=True)
class Block:
    """One layer; `gains` are of the norms of queries and keys, [heads, K], or nothing."""

    norm: Norm
    qkv: Matrix
    gains: np.ndarray
    scale: np.float32
    out: Matrix
    norm_mlp: Norm
    up: Matrix
    down: Matrix


@dataclass(frozen=True)
class Network:
    """Everything that a step reads: tables by token and place, layers, the last norm and product."""

    tokens: np.ndarray
    positions: np.ndarray
    cos: np.ndarray
    sin: np.ndarray
    kv_heads: int
    gated: bool
    blocks: tuple[Block, ...]
    norm: Norm
    head: Matrix


class FusedDecoder(Decoder):
    """Buffers of all parts of a step are kept from step to step; keys and values lie as attention reads them."""

    def __init__(self, network: Network, length: int, dtype: torch.dtype) -> None:
        from trainables.families.language.cpu import LANES

        self.network, self.dtype = network, dtype
        pieces, padded = -(-length // LANES), -(-network.cos.shape[1] // LANES) * LANES
        self.piece = (network.kv_heads, pieces, 2, padded, LANES)
        self.held: list[np.ndarray] = []

    @staticmethod
    def fits(model: PreTrainedModel) -> bool:
        """Whether there are loops for the model, and one thread for its products."""
        here = model.device.type == "cpu" and torch.get_num_threads() == 1
        return here and (_act(model) in GELU if Gpt2Decoder.fits(model) else _llama_fits(model))

    @classmethod
    def of(cls, model: PreTrainedModel, length: int, dtype: torch.dtype) -> FusedDecoder:
        """The decoder of a model that fits."""
        if Gpt2Decoder.fits(model):
            return cls(_gpt2(Gpt2Decoder(model, length, dtype), length), length, dtype)
        return cls(_llama(LlamaDecoder(model, length, dtype), length), length, dtype)

    def begin(self, rows: int) -> None:
        if not self.held or len(self.held[0]) < rows:
            kind = np.float32 if self.dtype == torch.float32 else np.uint16
            self.held = [np.zeros((rows, *self.piece), kind) for _ in self.network.blocks]
        self.space = _Space(self.network, rows, self.dtype)

    def step(self, tokens_B: Tensor, place: int) -> Tensor:
        from trainables.families.language.cpu import attend
        from trainables.families.language.cpu import decode as kernels

        net, space = self.network, self.space
        first, blocks = net.blocks[0].norm, net.blocks
        kernels.embedded(
            tokens_B.numpy(), net.tokens, net.positions[place], *_fields(first), space.x.array, space.read.array
        )
        for number, (block, held) in enumerate(zip(blocks, self.held, strict=True)):
            cos, sin, cache = net.cos[place], net.sin[place], held[: space.rows]
            torch.mm(space.read.tensor, block.qkv.weight, out=space.qkv.tensor)
            turned = cos, sin, block.gains, block.norm.eps
            attend(space.qkv.array, block.qkv.bias, *turned, cache, place, block.scale, space.found.array)
            torch.mm(space.found.tensor, block.out.weight, out=space.change.tensor)
            self._add(block.out, block.norm_mlp, space.read)
            torch.mm(space.read.tensor, block.up.weight, out=space.up.tensor)
            act = kernels.gated if net.gated else kernels.gelu
            act(space.up.array, block.up.bias, space.inner.array)
            torch.mm(space.inner.tensor, block.down.weight, out=space.change.tensor)
            last = number == len(blocks) - 1
            self._add(block.down, net.norm if last else blocks[number + 1].norm, space.last if last else space.read)
        return torch.mm(space.last.tensor, net.head.weight, out=space.logits)

    def keep(self, index: Tensor) -> None:
        for held in self.held:
            held[: len(index)] = held[index.numpy()]
        self.space = _Space(self.network, len(index), self.dtype)

    def _add(self, matrix: Matrix, norm: Norm, out: _Buffer) -> None:
        from trainables.families.language.cpu import added

        added(self.space.x.array, self.space.change.array, matrix.bias, *_fields(norm), out.array)


class _Buffer:
    """A tensor, [rows, width], and its memory as numpy sees it; bfloat16 as integers."""

    def __init__(self, rows: int, width: int, dtype: torch.dtype) -> None:
        self.tensor = torch.zeros(rows, width, dtype=dtype)
        self.array: np.ndarray = (self.tensor if dtype == torch.float32 else self.tensor.view(torch.uint16)).numpy()


class _Space:
    """The buffers of one step of so many rows."""

    def __init__(self, network: Network, rows: int, dtype: torch.dtype) -> None:
        block, width = network.blocks[0], network.tokens.shape[1]
        self.rows = rows
        self.x, self.last = (_Buffer(rows, width, torch.float32) for _ in range(2))
        self.read, self.change = (_Buffer(rows, width, dtype) for _ in range(2))
        self.qkv, self.found = _Buffer(rows, block.qkv.outputs, dtype), _Buffer(rows, len(block.out.weight), dtype)
        self.up, self.inner = _Buffer(rows, block.up.outputs, dtype), _Buffer(rows, len(block.down.weight), dtype)
        self.logits = torch.zeros(rows, network.head.outputs)


def _fields(norm: Norm) -> tuple[np.ndarray, np.ndarray, np.float32, bool]:
    return norm.gain, norm.shift, norm.eps, norm.centred


def _act(model: PreTrainedModel) -> str:
    """The name of a model's activation."""
    name: str = getattr(model.config, "activation_function", None) or model.config.hidden_act
    return name


def _llama_fits(model: PreTrainedModel) -> bool:
    return LlamaDecoder.fits(model) and _act(model) in GATED


def _gpt2(lean: Gpt2Decoder, length: int) -> Network:
    """GPT-2: positions are learnt, and nothing turns."""
    body = lean.body
    tokens, positions = body.wte.weight.detach().numpy(), body.wpe.weight.detach().numpy()
    cos = np.ones((length, tokens.shape[1] // lean.heads), np.float32)
    none = np.zeros((0, cos.shape[1]), np.float32)
    blocks = []
    for layer in lean.layers:
        attention = _centred(layer.norm_attention), Matrix.of(layer.qkv), none, np.float32(layer.scale)
        mlp = _centred(layer.norm_mlp), Matrix.of(layer.up), Matrix.of(layer.down)
        blocks.append(Block(*attention, Matrix.of(layer.out), *mlp))
    last = _centred(body.ln_f), Matrix.of(lean.head)
    return Network(tokens, positions, cos, np.zeros_like(cos), lean.heads, False, tuple(blocks), *last)


def _llama(lean: LlamaDecoder, length: int) -> Network:
    """Relatives of Llama: rotations, and gains of norms within the matrices that read them."""
    tokens = lean.embedding_VD.detach().numpy()
    norm = _plain(tokens.shape[1], lean.eps)
    blocks = []
    for layer in lean.layers:
        gains = torch.zeros(0, layer.head_width) if layer.gains_HK is None else layer.gains_HK.detach()
        attention = Matrix.of(layer.qkv), gains.contiguous().numpy(), np.float32(layer.scale), Matrix.of(layer.out)
        blocks.append(Block(norm, *attention, norm, Matrix.of(layer.gate_up), Matrix.of(layer.down)))
    turns: tuple[Any, Any] = lean.cos_TK.numpy(), lean.sin_TK.numpy()
    positions = np.zeros((length, tokens.shape[1]), np.float32)
    return Network(tokens, positions, *turns, lean.kv_heads, True, tuple(blocks), norm, Matrix.of(lean.head))


def _plain(width: int, eps: float) -> Norm:
    return Norm(np.ones(width, np.float32), np.zeros(width, np.float32), np.float32(eps), False)


def _centred(norm: Any) -> Norm:
    return Norm(norm.weight.detach().numpy(), norm.bias.detach().numpy(), np.float32(norm.eps), True)
