"""Llama one token at a time, on transformers' own weights. Letters: see `decode.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.families.language.decode import Decoder, KeyValues

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LlamaDecoder(Decoder):
    """Joins the weights that read one input into one matrix, and the rotations of all places into one table."""

    def __init__(self, model: PreTrainedModel, rows: int, length: int) -> None:
        config = model.config
        self.body: Any = model.model
        self.head_VD: Tensor = model.lm_head.weight
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.norm = _rms(self.body.norm)
        self.layers = [_Layer(layer) for layer in self.body.layers]
        width = self.layers[0].head_width
        self.cache = KeyValues(config.num_hidden_layers, rows, self.kv_heads, length, width, self.head_VD)
        places = torch.arange(length, device=self.head_VD.device)[None]
        cos, sin = self.body.rotary_emb(self.head_VD, places)
        half = width // 2
        self.cos_TK, self.sin_TK = cos[0], torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)

    @staticmethod
    def fits(model: PreTrainedModel) -> bool:
        """Whether the model is a Llama whose rotations do not depend on the length of the text."""
        config = model.config
        return config.model_type == "llama" and config.rope_parameters["rope_type"] in ("default", "linear", "llama3")

    def step(self, tokens_B: Tensor, place: int) -> Tensor:
        x_BD: Tensor = self.body.embed_tokens.weight[tokens_B]
        for number, layer in enumerate(self.layers):
            x_BD = x_BD + self._attention(number, place, layer, x_BD)
            gate, up = F.linear(layer.norm_mlp(x_BD), layer.gate_up, layer.gate_up_bias).chunk(2, dim=-1)
            x_BD = x_BD + layer.down(layer.act(gate) * up)
        return F.linear(self.norm(x_BD), self.head_VD)

    def keep(self, index: Tensor) -> None:
        self.cache.keep(index)

    def _attention(self, number: int, place: int, layer: _Layer, x_BD: Tensor) -> Tensor:
        qkv = F.linear(layer.norm_attention(x_BD), layer.qkv, layer.qkv_bias)
        qkv_BHK = qkv.view(len(x_BD), self.heads + 2 * self.kv_heads, layer.head_width)
        turned = self._rotated(qkv_BHK[:, : self.heads + self.kv_heads], place)
        q_BHK, k_BHK = turned[:, : self.heads], turned[:, self.heads :]
        v_BHK = qkv_BHK[:, self.heads + self.kv_heads :]
        found: Tensor = layer.out(self.cache.attend(number, place, q_BHK, k_BHK, v_BHK, layer.scale))
        return found

    def _rotated(self, x_BHK: Tensor, place: int) -> Tensor:
        """Rotary position embedding; the sign of rotate-half is in the table of sines."""
        swapped_BHK = x_BHK.roll(x_BHK.shape[-1] // 2, dims=-1)
        return torch.addcmul(x_BHK * self.cos_TK[place], swapped_BHK, self.sin_TK[place])


class _Layer:
    """One block's weights as the decoder wants them."""

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.head_width: int = attention.head_dim
        self.scale: float = attention.scaling
        self.norm_attention, self.norm_mlp = _rms(layer.input_layernorm), _rms(layer.post_attention_layernorm)
        self.qkv, self.qkv_bias = _joined(attention.q_proj, attention.k_proj, attention.v_proj)
        self.gate_up, self.gate_up_bias = _joined(mlp.gate_proj, mlp.up_proj)
        self.out, self.down, self.act = attention.o_proj, mlp.down_proj, mlp.act_fn


def _joined(*layers: Any) -> tuple[Tensor, Tensor | None]:
    """Weights and biases of linear layers, one below the other."""
    bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
    return torch.cat([layer.weight for layer in layers]), bias


def _rms(norm: Any) -> Callable[[Tensor], Tensor]:
    """The model's root-mean-square norm in one fused call."""
    return lambda x: F.rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)
