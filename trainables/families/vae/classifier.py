"""Small convolutional classifiers: of classes, whose hidden layer is a feature space, and of real or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables.families.vae.network import arithmetic, settle, weights
from trainables.families.vae.rows import Feed, scaled
from trainables.families.vae.training import Schedule, train
from trainables.lineage import Stream
from trainables.runtime import isolated, pick_device
from trainables.sources.images import Pixels
from trainables.store import Payload

FEATURES = 32
"""Width of the hidden layer."""

CHUNK = 1024


class Classifier(nn.Module):
    """Two strided convolutions and a hidden layer.

    Args:
        shape: height, width and channels of an image.
        outputs: classes.
    """

    def __init__(self, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        side, _, channels = shape
        small = -(-side // 4)
        self.features = nn.Sequential(
            nn.Conv2d(channels, 16, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(32 * small**2, FEATURES),
            nn.SiLU(),
        )
        self.head = nn.Linear(FEATURES, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, [rows, outputs]."""
        logits: Tensor = self.head(self.features(x))
        return logits


def fit(images: Pixels, labels: np.ndarray, outputs: int, updates: int, stream: Stream) -> Payload:
    """A classifier fitted from scratch, batches balanced as the rows are.

    Raises:
        Diverged: the loss is not finite.
    """
    with isolated(stream.integer("init")):
        module = settle(Classifier(images.shape, outputs))
    feed, targets = Feed.of(images), torch.from_numpy(labels.astype(np.int64))

    def loss(index: Tensor) -> Tensor:
        with arithmetic("float32"):
            return cross_entropy(module(feed.batch(index)), targets[index].to(pick_device()))

    plan = Schedule(updates=updates, batch=128, learning_rate=3e-3, weight_decay=0.05)
    final = train(module, loss, images.rows, plan, stream.integer("order"))
    meta = {"shape": list(images.shape), "outputs": outputs, "train_loss": final}
    return Payload(meta=meta, tensors=weights(module))


def load(payload: Payload) -> Classifier:
    """The classifier, ready to be read from."""
    with torch.device("meta"):
        module = Classifier(tuple(payload.meta["shape"]), payload.meta["outputs"])
    state: Mapping[str, Any] = {name: torch.from_numpy(np.array(value)) for name, value in payload.tensors.items()}
    module.load_state_dict(state, assign=True)
    return settle(module).eval().requires_grad_(False)


def features_and_log_probabilities(module: Classifier, images: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Of each image the hidden layer, [rows, FEATURES], and log p(class | image), [rows, outputs]."""

    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = module.features(x)
        return hidden, module.head(hidden).log_softmax(dim=1)

    hidden, logs = zip(*_mapped(both, images), strict=True)
    return np.concatenate(hidden), np.concatenate(logs)


def _mapped(function: Callable[[Tensor], tuple[Tensor, Tensor]], images: Pixels) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    with torch.inference_mode(), arithmetic("float32"):
        for rows in images.each(CHUNK):
            one, other = function(scaled(torch.from_numpy(rows).to(pick_device())))
            found.append((one.double().cpu().numpy(), other.double().cpu().numpy()))
    return found
