"""Which layers of a model have adapters, found and refused on a model without memory, before anything is fitted."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from trainables.config import canonical_json, did_you_mean
from trainables.families.language.model import blank
from trainables.families.language.pretrained import Lora
from trainables.runtime import require

if TYPE_CHECKING:
    from peft import LoraConfig, LoraModel
    from torch import nn
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

ALL_LINEAR = "all-linear"


def check_adapters(config: LanguageConfig) -> None:
    """Refuse adapters that can't be had.

    Raises:
        ValueError: peft is not installed, or a target is no linear layer, or one that peft refuses.
    """
    require("peft", "lora")
    adapter_parameters(config)


def adapter_parameters(config: LanguageConfig) -> int:
    """Parameters of the adapters of a config, without memory for them.

    Raises:
        ValueError: as `check_adapters`.
    """
    fields = {"architecture", "size", "width", "layers", "heads", "intermediate", "overrides", "vocabulary", "context"}
    fields |= config.start_fields | {"lora"}
    return _counted(canonical_json(config.model_dump(mode="json", include=fields)), _Carried(config))


@dataclass(frozen=True)
class _Carried:
    """Carries a config through a cache whose key is what decides the layers."""

    config: LanguageConfig = field(compare=False)


@lru_cache(maxsize=64)
def _counted(identity: str, carried: _Carried) -> int:
    lora = carried.config.lora
    assert lora is not None  # asked only where there are adapters
    model = blank(carried.config)
    for name in lora.targets or ():
        _check_target(name, model)
    try:
        injected(lora, model)
    except Exception as problem:  # peft raises what it likes
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ValueError(f"lora.targets: {reason}") from problem
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _check_target(name: str, model: PreTrainedModel) -> None:
    """Refuse a name that is none of a linear layer below the one that gives logits."""
    found = [module for key, module in model.named_modules() if key == name or key.endswith(f".{name}")]
    fit = {key.rpartition(".")[2] for key, module in model.named_modules() if _linear(module, model)}
    what = model.config.model_type
    if not found:
        raise ValueError(f"lora.targets: {what} has no layer {name!r}{did_you_mean(name, sorted(fit))}")
    if not all(_linear(module, model) for module in found):
        known = ", ".join(sorted(fit))
        raise ValueError(f"lora.targets: {name!r} of {what} is no linear layer inside it (known: {known})")


def _linear(module: nn.Module, model: PreTrainedModel) -> bool:
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, (nn.Linear, Conv1D)) and module is not model.get_output_embeddings()


def injected(lora: Lora, model: PreTrainedModel) -> LoraModel:
    """The model with new adapters, in place; of its parameters these alone are fitted."""
    from peft import LoraModel

    with _unwarned():
        return LoraModel(model, settings(lora, model), "default")


def settings(lora: Lora, model: PreTrainedModel) -> LoraConfig:
    """What peft calls the same."""
    from peft import LoraConfig
    from transformers.pytorch_utils import Conv1D

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=ALL_LINEAR if lora.targets is None else list(lora.targets),
        lora_dropout=lora.dropout,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        task_type="CAUSAL_LM",
    )


@contextmanager
def _unwarned() -> Iterator[None]:
    """Without what peft warns of: patterns of layers that an architecture might have, and this model has not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
