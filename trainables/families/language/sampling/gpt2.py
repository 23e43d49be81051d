"""GPT-2 one token at a time. Letters: see `decode.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.families.language.sampling.decoder import Cache, Decoder, KeyValues, Product

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Gpt2Decoder(Decoder):
    """Copies of the model's matrices in the precision of products; all else is read from the model."""

    def __init__(
        self,
        model: PreTrainedModel,
        length: int,
        dtype: torch.dtype,
        cache: Callable[..., Cache] = KeyValues,
    ) -> None:
        self.body: Any = model.transformer
        self.layers = [_Layer(block, dtype) for block in self.body.h]
        self.head = Product(model.lm_head.weight, None, torch.float32)
        self.heads = model.config.num_attention_heads
        width = model.config.hidden_size // self.heads
        self.cache = cache(len(self.layers), self.heads, length, width, self.layers[0].out.weight)

    @staticmethod
    def fits(model: PreTrainedModel) -> bool:
        """Whether the model is a GPT-2 without cross-attention."""
        return model.config.model_type == "gpt2" and not model.config.add_cross_attention

    def begin(self, rows: int) -> None:
        self.cache.begin(rows)

    def step(self, tokens_B: Tensor, place: int | Tensor) -> Tensor:
        x_BD = self.body.wte.weight[tokens_B] + self.body.wpe.weight[place]
        for number, layer in enumerate(self.layers):
            qkv = layer.qkv(layer.norm_attention(x_BD)).float().view(len(x_BD), 3, self.heads, -1)
            found = self.cache.attend(number, place, qkv[:, 0], qkv[:, 1], qkv[:, 2], layer.scale)
            x_BD += layer.out(found)
            x_BD += layer.down(layer.act(layer.up(layer.norm_mlp(x_BD))))
        return self.head(self.body.ln_f(x_BD))

    def tensors(self) -> list[Tensor]:
        """All that a step reads of a model."""
        body = [parameter.detach() for parameter in self.body.parameters()]
        products = [self.head, *(product for layer in self.layers for product in layer.products)]
        return [*body, *(tensor for product in products for tensor in product.tensors)]

    def keep(self, index: Tensor) -> None:
        self.cache.keep(index)


class _Layer:
    """One block's weights as the decoder wants them."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        self.norm_attention, self.norm_mlp = block.ln_1, block.ln_2
        self.qkv, self.out = _product(block.attn.c_attn, dtype), _product(block.attn.c_proj, dtype)
        self.up, self.down = _product(block.mlp.c_fc, dtype), _product(block.mlp.c_proj, dtype)
        self.products = (self.qkv, self.out, self.up, self.down)
        self.act, self.scale = block.mlp.act, float(block.attn.scaling)


def _product(layer: Any, dtype: torch.dtype) -> Product:
    """transformers' `Conv1D`: weights are [in, out]."""
    return Product(layer.weight.T, layer.bias, dtype)
