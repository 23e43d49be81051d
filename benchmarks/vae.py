"""A VAE generation (fit, judge, sample) on 4,000 MNIST images against a plain PyTorch `DataLoader` loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

from benchmarks.harness import Ratio, compare
from trainables.corpus import Batch, Corpus, Part
from trainables.families.base import World
from trainables.families.vae import network, objective
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.family import Vae
from trainables.lineage import Stream
from trainables.sources.images_splits import load
from trainables.store import MemoryStore

ROWS = 4000
LATENT = 16
WIDTH = 32
BATCH = 128
EPOCHS = 15
FAST = {"batch": 64, "epochs": 4.0}
"""Schedule that reaches the peer's held-out loss: half its batch, about a quarter of its passes."""


class Pictures(Dataset[Tensor]):
    """Images one by one, as a data set of files is usually written."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> Tensor:
        return torch.from_numpy(self.images[row]).float().div(255).unsqueeze(0)


class PlainVae(nn.Module):
    """The same layers as the product's network."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, WIDTH, 4, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            nn.Linear(2 * WIDTH * 49, 2 * LATENT),
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, 2 * WIDTH * 49),
            nn.Unflatten(1, (2 * WIDTH, 7, 7)),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1),
        )

    def loss(self, x: Tensor) -> Tensor:
        """Negative ELBO, summed over images."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        return torch.add(binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum"), kl)


@dataclass
class Peer:
    """The plain loop: Adam at its usual rate, batches from a `DataLoader`."""

    train: np.ndarray
    test: np.ndarray
    loss: float = float("nan")

    def __call__(self) -> None:
        torch.manual_seed(0)
        model = PlainVae()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        loader = DataLoader(Pictures(self.train), batch_size=BATCH, shuffle=True)
        for _ in range(EPOCHS):
            for x in loader:
                optimizer.zero_grad()
                torch.autograd.backward(model.loss(x) / len(x))
                optimizer.step()
        with torch.no_grad():
            batches = DataLoader(Pictures(self.test), batch_size=BATCH)
            self.loss = sum(float(model.loss(x)) for x in batches) / len(self.test)
            drawn = [model.decoder(torch.randn(BATCH, LATENT)).sigmoid() for _ in range(-(-ROWS // BATCH))]
            (torch.cat(drawn)[:ROWS] * 255).byte().numpy()


@dataclass
class Product:
    """The family's own fit, held-out loss and sampler."""

    family: Vae
    loss: float = float("nan")

    def __call__(self) -> None:
        real = self.family.real(0, ROWS)
        corpus = Corpus((Part((Batch(0, "real", ROWS, lambda: real),), None, 1.0),))
        model = self.family.fit(corpus, Stream("fit"))
        fitted = network.load(self.family.config, model.tensors)
        parts = objective.judge(self.family.config, fitted, self.family.images.test.pixels, Stream("judge"))
        self.loss = float(sum(part.mean() for part in parts))
        self.family.sample(model, ROWS, Stream("sample"))


def product(**fields: object) -> Product:
    """The product on MNIST with the peer's layers."""
    base = {"source": {"kind": "mnist5k"}, "width": WIDTH, "latent": LATENT, "observation": "bernoulli"}
    schedule = {"batch": BATCH, "epochs": EPOCHS, "precision": "bfloat16", "learning_rate": 5e-3, "elbo_draws": 1}
    config = VaeConfig.model_validate({**base, **schedule, **fields})
    return Product(config.build(World(rows=ROWS, replicates=1, seed=0, store=MemoryStore())))


def claims() -> list[Ratio]:
    """Equal updates, and equal loss."""
    images = load(product().family.config.source)
    train = images.train.pixels.array()[:ROWS, :, :, 0]
    peer = Peer(train, images.test.pixels.array()[..., 0])
    found = []
    for work, fields in (("at equal updates", {}), ("to the same held-out loss", FAST)):
        ours = product(**fields)
        ratio = compare(
            f"VAE generation, 28×28, 4,000 images, {work}",
            ours,
            peer,
            peer="PyTorch DataLoader loop, Adam 1e-3, same layers, float32",
            target=3.0,
            rounds=3,
            warm=False,
        )
        note = f"held-out nats per image {ours.loss:.1f} against {peer.loss:.1f}"
        found.append(Ratio(ratio.work, ratio.peer, ratio.target, ratio.ours, ratio.theirs, note))
    return found
