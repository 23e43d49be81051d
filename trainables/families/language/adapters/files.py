"""Adapters as peft reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trainables.families.language.adapters.layers import settings
from trainables.families.language.config import LanguageConfig
from trainables.families.language.model import blank

FILE = "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What peft writes before a layer's name."""


def write_adapters(
    config: LanguageConfig, adapters: Mapping[str, np.ndarray], base: str, revision: str | None, folder: Path
) -> None:
    """Write adapters and their settings as `PeftModel.from_pretrained` reads them.

    Args:
        config: of the model; it has `lora`.
        adapters: by name, as `adapter_weights` gives them.
        base: folder or repository of the checkpoint.
        revision: of a repository.
        folder: where to write.
    """
    from safetensors.numpy import save_file

    assert config.lora is not None  # asked only where there are adapters
    about = settings(config.lora, blank(config))
    about.base_model_name_or_path, about.revision, about.inference_mode = base, revision, True
    folder.mkdir(parents=True, exist_ok=True)
    about.save_pretrained(str(folder))
    tensors = {PREFIX + name: np.ascontiguousarray(value) for name, value in adapters.items()}
    save_file(tensors, str(folder / FILE), metadata={"format": "pt"})
