"""What a generation of a language recursion costs, and the memory that it takes; from the config alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.families.base import Cost

if TYPE_CHECKING:
    from trainables.families.language.config.language_config import LanguageConfig

SIDE_BY_SIDE = {"cpu": (64, 512), "gpu": (64, 4096)}
"""Fewest and most rows that are sampled together; a GPU's step costs the same time for few rows as for many."""

KEYS_AND_VALUES = {"cpu": 384 * 2**20, "gpu": 8 * 2**30}
"""Bytes that rows may take between the two."""

SHOWN, TOKEN = 16, 3.0
"""Samples in the file of samples, and bytes that a token of theirs takes there."""


def cost(config: LanguageConfig, rows: int) -> Cost:
    """Six operations a parameter and token to fit, four where weights that do not change need no gradient, two to
    sample (Kaplan et al. 2020, table 1)."""
    each = 6.0 if config.lora is None else 4.0
    tokens = config.context * config.updates(rows) * config.batch / rows
    return Cost(
        parameters=config.parameters,
        fit_flops=each * config.parameters * tokens,
        sample_flops=2.0 * config.parameters * config.context,
        row_bytes=config.context * (2.0 if _vocabulary(config) <= 2**16 else 4.0),
        tokens_per_row=config.context,
        kept=config.fitted_parameters,
    )


def side_by_side(config: LanguageConfig, device: str) -> int:
    """Rows that are sampled together on a type of device."""
    kind = "cpu" if device == "cpu" else "gpu"
    width = 4 if kind == "cpu" or config.sampling_precision == "float32" else 2
    row = 2 * config.shape.layers * config.shape.width * config.context * width
    fewest, most = SIDE_BY_SIDE[kind]
    return min(max(KEYS_AND_VALUES[kind] // row, fewest), most)


def without_moments(config: LanguageConfig) -> float:
    """Bytes that are saved by weights that do not change: they have neither gradients nor moments."""
    return 12.0 * (config.parameters - config.fitted_parameters) if config.fitted_parameters is not None else 0.0


def working_bytes(config: LanguageConfig, rows: int) -> float:
    """An update's activations, and the keys and values of rows sampled side by side: recordings of both stay."""
    shape, width = config.shape, 4.0 if config.precision == "float32" else 2.0
    layer = 16.0 * shape.width + 3.0 * shape.intermediate + shape.heads * config.context
    update = config.batch * config.context * 4.0 * (shape.layers * layer + 3.0 * _vocabulary(config))
    together = min(rows, config.side_by_side("cuda"))
    keys_and_values = config.context * shape.layers * 2.0 * shape.width * width
    return update + together * (keys_and_values + 12.0 * _vocabulary(config))


def _vocabulary(config: LanguageConfig) -> int:
    """Tokens, for estimates: those of a checkpoint where it can be read."""
    held = config.readable()
    return config.vocabulary if held is None else held.vocabulary
