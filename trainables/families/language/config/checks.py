"""Which settings of a language recursion go together; what does not is refused in one line that names the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.families.language.config.reserved import AUTO
from trainables.families.language.sizes import FORMULAS, SIZES, shape, suggest_size

if TYPE_CHECKING:
    from trainables.families.language.config.language_config import LanguageConfig


def check_together(config: LanguageConfig) -> None:
    """What the settings alone tell.

    Raises:
        ValueError: two of them contradict each other, or one names nothing that is known.
    """
    _check_samples(config)
    _check_pairs(config)
    _check_start(config)
    if config.loads:
        _check_left_to_the_checkpoint(config)
    else:
        _check_dimensions(config)


def check_fits(config: LanguageConfig, replicates: int) -> None:
    """What a look at the architecture, or at the checkpoint, tells.

    Raises:
        ValueError: the model can't be built, read, adapted, or fitted side by side.
    """
    if replicates > 1:
        _check_side_by_side(config)
    _check_model(config)
    if config.reference_size is not None:
        _check_reference(config)
    if config.lora is not None and (not config.loads or config.readable() is not None):
        from trainables.families.language.adapters import check_adapters

        check_adapters(config)


def _check_samples(config: LanguageConfig) -> None:
    if config.decoding != "sample" and not config.prompted:
        raise ValueError(
            f"decoding: {config.decoding} gives one and the same row without prompts that differ; say which, as in "
            "prompts: first_token"
        )
    if config.loss.tokens is not None and config.loss.tokens > config.context:
        raise ValueError(f"loss.tokens: the last {config.loss.tokens} of rows of {config.context} tokens (context)")


def _check_pairs(config: LanguageConfig) -> None:
    pairs = config.source.paired
    if pairs and config.sequences != "documents":
        raise ValueError("sequences: a source of prompts and responses needs documents, one pair a row")
    for name, word in (("loss.on", config.loss.on), ("prompts", config.prompts)):
        if word in ("response", "source") and not pairs:
            raise ValueError(
                f"{name}: {word} needs a source of pairs, as in source: {{kind: text, path: pairs.jsonl, "
                "column: response, prompt_column: prompt}"
            )
    if config.prompts == "prefix" and config.prompt_tokens >= config.context:
        raise ValueError(
            f"prompt_tokens: {config.prompt_tokens} tokens leave nothing to sample in a context of {config.context}"
        )


def _check_start(config: LanguageConfig) -> None:
    if config.checkpoint is not None and config.reference_size is not None:
        raise ValueError("reference_size: the reference starts at the checkpoint too; leave it out")
    if config.lora is not None and config.checkpoint is None:
        raise ValueError("lora: adapts a checkpoint; name one, as in start: checkpoint, checkpoint: {path: my-model}")


def _check_left_to_the_checkpoint(config: LanguageConfig) -> None:
    """Refuse what a checkpoint decides."""
    fields = type(config).model_fields
    for name in ("vocabulary", "size", "width", "layers", "heads", "intermediate", "initializer_range"):
        if getattr(config, name) != fields[name].default:
            raise ValueError(f"{name}: the checkpoint's own; leave it out")


def _check_dimensions(config: LanguageConfig) -> None:
    if config.architecture == AUTO:
        raise ValueError("architecture: auto is a checkpoint's own; name one, as in architecture: gpt2")
    for name, size in (("size", config.size), ("reference_size", config.reference_size)):
        if size is not None and size not in SIZES:
            raise ValueError(f"{name}: unknown size {size!r}{suggest_size(size)}")
    if config.shape.width % config.shape.heads:
        raise ValueError(f"heads: {config.shape.heads} heads do not divide a width of {config.shape.width}")
    if config.architecture == "gpt2":
        _check_positions(config)


def _check_positions(config: LanguageConfig) -> None:
    """Refuse rows that are longer than a table of positions, the model's own or that of the one that judges."""
    for name, size in (("size", config.size), ("reference_size", config.reference_size)):
        held = shape(size, config.architecture).positions if size is not None else None
        if held is not None and held < config.context:
            raise ValueError(f"context: {config.context} tokens exceed the {held} positions of {name} {size}")


def _check_side_by_side(config: LanguageConfig) -> None:
    """Refuse replicates of what is not fitted as one batched model."""
    if config.loads:
        raise ValueError("replicates: a checkpoint's model is fitted alone; use several seeds instead")
    if config.lora is not None:
        raise ValueError("replicates: adapters are fitted alone; use several seeds instead")
    if config.overrides or config.architecture not in FORMULAS:
        other = "overrides" if config.architecture in FORMULAS else config.architecture
        raise ValueError(
            f"replicates: {' and '.join(sorted(FORMULAS))} without overrides are fitted side by side, {other} "
            f"{'are' if other == 'overrides' else 'is'} not; use several seeds instead"
        )


def _check_reference(config: LanguageConfig) -> None:
    """Refuse a model that judges rows, and can't work, before anything is fitted."""
    try:
        _check_model(config.reference)
    except ValueError as problem:
        raise ValueError(f"reference_size: {config.reference_size} is refused; {problem}") from problem


def _check_model(config: LanguageConfig) -> None:
    """Refuse an architecture that can't work, and a checkpoint that can't be read or is not what the config says.

    One of the hub that is not at hand is asked for only where nothing says its size.
    """
    if config.checkpoint is not None and config.loads:
        if config.checkpoint.parameters is None or config.readable() is not None:
            from trainables.families.language.trial import try_checkpoint

            try_checkpoint(config)
    elif config.overrides or config.architecture not in FORMULAS:
        from trainables.families.language.trial import try_out

        try_out(config)
