"""`random_features`: ridge on random projections of Gaussian inputs, many independent recursions side by side."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from trainables.families.base import Diverged, Evaluation, World
from trainables.families.closed_form.features.config import FeaturesConfig
from trainables.families.closed_form.random_matrices import wishart_root
from trainables.families.closed_form.regression import Equations, times
from trainables.families.closed_form.relabelling import Relabelling
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload


class RandomFeatures(Relabelling):
    """A model is its `coefficients` Σ^½Sv̂ on white inputs; of S only SSᵀ counts, a factor of which is drawn."""

    config: FeaturesConfig

    def __init__(self, config: FeaturesConfig, world: World) -> None:
        super().__init__(config, world, config.dim, config.noise)

    @cached_property
    def target(self) -> np.ndarray:
        """Σ^½w*: random signs on stated magnitudes."""
        signs = self.truth.numpy("target").integers(0, 2, (self.world.replicates, self.config.dim)) * 2.0 - 1.0
        white: np.ndarray = signs * np.sqrt(self.config.energy)
        return white

    @cached_property
    def surrogate(self) -> np.ndarray:
        """Σ^½(w* + δ), [replicates, dim]."""
        worse: np.ndarray = self.target + self._distorted(self.truth.child("surrogate"))
        return worse

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """`bias` λ scales the variance of the noise."""
        if self.config.labeller == "surrogate":
            return self._label(self.surrogate, rows, stream, bias)
        return self._label(model.tensors["coefficients"] + self._distorted(stream), rows, stream, bias)

    def solution(self, equations: Equations, weight: float, stream: Stream) -> np.ndarray:
        """Ridge on the features, F(FᵀGF/W + penalty)⁻¹FᵀM/W with Gram matrix G, moments M, weight W of the rows."""
        plain, factor = equations.plain(), self._factor(stream)
        inner = factor.swapaxes(1, 2) @ plain.gram @ factor / weight
        width = np.arange(inner.shape[1])
        inner[:, width, width] += self.config.penalty
        moment = times(factor.swapaxes(1, 2), plain.moment) / weight
        try:
            return times(factor, np.linalg.solve(inner, moment[..., None])[..., 0])
        except np.linalg.LinAlgError:
            raise Diverged("ridge has no solution to working precision; use a larger penalty") from None

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Exact figures, no held-out sample needed: `test_loss` = ‖ŵ − w*‖²_Σ, the expected held-out squared error
        above the noise; `norm_ratio` is ‖ŵ‖_Σ over ‖w*‖_Σ.
        """
        coefficients = model.tensors["coefficients"]
        error = coefficients - self.target
        length = np.sqrt(np.vecdot(coefficients, coefficients))
        return summarise({"test_loss": np.vecdot(error, error), "norm_ratio": length / self.config.signal})

    def _distorted(self, stream: Stream) -> np.ndarray:
        """Σ^½δ, [replicates, dim]."""
        scale = np.sqrt(self.config.distortion / self.config.dim)
        normal = stream.numpy("distortion").standard_normal((self.world.replicates, self.config.dim))
        drawn: np.ndarray = scale * normal
        return drawn

    def _factor(self, stream: Stream) -> np.ndarray:
        """F with FFᵀ = Σ^½SSᵀΣ^½, [1 or replicates, dim, min(width, dim)]."""
        scale = np.sqrt(self.config.spectrum)
        if self.config.width is None:
            return np.diag(scale)[None]
        if self.config.features == "shared":
            return self._shared
        return self._drawn_factor(stream.child("features"))

    @cached_property
    def _shared(self) -> np.ndarray:
        return self._drawn_factor(self.truth.child("features"))

    def _drawn_factor(self, stream: Stream) -> np.ndarray:
        width, scale = self.config.width or self.config.dim, np.sqrt(self.config.spectrum)
        root = wishart_root(stream.numpy("gram"), self.world.replicates, self.config.dim, width)
        factor: np.ndarray = scale[:, None] * root / np.sqrt(width)
        return factor
