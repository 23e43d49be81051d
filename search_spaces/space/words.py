"""What a space says about one path: Ray Tune's words, as plain data. Ray is not needed to read or sample them.

In YAML a word is a mapping of one key, `{loguniform: [1.0e-4, 1.0e-2]}`, and where its path exists only for some
values of others a condition, `{uniform: [0, 1], when: {policy.kind: ratio_mix}}`. In Python Ray Tune's own objects
(`tune.loguniform(1e-4, 1e-2)`) are taken as well and become these; `when(word, {…})` adds a condition.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_serializer, model_validator

from trainables.config import Config, canonical_json, did_you_mean

Condition = dict[str, tuple[Any, ...]]
"""Dotted path -> the values of it for which a word applies; several paths must all agree."""


class Conditional(Config):
    """Base of every word.

    Attributes:
        when: for which values of other paths the word applies; where it does not, the base cell's value stands.
    """

    when: Condition = Field(default_factory=dict)

    @field_validator("when", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not all(isinstance(path, str) for path in value):
            raise ValueError(f"needs paths with their values, as in {{policy.kind: ratio_mix}}, not {value!r}")
        return {path: _several(path, held) for path, held in value.items()}

    def _word(self, word: str, values: Sequence[Any]) -> dict[str, Any]:
        """Plain form."""
        return {word: list(values)} | ({"when": {p: list(v) for p, v in self.when.items()}} if self.when else {})


class Grid(Conditional):
    """Every value, combined with every value of the other grids; Tune's `grid_search`."""

    values: tuple[Any, ...]

    @model_validator(mode="after")
    def _checked(self) -> Grid:
        _check_list("grid", self.values)
        return self

    @model_serializer
    def _as_word(self) -> dict[str, Any]:
        return self._word("grid", self.values)


class Choice(Conditional):
    """One of the values, all equally likely; Tune's `choice`."""

    values: tuple[Any, ...]

    @model_validator(mode="after")
    def _checked(self) -> Choice:
        _check_list("choice", self.values)
        return self

    def sample(self, rng: np.random.Generator) -> Any:
        """A value."""
        return self.values[int(rng.integers(len(self.values)))]

    @model_serializer
    def _as_word(self) -> dict[str, Any]:
        return self._word("choice", self.values)


class Range(Conditional):
    """Numbers from `low` to `high`. As in Tune, `randint` and `lograndint` leave `high` out.

    Attributes:
        low, high: bounds.
        log: uniform in the logarithm.
        integer: whole numbers only.
        step: values are multiples of it, bounds included.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False
    step: float | None = Field(default=None, gt=0)

    @property
    def word(self) -> str:
        """Tune's name for it."""
        kind = "randint" if self.integer else "uniform"
        return f"{'q' if self.step else ''}{'log' if self.log else ''}{kind}"

    @property
    def first(self) -> float:
        """The smallest value there is."""
        return self.snap(self.low)

    @property
    def last(self) -> float:
        """The largest value there is."""
        return self.snap(self.high - 1 if self.integer and not self.step else self.high)

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"{self.word}: the low bound {self.low:g} must be below the high bound {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.word}: the low bound {self.low:g} must be above 0 on a log scale")
        bounds = [self.low, self.high, *([self.step] if self.step else [])]
        if self.integer and any(bound != int(bound) for bound in bounds):
            raise ValueError(f"{self.word}: {bounds} must be whole numbers")
        if self.step and np.greater(*self._multiples(self.step)):
            raise ValueError(f"{self.word}: no multiple of {self.step:g} lies from {self.low:g} to {self.high:g}")
        return self

    def sample(self, rng: np.random.Generator) -> float | int:
        """A number."""
        if self.log:
            return self.snap(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        if self.step:  # multiples are equally likely, those at the bounds too
            first, last = self._multiples(self.step)
            return self.snap(int(rng.integers(first, last + 1)) * self.step)
        return (
            int(rng.integers(int(self.low), int(self.high)))
            if self.integer
            else float(rng.uniform(self.low, self.high))
        )

    def snap(self, value: float) -> float | int:
        """The number that the word allows there: the nearest multiple of the step, or the whole number below."""
        if self.step:
            first, last = self._multiples(self.step)
            value = round(min(max(round(value / self.step), first), last) * self.step, 12)
        return math.floor(value) if self.integer else float(value)

    def _multiples(self, step: float) -> tuple[int, int]:
        return math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)

    @model_serializer
    def _as_word(self) -> dict[str, Any]:
        bounds: list[float] = [self.low, self.high, *([self.step] if self.step else [])]
        return self._word(self.word, [int(bound) if self.integer else bound for bound in bounds])


_RANGES: dict[str, dict[str, bool]] = {
    "uniform": {},
    "quniform": {},
    "loguniform": {"log": True},
    "qloguniform": {"log": True},
    "randint": {"integer": True},
    "qrandint": {"integer": True},
    "lograndint": {"log": True, "integer": True},
    "qlograndint": {"log": True, "integer": True},
}

WORDS = ("grid", "choice", *_RANGES)
"""What a space may say in YAML."""


def parse_word(value: Any) -> Grid | Choice | Range:
    """A word from YAML's mapping, from a Ray Tune object, or as it is.

    Raises:
        ValueError: it is no word, or its values can't be right.
    """
    if isinstance(value, (Grid, Choice, Range)):
        return value
    if hasattr(value, "get_sampler"):
        return _from_tune(value)
    said = {key: held for key, held in value.items() if key != "when"} if isinstance(value, Mapping) else {}
    if len(said) != 1:
        raise ValueError(f"needs one word with its values, as in {{grid: [1, 2]}}, not {value!r}{_words()}")
    found = _parse(*next(iter(said.items())))
    return when(found, value["when"]) if "when" in value else found


def when(word: Any, condition: Mapping[str, Any]) -> Grid | Choice | Range:
    """The word, for some values of other paths only: `when(tune.uniform(0, 1), {"policy.kind": "ratio_mix"})`.

    Args:
        word: whatever `parse_word` takes.
        condition: path -> value, or list of values.

    Raises:
        ValueError: it is no condition.
    """
    found = parse_word(word)
    if not isinstance(condition, Mapping) or not condition:
        raise ValueError(f"when: needs paths with their values, as in {{policy.kind: ratio_mix}}, not {condition!r}")
    values = {str(path): _several(str(path), held) for path, held in condition.items()}
    return found.model_copy(update={"when": values})


def _several(path: str, held: Any) -> tuple[Any, ...]:
    values = tuple(held) if isinstance(held, (list, tuple)) else (held,)
    if not values:
        raise ValueError(f"when: {path}: the list is empty; at least one value is needed")
    return tuple(_plain(value) for value in values)


def _parse(word: Any, values: Any) -> Grid | Choice | Range:
    word = "grid" if word == "grid_search" else str(word)
    if word not in WORDS:
        raise ValueError(f"unknown word {word!r}{did_you_mean(word, WORDS)}")
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"{word}: needs a list, not {values!r}")
    return _build(word, [_plain(item) for item in values])


def _build(word: str, values: list[Any]) -> Grid | Choice | Range:
    if word in ("grid", "choice"):
        return Grid(values=tuple(values)) if word == "grid" else Choice(values=tuple(values))
    wanted = 3 if word.startswith("q") else 2
    if len(values) != wanted:
        bounds = "[low, high, step]" if wanted == 3 else "[low, high]"
        raise ValueError(f"{word}: needs {bounds}, not {values!r}")
    numbers = [_number(word, value) for value in values]
    step = numbers[2] if wanted == 3 else None
    if step is not None and step <= 0:
        raise ValueError(f"{word}: the step {step:g} must be above 0")
    return Range(low=numbers[0], high=numbers[1], step=step, **_RANGES[word])


def _number(word: str, value: Any) -> float:
    """YAML 1.1 reads 1e-4 as text; a number is meant."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{word}: {value!r} is not a number") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"{word}: {value!r} is not a finite number")
    return number


def _from_tune(domain: Any) -> Choice | Range:
    """A Ray Tune domain, told by the names of its classes, so that Ray need not be imported."""
    kind = type(domain).__name__
    if kind == "Categorical":
        return Choice(values=tuple(_plain(item) for item in domain.categories))
    sampler, step = domain.get_sampler(), None
    if type(sampler).__name__ == "Quantized":
        sampler, step = sampler.sampler, float(sampler.q)
    name = type(sampler).__name__
    if kind not in ("Float", "Integer") or not name.endswith("Uniform"):
        raise ValueError(f"Tune's {domain!r} has no word here{_words()}")
    return Range(low=domain.lower, high=domain.upper, log="Log" in name, integer=kind == "Integer", step=step)


def _plain(value: Any) -> Any:
    """numpy's scalars as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _check_list(word: str, values: tuple[Any, ...]) -> None:
    if not values:
        raise ValueError(f"{word}: the list is empty; at least one value is needed")
    seen: set[str] = set()
    for value in values:
        text = canonical_json(value)
        if text in seen:
            raise ValueError(f"{word}: the value {value!r} stands there twice")
        seen.add(text)


def _words() -> str:
    return f" (known words: {', '.join(WORDS)})"


Word = Annotated[SerializeAsAny[Grid | Choice | Range], BeforeValidator(parse_word)]
"""A field that holds a word."""
