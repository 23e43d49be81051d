"""GPT-2 in bfloat16 on a CPU. Letters: see `forward.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, layer_norm

from trainables.families.language.cpu.forward import attention

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def fits(model: PreTrainedModel) -> bool:
    """Whether the model is a GPT-2 without dropout, with the usual scale of scores."""
    config = model.config
    if config.model_type != "gpt2" or config.add_cross_attention:
        return False
    dropout = config.attn_pdrop or config.embd_pdrop or config.resid_pdrop
    return bool(config.scale_attn_weights) and not (config.scale_attn_by_inverse_layer_idx or dropout)


def hidden(model: PreTrainedModel, tokens_BT: Tensor) -> Tensor:
    """The last hidden states after the final norm, [N, D]."""
    body: Any = model.transformer
    places_TD = body.wpe.weight[: tokens_BT.shape[1]]
    x_ND = (embedding(tokens_BT, body.wte.weight) + places_TD).flatten(0, 1)
    shape = (*tokens_BT.shape, model.config.num_attention_heads)
    for block in body.h:
        qkv = _product(_norm(block.ln_1, x_ND), block.attn.c_attn)
        x_ND = x_ND + _product(attention(qkv, shape), block.attn.c_proj)
        inner = block.mlp.act(_product(_norm(block.ln_2, x_ND), block.mlp.c_fc))
        x_ND = x_ND + _product(inner, block.mlp.c_proj)
    return _norm(body.ln_f, x_ND)


def _norm(norm: Any, x_ND: Tensor) -> Tensor:
    return layer_norm(x_ND, norm.normalized_shape, norm.weight, norm.bias, norm.eps).bfloat16()


def _product(x: Tensor, layer: Any) -> Tensor:
    """x · weight + bias, as `Conv1D` keeps them."""
    return torch.addmm(layer.bias.bfloat16(), x, layer.weight.bfloat16())
