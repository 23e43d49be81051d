"""GPT-2 one token at a time, on transformers' own weights. Letters: see `decode.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.families.language.decode import Decoder, KeyValues

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Gpt2Decoder(Decoder):
    """Reads the model's parameters; keeps none of its own."""

    def __init__(self, model: PreTrainedModel, rows: int, length: int) -> None:
        self.body: Any = model.transformer
        self.head_DV: Tensor = model.lm_head.weight.T
        self.heads = model.config.num_attention_heads
        width = model.config.hidden_size // self.heads
        self.cache = KeyValues(model.config.num_hidden_layers, rows, self.heads, length, width, self.head_DV)

    @staticmethod
    def fits(model: PreTrainedModel) -> bool:
        """Whether the model is a GPT-2 without cross-attention."""
        return model.config.model_type == "gpt2" and not model.config.add_cross_attention

    def step(self, tokens_B: Tensor, place: int) -> Tensor:
        x_BD = self.body.wte.weight[tokens_B] + self.body.wpe.weight[place]
        for layer, block in enumerate(self.body.h):
            x_BD = x_BD + self._attention(layer, place, block, block.ln_1(x_BD))
            hidden = block.mlp.act(_affine(block.mlp.c_fc, block.ln_2(x_BD)))
            x_BD = x_BD + _affine(block.mlp.c_proj, hidden)
        logits_BV: Tensor = self.body.ln_f(x_BD) @ self.head_DV
        return logits_BV

    def keep(self, index: Tensor) -> None:
        self.cache.keep(index)

    def _attention(self, layer: int, place: int, block: Any, x_BD: Tensor) -> Tensor:
        qkv = _affine(block.attn.c_attn, x_BD).view(len(x_BD), 3, self.heads, -1)
        found = self.cache.attend(layer, place, qkv[:, 0], qkv[:, 1], qkv[:, 2], block.attn.scaling)
        return _affine(block.attn.c_proj, found)


def _affine(layer: Any, x: Tensor) -> Tensor:
    """transformers' `Conv1D`: weights are [in, out]."""
    return torch.addmm(layer.bias, x, layer.weight)
