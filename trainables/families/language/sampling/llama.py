"""Llama and models built like it, one token at a time. Letters: see `decode.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.families.language.sampling.decoder import Cache, Decoder, KeyValues, Product

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ALIKE = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Model types that are Llama but for biases, norms of heads, and windows; models with windows are left out."""

FIXED = frozenset({"default", "linear", "llama3"})
"""Rotations that do not depend on the length of the text."""


class LlamaDecoder(Decoder):
    """Weights that read one input joined into one matrix, gains of norms in the matrix that reads them, rotations
    of all places in one table."""

    def __init__(
        self,
        model: PreTrainedModel,
        length: int,
        dtype: torch.dtype,
        cache: Callable[..., Cache] = KeyValues,
    ) -> None:
        config, body = model.config, model.model
        self.embedding_VD: Tensor = body.embed_tokens.weight
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.layers = [_Layer(layer, dtype) for layer in body.layers]
        self.head = Product(model.lm_head.weight * body.norm.weight, None, torch.float32)
        self.eps: float = body.norm.variance_epsilon
        width = self.layers[0].head_width
        self.cache = cache(len(self.layers), self.kv_heads, length, width, self.layers[0].out.weight)
        places = torch.arange(length, device=self.embedding_VD.device)[None]
        cos, sin = body.rotary_emb(self.embedding_VD, places)
        half = width // 2
        self.cos_TK, self.sin_TK = cos[0], torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)

    @staticmethod
    def fits(model: PreTrainedModel) -> bool:
        """Whether the model is one of `ALIKE` that looks at the whole text before, with fixed rotations."""
        config = model.config
        if config.model_type not in ALIKE or config.rope_parameters.get("rope_type", "") not in FIXED:
            return False
        kinds = getattr(config, "layer_types", None) or ["full_attention"]
        window = getattr(config, "sliding_window", None)
        return set(kinds) == {"full_attention"} and (window is None or config.model_type != "mistral")

    def begin(self, rows: int) -> None:
        self.cache.begin(rows)

    def step(self, tokens_B: Tensor, place: int | Tensor) -> Tensor:
        x_BD = self.embedding_VD[tokens_B]
        for number, layer in enumerate(self.layers):
            x_BD += self._attention(number, place, layer, x_BD)
            gate, up = layer.gate_up(unit(x_BD, layer.eps)).chunk(2, dim=-1)
            x_BD += layer.down(layer.act(gate).mul_(up))
        return self.head(unit(x_BD, self.eps))

    def tensors(self) -> list[Tensor]:
        """All that a step reads of a model, and of a place."""
        found = [self.embedding_VD.detach(), self.cos_TK, self.sin_TK, *self.head.tensors]
        for layer in self.layers:
            found += [tensor for product in layer.products for tensor in product.tensors]
            found += [] if layer.gains_HK is None else [layer.gains_HK.detach()]
        return found

    def keep(self, index: Tensor) -> None:
        self.cache.keep(index)

    def _attention(self, number: int, place: int | Tensor, layer: _Layer, x_BD: Tensor) -> Tensor:
        qkv = layer.qkv(unit(x_BD, layer.eps)).float()
        qkv_BHK = qkv.view(len(x_BD), self.heads + 2 * self.kv_heads, layer.head_width)
        turning_BHK = qkv_BHK[:, : self.heads + self.kv_heads]
        if layer.gains_HK is not None:
            turning_BHK = unit(turning_BHK, layer.eps) * layer.gains_HK
        turned_BHK = self._rotated(turning_BHK, place)
        q_BHK, k_BHK = turned_BHK[:, : self.heads], turned_BHK[:, self.heads :]
        v_BHK = qkv_BHK[:, self.heads + self.kv_heads :]
        return layer.out(self.cache.attend(number, place, q_BHK, k_BHK, v_BHK, layer.scale))

    def _rotated(self, x_BHK: Tensor, place: int | Tensor) -> Tensor:
        """Rotary position embedding; the sign of rotate-half is in the table of sines."""
        swapped_BHK = x_BHK.roll(x_BHK.shape[-1] // 2, dims=-1)
        return torch.addcmul(x_BHK * self.cos_TK[place], swapped_BHK, self.sin_TK[place])


class _Layer:
    """One block's weights as the decoder wants them."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.head_width: int = attention.head_dim
        self.scale: float = attention.scaling
        self.eps: float = layer.input_layernorm.variance_epsilon
        self.qkv = _joined(layer.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj), dtype)
        self.gate_up = _joined(layer.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj), dtype)
        self.out = Product(attention.o_proj.weight, attention.o_proj.bias, dtype)
        self.down = Product(mlp.down_proj.weight, mlp.down_proj.bias, dtype)
        self.products = (self.qkv, self.gate_up, self.out, self.down)
        self.act: Callable[[Tensor], Tensor] = mlp.act_fn
        self.gains_HK = _gains(attention)


def unit(x: Tensor, eps: float) -> Tensor:
    """x over its root mean square along the last axis."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    found: Tensor = x * length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return found


def _joined(norm: Any, layers: tuple[Any, ...], dtype: torch.dtype) -> Product:
    """Linear layers that read the same norm, one below the other."""
    bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
    return Product(torch.cat([layer.weight for layer in layers]) * norm.weight, bias, dtype)


def _gains(attention: Any) -> Tensor | None:
    """Gains of the norms of queries and keys, by head, where a model has them (Qwen 3)."""
    if not hasattr(attention, "q_norm"):
        return None
    counts = (attention.q_proj, attention.q_norm), (attention.k_proj, attention.k_norm)
    rows = [norm.weight.expand(len(layer.weight) // attention.head_dim, -1) for layer, norm in counts]
    return torch.cat(rows)
