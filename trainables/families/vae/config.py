"""`VaeConfig`: everything that decides a VAE recursion, flat, with defaults for a laptop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from trainables.families.base import Cost, Family, World
from trainables.families.batches import recounted, updates
from trainables.families.metrics import Metric
from trainables.families.starts import StartConfig
from trainables.sources.images import IMAGE_SOURCES, Digits, ImageSource, load

if TYPE_CHECKING:
    AnyImages = ImageSource
else:
    AnyImages = IMAGE_SOURCES.union()

KERNEL = 4
"""Side of every convolution's kernel; its stride is 2."""

SHOWN, PIXEL = 64, 1.5
"""Samples in the picture, and bytes that a value of theirs takes there, enlarged and compressed."""

_LABELS = "of images with labels"


class VaeConfig(StartConfig):
    """A variational autoencoder with Gaussian latents (Kingma & Welling 2014, arXiv 1312.6114).

    `depth` convolutions halve the side and double the channels, a linear map gives mean and log-variance of
    q(z|x); the decoder mirrors it. A row is one image of unsigned bytes; models see them as [0, 1].

    The loss is the negative ELBO in nats per image, summed over pixels and channels, with KL weight 1:
    `bernoulli`: an upper bound on the mean −log P of an image binarised at random, each pixel on with its
    grey value as probability (Salakhutdinov & Murray 2008). `gaussian`: a bound on −log density over [0, 1]
    pixels with fixed standard deviation `noise`, constants included, so it may be negative. `logistic`: a
    bound on −log P of the very bytes, discretised logistic with a learned scale (Kingma et al. 2016). Values
    of different observations do not compare.

    `replicates: R` runs R recursions side by side, each on its own order of the real images and with its own weights,
    batches and latents, fitted as one batched model; on small images that costs a fraction of R runs.

    Attributes:
        start, checkpoint: where fits start, as in `StartConfig`.
        source: where the images come from.
        width: channels of the first convolution.
        depth: convolutions in the encoder.
        latent: dimension of z.
        beta: weight of the KL part in training; the reported loss always has weight 1.
        observation: p(x|z), as above.
        noise: standard deviation of the `gaussian` observation.
        epochs: passes over the corpus; `steps` fixes the number of updates instead, whatever the corpus.
        batch: rows of an update.
        learning_rate: peak of a cosine with `warmup` (share of all updates), down to
            `final_learning_rate` (share of the peak).
        weight_decay: of AdamW, on kernels and matrices.
        clip: largest norm of the gradient of the mean loss per image; None does not clip.
        precision: bfloat16 autocast or not; `auto` takes it on a GPU that has it.
        reference: what judges rows for `verified` and `curated`, fitted on batch 0: a VAE of twice the width, or
            the classifier's confidence (sources with labels only).
        pixels: what a sampled image holds: the decoder's `mean`, as in Gerstgrasser et al. 2024, or a `draw` from
            p(x|z). Either is rounded to whole bytes (an error of at most 1/510).
        elbo_draws: latents drawn a held-out image for the reported loss.
        judged: sampled images that metrics are taken on; real images for them are as many at most, evenly spread over
            the held-out ones.
        neighbours: k of precision and recall.
        feature_steps: updates of the classifier that gives the feature space.
    """

    kind: Literal["vae"] = "vae"
    source: AnyImages = Digits()
    width: int = Field(default=16, ge=1)
    depth: int = Field(default=2, ge=1, le=8)
    latent: int = Field(default=8, ge=1)
    beta: float = Field(default=1.0, ge=0)
    observation: Literal["bernoulli", "gaussian", "logistic"] = "gaussian"
    noise: float = Field(default=0.1, gt=0)
    epochs: float = Field(default=40.0, gt=0)
    steps: int | None = Field(default=None, ge=1)
    batch: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=1e-2, gt=0)
    final_learning_rate: float = Field(default=0.01, ge=0, le=1)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float | None = Field(default=None, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    reference: Literal["elbo", "classifier"] = "elbo"
    pixels: Literal["mean", "draw"] = "mean"
    elbo_draws: int = Field(default=4, ge=1)
    judged: int = Field(default=1000, ge=2)
    neighbours: int = Field(default=3, ge=1)
    feature_steps: int = Field(default=300, ge=1)

    own_data: ClassVar[Mapping[str, str]] = {"": "folder"}
    policy_study: ClassVar[Mapping[str, int]] = {"rows": 600, "generations": 4}
    loss_unit: ClassVar[str] = "nats per image"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("reconstruction", "reconstruction", "nats per image", worse=1),
        Metric("kl", "KL of posterior and prior", "nats per image"),
        Metric("validation_loss", "loss on validation images", "nats per image", worse=1),
        Metric("constant_loss", "loss of a model that knows mean pixels alone", "nats per image", role="uninformed"),
        Metric("frechet_distance", "squared Fréchet distance", worse=1),
        Metric("precision", "precision", worse=-1, role="inside"),
        Metric("recall", "recall", worse=-1, role="tail"),
        Metric("pixel_variance", "variance of a pixel", worse=-1, role="spread"),
        Metric("variance_ratio", "variance, sampled over real", worse=-1, role="spread"),
        Metric("class_coverage", "share of classes covered", worse=-1, role="tail", when=_LABELS),
        Metric("class_entropy", "entropy of classes", "nats", worse=-1, when=_LABELS),
        Metric("class_kl", "KL of sampled and real classes", "nats", worse=1, when=_LABELS),
        Metric("mode_overlap", "share of samples between classes", worse=1, role="overlap", when=_LABELS),
    )
    vectorised: ClassVar[bool] = True
    validates: ClassVar[bool] = True
    default_rows: ClassVar[int] = 490
    default_generations: ClassVar[int] = 5
    accelerated: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "score"})
    data_fields: ClassVar[frozenset[str]] = frozenset({"source"})
    sampling_fields: ClassVar[frozenset[str]] = frozenset({"pixels"})
    evaluation_fields: ClassVar[frozenset[str]] = frozenset({"elbo_draws", "judged", "neighbours", "feature_steps"})
    evaluation_version: ClassVar[int] = 1
    fit_version: ClassVar[int] = 2
    judge_fields: ClassVar[frozenset[str]] = frozenset({"reference"})

    @model_validator(mode="after")
    def _halves(self) -> VaeConfig:
        if self.source.size % 2**self.depth:
            raise ValueError(
                f"depth: a side of {self.source.size} pixels can't be halved {self.depth} times without a remainder"
            )
        return self

    @classmethod
    def tiny(cls) -> tuple[VaeConfig, int]:
        return cls(width=4, latent=2, epochs=2, judged=64, feature_steps=20), 50

    def check(self, rows: int, replicates: int) -> None:
        super().check(rows, replicates)
        if self.checkpoint is not None:
            from trainables.families.vae.network import check_weights

            check_weights(self, self.checkpoint.folder())

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return (self.source.size, self.source.size, self.source.channels)

    @property
    def channels(self) -> list[int]:
        """Channels from the image (first) to the smallest map (last)."""
        return [self.source.channels, *(self.width * 2**level for level in range(self.depth))]

    @property
    def side(self) -> int:
        """Side of the smallest map."""
        return int(self.source.size // 2**self.depth)

    @cached_property
    def parameters(self) -> int:
        """Of encoder and decoder."""
        flat = self.channels[-1] * self.side**2
        kernels = sum(2 * a * b * KERNEL**2 + a + b for a, b in pairwise(self.channels))
        scales = self.source.channels if self.observation == "logistic" else 0
        return kernels + 2 * self.latent * (flat + 1) + (self.latent + 1) * flat + scales

    def updates(self, rows: int) -> int:
        """Updates of a fit on `rows` rows."""
        return self.steps or updates(self.epochs, rows, self.batch, round)

    def fitted_on(self, rows: int) -> dict[str, Any]:
        return {} if self.steps else recounted(self.epochs, rows, self.batch, round)

    def judged_on(self, rows: int) -> dict[str, Any]:
        return self.fitted_on(rows) if self.reference == "elbo" else {}

    def data_identity(self) -> dict[str, Any]:
        return super().data_identity() | {"source": self.source.identity()}

    def evaluation_identity(self) -> dict[str, Any]:
        """Where not all held-out images are judged, or not all training images told the baseline, these were the first
        ones before 2."""
        whole = self.source.most_held_out() <= self.judged and self.observation != "logistic"
        return super().evaluation_identity() | ({} if whole else {"real": 2})

    def available_rows(self) -> int:
        known = self.source.known_rows()
        return load(self.source).train.rows if known is None else known

    def size_label(self) -> str:
        return f"{self.parameters / 1e6:.3g}M"

    def cost(self, rows: int) -> Cost:
        """Two operations a multiplication, counted layer by layer; a backward pass costs two forward ones."""
        seen = self.updates(rows) * min(self.batch, rows) / rows
        decoder = self._decoder_flops()
        return Cost(
            parameters=self.parameters,
            fit_flops=3.0 * seen * (2 * decoder + 2.0 * self.latent * self.channels[-1] * self.side**2),
            sample_flops=decoder,
            row_bytes=float(self.source.size**2 * self.source.channels),
            tokens_per_row=float(self.source.size**2),
        )

    def shown_bytes(self) -> Sequence[float]:
        return (PIXEL * SHOWN * self.source.size**2 * self.source.channels,)

    def _decoder_flops(self) -> float:
        """Of decoding one latent; the encoder's convolutions cost as much."""
        sides = [self.source.size >> level for level in range(1, self.depth + 1)]
        layers = zip(sides, pairwise(self.channels), strict=True)
        kernels = sum(side**2 * a * b * KERNEL**2 for side, (a, b) in layers)
        return 2.0 * (kernels + self.latent * self.channels[-1] * self.side**2)

    def build(self, world: World) -> Family:
        from trainables.families.vae.family import Vae
        from trainables.families.vae.replicates import Vaes

        return Vae(self, world) if world.replicates == 1 else Vaes(self, world)
