"""Weights of adapters: put on a checkpoint, read off as arrays, and merged into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from trainables.families.language.adapters.layers import injected
from trainables.families.language.model import load
from trainables.runtime import isolated

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

Tensors = Mapping[str, np.ndarray]


def adapted(config: LanguageConfig, base: Tensors, adapters: Tensors | None = None, seed: int = 0) -> PreTrainedModel:
    """The model of `base` with adapters that can be fitted; the rest of it is frozen.

    Args:
        config: of the model; it has `lora`.
        base: weights of the checkpoint.
        adapters: that are gone on from; None begins new ones: A by Kaiming's rule, B zero, as peft does.
        seed: of new ones.
    """
    assert config.lora is not None  # asked only where there are adapters
    model = load(config, base)
    with isolated(seed):
        injected(config.lora, model)
    if adapters is not None:
        _set(model, adapters)
    return model


def adapter_weights(model: PreTrainedModel) -> dict[str, np.ndarray]:
    """A and B of every adapted layer, in single precision, by the names that peft gives them."""
    from peft import get_peft_model_state_dict

    held = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: value.detach().float().cpu().numpy() for name, value in held.items()}


def merged(config: LanguageConfig, base: Tensors, adapters: Tensors) -> PreTrainedModel:
    """A plain model whose weights are W + (alpha / rank) · B A, ready to be read from."""
    assert config.lora is not None  # asked only where there are adapters
    model = load(config, base)
    with isolated(0):
        tuner = injected(config.lora, model)
    _set(model, adapters)
    found: PreTrainedModel = tuner.merge_and_unload()
    return found.eval()


def _set(model: PreTrainedModel, adapters: Tensors) -> None:
    import torch
    from peft import set_peft_model_state_dict

    state = {name: torch.from_numpy(np.array(value)) for name, value in adapters.items()}
    lost = set_peft_model_state_dict(model, state)
    assert not lost.unexpected_keys, f"adapters of other layers: {lost.unexpected_keys[:3]}"
