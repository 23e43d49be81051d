"""Llama in bfloat16 on a CPU. Letters: see `forward.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.functional import embedding

from trainables.families.language.cpu.forward import attention, gated, joined, root_mean_square_norm
from trainables.families.language.sampling import LlamaDecoder

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def fits(model: PreTrainedModel) -> bool:
    """Whether the model is a Llama without biases, dropout or shared keys, with the usual activation."""
    config = model.config
    if config.model_type != "llama" or not LlamaDecoder.fits(model):
        return False
    plain = not (config.attention_bias or config.mlp_bias or config.attention_dropout)
    return plain and config.hidden_act == "silu" and config.num_key_value_heads == config.num_attention_heads


def hidden(model: PreTrainedModel, tokens_BT: Tensor) -> Tensor:
    """The last hidden states after the final norm, [N, D]."""
    body: Any = model.model
    x_ND = embedding(tokens_BT.flatten(), body.embed_tokens.weight)
    turns = _turns(body, tokens_BT)
    shape = (*tokens_BT.shape, model.config.num_attention_heads)
    for layer in body.layers:
        attend, mlp, norms = layer.self_attn, layer.mlp, (layer.input_layernorm, layer.post_attention_layernorm)
        read_ND = root_mean_square_norm(x_ND, norms[0].weight, norms[0].variance_epsilon)
        qkv = read_ND @ joined(attend.q_proj.weight, attend.k_proj.weight, attend.v_proj.weight).T
        x_ND = x_ND + attention(qkv, shape, turns) @ joined(attend.o_proj.weight).T
        read_ND = root_mean_square_norm(x_ND, norms[1].weight, norms[1].variance_epsilon)
        inner = gated(read_ND @ joined(mlp.gate_proj.weight, mlp.up_proj.weight).T)
        x_ND = x_ND + inner @ joined(mlp.down_proj.weight).T
    return root_mean_square_norm(x_ND, body.norm.weight, body.norm.variance_epsilon)


def _turns(body: Any, tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of all places, [T, K], the sign of rotate-half in the sines."""
    places = tokens_BT.new_ones(1, tokens_BT.shape[1]).cumsum(dim=1) - 1
    cos, sin = body.rotary_emb(body.norm.weight, places)
    sin = sin[0].clone()
    sin[:, : sin.shape[1] // 2] *= -1
    return cos[0], sin
