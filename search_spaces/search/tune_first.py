"""`tune_first`: hyperparameters that are nobody's question, tuned for each size alike and then frozen for all policies.

Which values are tried is fixed beforehand (a Sobol sequence, or a grid), so that neither order nor concurrency can
change what is chosen, and more samples go on where fewer stopped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from search_spaces.search.kinds import SearchConfig
from search_spaces.space import Choice, Grid, Range, Word, parse_word
from trainables.config import Config, did_you_mean
from trainables.lineage import Stream, make_key


class TuneFirst(Config):
    """How nuisance hyperparameters are tuned.

    Attributes:
        params: paths, or names of the family's fields, that the space has words for; or path -> word.
        on: what they are judged on: the validation loss of generation 1, which all policies share.
        num_samples: settings to try for each size; of grids alone, all combinations are tried.
        seeds: of the block's seeds, the first so many; a setting's loss is the mean over them.
        seed: of the settings' sequence.
    """

    params: tuple[str, ...] | dict[str, Word]
    on: Literal["generation 1"] = "generation 1"
    num_samples: int = Field(default=8, ge=1, le=10_000)
    seeds: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _no_switch(cls, data: Any) -> Any:
        """YAML 1.1 reads the key `on` as true."""
        if isinstance(data, Mapping) and True in data:
            return {"on" if key is True else key: value for key, value in data.items()}
        return data

    @field_validator("params", mode="before")
    @classmethod
    def _full(cls, value: Any) -> Any:
        if not isinstance(value, (Mapping, list, tuple)):
            raise ValueError(f"needs paths, as in [learning_rate], or paths with words, not {value!r}")
        if not value:
            raise ValueError("the list is empty; at least one path is needed")
        if isinstance(value, Mapping):
            return {_path(str(name)): parse_word(word) for name, word in value.items()}
        return tuple(_path(str(name)) for name in value)

    def words(self, space: Mapping[str, Any]) -> dict[str, Grid | Choice | Range]:
        """What may be tried, by path."""
        if isinstance(self.params, Mapping):
            return dict(self.params)
        return {path: space[path] for path in self.params if path in space}

    def check_block(self, cell: Mapping[str, Any], space: Mapping[str, Any], search: SearchConfig) -> None:
        """Refuse what can't be tuned, or could not be tuned for all policies alike.

        Raises:
            ValueError: one line that starts with the place.
        """
        for path in self.params:
            if not path.startswith("family."):
                raise ValueError(f"tune_first.params: {path}: only the family's fields are tuned; policies share them")
            if isinstance(self.params, Mapping) and path in space:
                raise ValueError(f"tune_first.params: {path}: the space sets it as well; leave one of them out")
            if not isinstance(self.params, Mapping) and path not in space:
                near = did_you_mean(path, [held for held in space if held.startswith("family.")])
                raise ValueError(f"tune_first.params: {path}: the space has no word for it{near}")
            if self.words(space)[path].when:
                raise ValueError(f"tune_first.params: {path}: a path that is tuned can't have a condition")
        if search.draws:
            raise ValueError(f"tune_first: works with the grid search, not with {search.kind}: sizes must be known")
        if "family" in space:
            raise ValueError("tune_first: the space sets family as a whole; give its fields one by one")

    def settings(self, space: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The values to try, in order."""
        words = self.words(space)
        if all(isinstance(word, Grid) for word in words.values()):
            lists = [word.values for word in words.values() if isinstance(word, Grid)]
            return [dict(zip(words, values, strict=True)) for values in itertools.product(*lists)]
        points = self._points(len(words))
        return [{p: _at(w, float(u)) for (p, w), u in zip(words.items(), row, strict=True)} for row in points]

    def _points(self, dimensions: int) -> Any:
        """A scrambled Sobol sequence (Owen 1998), of which a longer one begins with a shorter one."""
        from scipy.stats import qmc

        rng = Stream(make_key("tune_first", seed=self.seed)).numpy("settings")
        exponent = max(0, math.ceil(math.log2(self.num_samples)))
        return qmc.Sobol(dimensions, rng=rng).random_base2(exponent)[: self.num_samples]


def _path(name: str) -> str:
    return name if "." in name else f"family.{name}"


def _at(word: Grid | Choice | Range, share: float) -> Any:
    """The word's value at a share of its range."""
    if isinstance(word, Range) and word.log:
        return word.snap(word.low * (word.high / word.low) ** share)
    if isinstance(word, Range):
        return word.snap(word.low + share * (word.high - word.low))
    return word.values[min(int(share * len(word.values)), len(word.values) - 1)]
