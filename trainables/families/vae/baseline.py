"""The loss of a model that has learned nothing but the mean image: the baseline that collapse is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.families.vae.likelihood import reconstruction
from trainables.families.vae.rows import scaled, spread
from trainables.sources.images import Pixels

if TYPE_CHECKING:
    from trainables.families.vae.config import VaeConfig

MOST_ROWS = 5_000
"""Training images that the mean is taken over, at most."""

MOST_SHOWN = 500
"""Of these, images that a scale is tried on, at most."""

LOG_SCALES = np.linspace(-7, 1, 81)
"""Scales tried for a `logistic` observation."""


def constant_loss(config: VaeConfig, train: Pixels, test: Pixels) -> float:
    """Loss in nats per test image of p(x) that ignores z: each pixel around its mean over training images.

    Means count half an image of mid-grey more, so that no pixel is taken for certain; the scale of a `logistic`
    observation is the best on training images, one for each channel.
    """
    chosen = spread(MOST_ROWS, train.rows)
    rows, x = len(chosen), _load(train.gather(chosen))
    mean = (x.sum(0, keepdim=True) + 0.25) / (rows + 0.5)
    logits, scale = torch.logit(mean), None
    if config.observation == "logistic":
        scale = torch.tensor([_best_scale(config, logits, x, channel) for channel in range(x.shape[1])])
    nats = 0.0
    for held_out in map(_load, test.each()):
        nats += float(reconstruction(config, scale, logits.expand_as(held_out), held_out).double().sum())
    return nats / test.rows


def _best_scale(config: VaeConfig, logits: Tensor, x: Tensor, channel: int) -> float:
    only, shown = logits[:, channel : channel + 1], x[spread(MOST_SHOWN, len(x)), channel : channel + 1]
    losses = [
        float(reconstruction(config, torch.tensor([scale]), only.expand_as(shown), shown).mean())
        for scale in LOG_SCALES.astype(np.float32)
    ]
    return float(LOG_SCALES[int(np.argmin(losses))])


def _load(images: np.ndarray) -> Tensor:
    return scaled(torch.from_numpy(images))
