"""`gaussian`: maximum likelihood of a Gaussian, many independent recursions side by side."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.corpus import Corpus
from trainables.families.base import Cost, Evaluation, Family, FamilyConfig, World
from trainables.lineage import Stream
from trainables.store import Payload


class GaussianConfig(FamilyConfig):
    """x ~ N(0, I_d), fitted by the biased (maximum likelihood) mean and covariance."""

    kind: Literal["gaussian"] = "gaussian"
    dim: int = Field(default=1, ge=1)
    vectorised: ClassVar[bool] = True
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset({"dim"})

    def size_label(self) -> str:
        return f"dim {self.dim}"

    def cost(self, rows: int) -> Cost:
        return Cost(
            parameters=self.dim * (self.dim + 1),
            fit_flops=2.0 * self.dim**2,
            sample_flops=2.0 * self.dim**2,
            row_bytes=8.0 * self.dim,
        )

    def build(self, world: World) -> Gaussian:
        return Gaussian(self, world)


class Gaussian(Family):
    """Batches hold rows as `x`, [replicates, rows, dim]."""

    config: GaussianConfig

    def real(self, start: int, rows: int) -> Payload:
        rng = self.truth.numpy("rows", str(start))
        return self._batch(rng.standard_normal((self.world.replicates, rows, self.config.dim)))

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        rows = []
        for part in corpus.parts:
            x = np.concatenate([b.payload.tensors["x"] for b in part.batches], axis=1)
            if part.index is not None:
                x = np.take_along_axis(x, np.atleast_2d(part.index)[..., None], axis=1)
            rows.append(x)
        x = np.concatenate(rows, axis=1)
        mean = x.mean(axis=1)
        centred = x - mean[:, None]
        return Payload(tensors={"mean": mean, "cov": np.einsum("rni,rnj->rij", centred, centred) / x.shape[1]})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        mean, cov = model.tensors["mean"], model.tensors["cov"]
        trace = np.trace(cov, axis1=1, axis2=2) / self.config.dim
        sq = (mean**2).sum(axis=1)
        return Evaluation(
            float(sq.mean()),
            {"trace_ratio": float(trace.mean()), "mean_sq_error": float(sq.mean())},
            {"trace_ratio": trace, "mean_sq_error": sq},
        )

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        root = np.linalg.cholesky(model.tensors["cov"])
        noise = stream.numpy().standard_normal((self.world.replicates, rows, self.config.dim))
        return self._batch(model.tensors["mean"][:, None] + np.einsum("rij,rnj->rni", root, noise))

    def _batch(self, x: np.ndarray) -> Payload:
        return Payload(meta={"rows": x.shape[1]}, tensors={"x": x})
