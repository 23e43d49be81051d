"""A first look at an architecture, before anything is trained: it can be built, is causal, and reads a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from trainables.config import canonical_json
from trainables.families.language.checkpoint import pretrained
from trainables.families.language.config import AUTO
from trainables.families.language.model import create, hf_config

if TYPE_CHECKING:
    from trainables.families.language.config import LanguageConfig

WORDS = 64
"""Different tokens that are read; a vocabulary has more."""


@dataclass(frozen=True)
class Carried:
    """Carries a config through a cache whose key is what its weights are."""

    config: LanguageConfig = field(compare=False)


LARGEST = 50_000_000
"""Parameters up to which a model is built to be looked at; a larger one is taken as it is."""


def try_out(config: LanguageConfig) -> None:
    """Refuse an architecture that can't work; once a process and architecture.

    Raises:
        ValueError: it can't be built with its dimensions and overrides, has other dimensions than stated, raises when
            it reads a row, or sees later tokens.
    """
    try:
        _check_dimensions(config)
    except Exception as problem:  # an architecture's own code may raise anything
        told = config.base is not None or str(problem).startswith(("architecture: ", "intermediate: ", "overrides: "))
        if told and isinstance(problem, ValueError):
            raise
        raise _does_not_work(config, problem) from problem
    shape = {"architecture", "size", "width", "layers", "heads", "intermediate", "overrides", "vocabulary", "context"}
    shape |= config.start_fields
    _look(canonical_json(config.model_dump(mode="json", include=shape)), type(config))


def try_checkpoint(config: LanguageConfig) -> None:
    """Refuse a checkpoint that can't work; its weights are loaded once a process, where they are few enough.

    Raises:
        ValueError: it can't be read or loaded, is of another architecture than the config says, reads fewer tokens than
            the context has, or sees later ones.
    """
    base = config.base
    assert base is not None  # asked only where there is one
    if config.architecture not in (AUTO, base.model_type):
        raise ValueError(
            f"architecture: the checkpoint {str(base.folder)!r} is a {base.model_type!r}, not {config.architecture!r}; "
            "leave architecture out"
        )
    if base.positions is not None and config.context > base.positions:
        raise ValueError(
            f"context: {config.context} tokens exceed the {base.positions} positions of {str(base.folder)!r}"
        )
    try_out(config)
    if config.parameters <= LARGEST:
        _load(base.digest, canonical_json(config.overrides), Carried(config))


EXCESS = 50
"""Times the parameters of a plain transformer of the stated dimensions beyond which these did not take effect."""


def _check_dimensions(config: LanguageConfig) -> None:
    """Refuse a model that is large because its config has dimensions of its own, which nobody stated.

    Raises:
        ValueError: one line names the largest of these.
    """
    found = hf_config(config)
    if config.overrides or config.base is not None:
        return
    dims = config.shape
    asked = 12 * dims.layers * dims.width**2 + 2 * config.vocabulary * dims.width
    if config.parameters > max(LARGEST, EXCESS * asked):
        stated = {config.vocabulary, dims.width, dims.layers, dims.heads, dims.intermediate, config.positions}
        parts = [name for name, value in vars(found).items() if hasattr(value, "to_dict")]
        own = {
            name: value for name, value in vars(found).items() if type(value) is int and value not in {0, 1, *stated}
        }
        largest = sorted((n for n in own if not n.endswith("_token_id")), key=lambda name: -own[name])[:4]
        listed = ", ".join([*parts, *(f"{name}: {own[name]}" for name in largest)])
        raise ValueError(
            f"architecture: {config.architecture!r} has {config.parameters:,} parameters where about {asked:,} are "
            f"asked for: it has dimensions of its own; state them in overrides ({listed})"
        )


def _does_not_work(config: LanguageConfig, problem: Exception) -> ValueError:
    reason = (str(problem).strip().splitlines() or [""])[0]
    said = f"{type(problem).__name__}: {reason}" if reason else type(problem).__name__
    name = config.architecture if config.base is None else config.base.model_type
    return ValueError(f"architecture: {name!r} does not work with its dimensions and overrides ({said})")


@lru_cache(maxsize=64)
def _load(digest: str, overrides: str, carried: Carried) -> None:
    pretrained(carried.config)


@lru_cache(maxsize=256)
def _look(shape: str, kind: type[LanguageConfig]) -> None:
    import torch

    config = kind.model_validate_json(shape)
    name = config.architecture if config.base is None else config.base.model_type
    try:
        if config.parameters > LARGEST:
            return
        model = create(config, 0).eval()
        tokens_BT = torch.arange(2 * config.context, device=next(model.parameters()).device).view(2, -1) % min(
            WORDS, config.tokens - 1
        )
        later_BT = tokens_BT.clone()
        later_BT[:, -1] += 1
        with torch.inference_mode():
            before, after = (model(t, use_cache=False).logits[:, :-1].float() for t in (tokens_BT, later_BT))
    except Exception as problem:  # an architecture's own code may raise anything
        raise _does_not_work(config, problem) from problem
    if not torch.allclose(before, after, atol=1e-4, rtol=1e-3):
        raise ValueError(
            f"architecture: {name!r} sees later tokens, so that its loss would know the answer; "
            + ("overrides: {is_decoder: true} makes it causal" if _has_switch(config) else "take a causal one")
        )


def _has_switch(config: LanguageConfig) -> bool:
    """Whether an architecture is made causal by a field of its own, which nobody has set."""
    return getattr(hf_config(config), "is_decoder", None) is False
