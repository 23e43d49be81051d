"""Where real rows come from: a model that is known, or a table. Gives inputs by name, and what models are judged at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from trainables.families.base import World
from trainables.families.closed_form.glm import labels as label
from trainables.families.closed_form.glm.config import GlmConfig
from trainables.families.closed_form.glm.inputs import Inputs, draw
from trainables.lineage import Stream
from trainables.sources.tables import Simulated, Split, Splits, load
from trainables.store import Payload

Part = Literal["held_out", "validation"]


@dataclass(frozen=True)
class Judged:
    """Inputs that models are judged at.

    Attributes:
        inputs: alike for all replicates.
        observed: labels [1, rows], or what they are expected to be where the truth is known, [replicates, rows].
        least: mean cross-entropy of the truth there, [replicates]; None where it is not known.
    """

    inputs: Inputs
    observed: np.ndarray
    least: np.ndarray | None = None

    def values(self, link: label.Link, eta: np.ndarray) -> dict[str, np.ndarray]:
        """Losses and scores of linear predictors [replicates, rows], [replicates] each."""
        loss, values = self._scored(link, eta)
        return {"test_loss": loss if self.least is None else loss - self.least} | values

    def _scored(self, link: label.Link, eta: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        if link == "logistic":
            from trainables.families.closed_form.glm import judging

            loss, accuracy, calibration = judging.logistic(eta, self.observed)
            return loss, {"accuracy": accuracy, "calibration_error": calibration}
        loss = self._cross_entropy(link, eta).mean(axis=1)
        if link == "poisson":
            return loss, {}
        predicted, observed = label.means(link, eta), np.broadcast_to(self.observed, eta.shape)
        return loss, {
            "accuracy": label.accuracy(predicted, observed),
            "calibration_error": label.calibration_error(predicted, observed),
        }

    def _cross_entropy(self, link: label.Link, eta: np.ndarray) -> np.ndarray:
        if self.least is None:
            return -label.log_likelihood(link, eta, self.observed)
        return label.cross_entropy(link, self.observed, eta)


class Ground(ABC):
    """Base of both."""

    def __init__(self, config: GlmConfig, world: World, truth: Stream) -> None:
        self.config = config
        self.world = world
        self.truth = truth

    @abstractmethod
    def inputs(self, name: Sequence[Any]) -> np.ndarray:
        """Covariates that a batch names, [replicates, columns, rows]; `["base"]` are those of batch 0."""

    @abstractmethod
    def judged(self, part: Part) -> Judged:
        """What held-out, or validation, losses are taken at."""


class Known(Ground):
    """Simulated rows."""

    @property
    def source(self) -> Simulated:
        """The config of the rows."""
        assert isinstance(self.config.source, Simulated)
        return self.config.source

    @cached_property
    def target(self) -> np.ndarray:
        """β*, [replicates, columns]: a constant, and slopes of a random direction."""
        slopes = self.truth.numpy("target").standard_normal((self.world.replicates, self.source.dim))
        slopes *= self.source.signal / np.linalg.norm(slopes, axis=1, keepdims=True)
        return np.concatenate([np.full((len(slopes), 1), self.source.intercept), slopes], axis=1)

    def inputs(self, name: Sequence[Any]) -> np.ndarray:
        """Of batch 0, or of a stream: `[rows, key, *path]`."""
        if name[0] == "base":
            return draw(self.truth.numpy("inputs"), self.source, self.world.replicates, self.world.rows)
        rows, key, *path = name
        return draw(Stream(key, tuple(path)).numpy("inputs"), self.source, self.world.replicates, rows)

    def judged(self, part: Part) -> Judged:
        inputs = Inputs(part, draw(self.truth.numpy(part), self.source, 1, self.config.held_out))
        link, eta = self.config.link, inputs.predict(self.target)
        expected = label.means(link, eta)
        nothing = np.zeros(len(expected))  # chances are judged, not labels
        least, _ = Judged(inputs, expected, nothing)._scored(link, eta)
        return Judged(inputs, expected, least)

    def errors(self, coefficients: np.ndarray, base: Inputs) -> dict[str, np.ndarray]:
        """Squared distances of coefficients from the truth, plain and in the metric of the Fisher information."""
        gap = coefficients - self.target
        if self._metric is None:
            self._metric = self._information(base)
        weighed = (gap[:, None, :] @ self._metric)[:, 0]
        return {"coefficient_error": np.vecdot(gap, gap), "fisher_error": np.vecdot(gap, weighed)}

    _metric: np.ndarray | None = None

    def _information(self, base: Inputs) -> np.ndarray:
        """J/N at the truth, [replicates, columns, columns]."""
        from trainables.families.closed_form.glm import normal_equations

        curve = label.information(self.config.link, base.predict(self.target))
        return normal_equations.information(base.x, curve / base.rows)


class Tabled(Ground):
    """A table's rows. Every replicate has an order of its own, so that replicates differ in what batch 0 is, too."""

    @cached_property
    def _data(self) -> Splits:
        assert not isinstance(self.config.source, Simulated)
        return load(self.config.source, counts=self.config.link == "poisson")

    @cached_property
    def _order(self) -> np.ndarray:
        """Training rows in each replicate's order, [replicates, rows]."""
        every = np.tile(np.arange(self._data.train.rows, dtype=np.int32), (self.world.replicates, 1))
        return self.truth.numpy("order").permuted(every, axis=1)

    def real(self, start: int, rows: int) -> Payload:
        """Training rows, and which they are."""
        numbers = self._order[:, start : start + rows]
        if numbers.shape[1] < rows:
            raise ValueError(f"rows: the table's training rows end before row {start + rows}")
        name = ["base"] if (start, rows) == (0, self.world.rows) else [start, rows]
        tensors = {"labels": self._data.train.labels[numbers], "numbers": np.ascontiguousarray(numbers)}
        return Payload({"rows": rows, "inputs": name}, tensors)

    def held_out(self) -> Payload:
        """Test rows in the form of `real`; their numbers are below 0."""
        test = self._data.test
        shape = (self.world.replicates, test.rows)
        tensors = {"labels": test.labels, "numbers": -1 - np.arange(test.rows, dtype=np.int32)}
        whole = {name: np.broadcast_to(values, shape) for name, values in tensors.items()}
        return Payload({"rows": test.rows, "inputs": ["held_out"]}, whole)

    def inputs(self, name: Sequence[Any]) -> np.ndarray:
        """Of a range of training rows, `[start, rows]`."""
        start, rows = (0, self.world.rows) if name[0] == "base" else name
        rows_first = self._data.train.x[self._order[:, start : start + rows]]
        columns_first: np.ndarray = np.ascontiguousarray(rows_first.swapaxes(1, 2))
        return columns_first

    def judged(self, part: Part) -> Judged:
        split: Split = self._data.test if part == "held_out" else self._data.validation
        return Judged(Inputs(part, np.ascontiguousarray(split.x.T)[None]), split.labels[None])


def ground(config: GlmConfig, world: World, truth: Stream) -> Known | Tabled:
    """Where the config's rows come from."""
    return (Known if isinstance(config.source, Simulated) else Tabled)(config, world, truth)
