"""Models by config: any causal architecture of transformers, freshly initialised or read back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.config import did_you_mean
from trainables.families.language.config import BOS, EOS
from trainables.families.language.sizes import INNER
from trainables.runtime import isolated, pick_device

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

    from trainables.families.language.config import LanguageConfig


def hf_config(config: LanguageConfig) -> PretrainedConfig:
    """The transformers config of the model.

    Dropout is off unless overridden: every generation sees its corpus a few times at most.

    Raises:
        ValueError: the architecture is unknown or not causal, or refuses a field.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    if config.base is not None:
        return config.base.hf_config(config.overrides)
    name = config.architecture
    if name not in CAUSAL:
        raise ValueError(f"architecture: {name!r} is no causal model of transformers{did_you_mean(name, CAUSAL)}")
    dims = config.shape
    wanted: dict[str, Any] = {
        "vocab_size": config.vocabulary,
        "hidden_size": dims.width,
        "num_hidden_layers": dims.layers,
        "num_attention_heads": dims.heads,
        "intermediate_size": dims.intermediate,
        "max_position_embeddings": config.positions,
        "tie_word_embeddings": dims.tied,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }
    kind = CONFIG_MAPPING[name]
    defaults = kind()
    if (text := defaults.get_text_config()) is not defaults:
        raise ValueError(
            f"architecture: {name!r} holds models of several kinds, whose dimensions can't be stated; "
            f"{_instead(config, str(text.model_type))}"
        )
    if config.intermediate is not None:
        wanted |= _inner(config, defaults)
    if hasattr(defaults, "initializer_range"):
        wanted["initializer_range"] = config.init_std
    if hasattr(defaults, "num_key_value_heads"):
        wanted["num_key_value_heads"] = dims.heads
    derived = isinstance(getattr(kind, "head_dim", None), property)
    if getattr(defaults, "head_dim", None) is not None and not derived:
        wanted["head_dim"] = dims.width // dims.heads
    if (getattr(defaults, "rotary_dim", None) or 0) > dims.width // dims.heads:
        wanted["rotary_dim"] = dims.width // dims.heads
    if (getattr(defaults, "pad_token_id", None) or 0) >= config.vocabulary:
        wanted["pad_token_id"] = None  # rows are never padded with a token of their own
    if getattr(defaults, "activation_function", None) == "gelu_new":
        wanted["activation_function"] = "gelu_pytorch_tanh"  # the same function, fused
    for field in vars(defaults):
        if field.endswith(("dropout", "_pdrop")):
            wanted[field] = 0.0
    for field in config.overrides:
        if not hasattr(defaults, field):
            raise ValueError(f"overrides: {name} has no field {field!r}{did_you_mean(field, vars(defaults))}")
        _check_alias(field, defaults, wanted)
    try:
        return kind(**wanted | config.overrides)
    except (ValueError, TypeError, StrictDataclassError) as problem:
        reason = str(problem).strip().splitlines()[-1].strip()
        raise ValueError(f"overrides: {name} refuses its dimensions and overrides: {reason}") from problem


def _inner(config: LanguageConfig, defaults: PretrainedConfig) -> dict[str, Any]:
    """The width inside a feed-forward block, as asked for, by the name that the architecture has for it."""
    name, width = config.architecture, config.intermediate
    if name in INNER:
        return {"n_inner": width}
    if not hasattr(defaults, "intermediate_size"):
        raise ValueError(
            f"intermediate: {name} has no `intermediate_size`; leave it out, and state its own in overrides"
        )
    return {}


def _check_alias(field: str, defaults: PretrainedConfig, wanted: Mapping[str, Any]) -> None:
    """Refuse another name of what is stated, which would not take effect beside it."""
    names = {own: common for common, own in defaults.attribute_map.items() if common in wanted}
    if field in names:
        raise ValueError(f"overrides: {field!r} goes by the name of {names[field]!r} here; write that")


def _instead(config: LanguageConfig, part: str) -> str:
    """Advice to take a part of a composite architecture, where that part works by itself."""
    from trainables.families.language.trial import try_out

    try:
        try_out(type(config).model_validate(config.model_dump(exclude_unset=True) | {"architecture": part}))
    except ValueError:
        return f"its text model, {part!r}, does not work either: take another architecture"
    return f"take {part!r}"


def create(config: LanguageConfig, seed: int) -> PreTrainedModel:
    """A freshly initialised model in single precision; no global generator is touched."""
    import torch

    with isolated(seed):
        model = _construct(config)
    return model.to(device=pick_device(), dtype=torch.float32)


def load(config: LanguageConfig, tensors: Mapping[str, np.ndarray]) -> PreTrainedModel:
    """A model with given weights, ready to be read from."""
    import torch
    from transformers.initialization import no_init_weights

    with isolated(0), no_init_weights():
        model = _construct(config)
        model.tie_weights()
    state = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(state[name])
    return model.to(device=pick_device()).eval()


def weights(model: PreTrainedModel) -> dict[str, np.ndarray]:
    """Every parameter once, in single precision."""
    return {name: p.detach().float().cpu().numpy() for name, p in model.named_parameters()}


def count_parameters(config: LanguageConfig) -> int:
    """Parameters of the model."""
    return sum(p.numel() for p in blank(config).parameters())


def blank(config: LanguageConfig) -> PreTrainedModel:
    """The model without memory for its weights."""
    import torch

    with torch.device("meta"):
        return _construct(config)


def autocast(config: LanguageConfig) -> AbstractContextManager[Any]:
    """Bfloat16 arithmetic where the config asks for it or, by `auto`, on a GPU that has it."""
    import torch

    return torch.autocast(pick_device().type, dtype=torch.bfloat16, enabled=halves(config))


def halves(config: LanguageConfig) -> bool:
    """Whether fits and judgements calculate in bfloat16."""
    return config.precision == "bfloat16" or (config.precision == "auto" and _gpu_gains())


def sampling_dtype(config: LanguageConfig) -> torch.dtype:
    """Of matrix products while sampling."""
    import torch

    wanted = config.sampling_precision
    return torch.bfloat16 if wanted == "bfloat16" or (wanted == "auto" and _gpu_gains()) else torch.float32


def _gpu_gains() -> bool:
    import torch

    return pick_device().type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def _construct(config: LanguageConfig) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_config(hf_config(config), dtype=torch.float32)
