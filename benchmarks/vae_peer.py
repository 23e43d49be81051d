"""The peer of the VAE benchmark: a plain PyTorch loop over a `DataLoader`, with the product's layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

from trainables.families.vae.training import BETAS, Schedule

WIDTH = 32
LATENT = 16


class Pictures(Dataset[Tensor]):
    """Images one by one, as a data set of files is usually written."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> Tensor:
        return torch.from_numpy(self.images[row]).float().div(255).unsqueeze(0)


class PlainVae(nn.Module):
    """The same layers as the product's network, of torch's own modules."""

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
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        return torch.add(binary_cross_entropy_with_logits(self.decoder(z).float(), x, reduction="sum"), kl)


@dataclass
class Peer:
    """One generation: fit, held-out loss (in single precision), and as many sampled images as were fitted on.

    Attributes:
        train: images, bytes, [rows, 28, 28].
        test: the same, held out.
        batch: images of an update.
        epochs: passes.
        schedule: None for Adam at its usual rate, or the product's: AdamW by its rates, and the decoder's last bias
            set to the mean pixel.
        bfloat16: whether to fit under autocast, channels last.
        loss: held-out nats per image, once it was called.
    """

    train: np.ndarray
    test: np.ndarray
    batch: int
    epochs: int
    schedule: Schedule | None = None
    bfloat16: bool = False
    loss: float = float("nan")

    def __call__(self) -> None:
        torch.manual_seed(0)
        model = PlainVae()
        self._fit(model)
        with torch.no_grad():
            batches = DataLoader(Pictures(self.test), batch_size=self.batch)
            self.loss = sum(float(model.loss(x)) for x in batches) / len(self.test)
            rows = len(self.train)
            drawn = [model.decoder(torch.randn(self.batch, LATENT)).sigmoid() for _ in range(-(-rows // self.batch))]
            (torch.cat(drawn)[:rows] * 255).byte().numpy()

    def _fit(self, model: PlainVae) -> None:
        layout = torch.channels_last if self.bfloat16 else torch.contiguous_format
        model.to(memory_format=layout)  # type: ignore[call-overload]
        optimizer, rates = self._optimizer(model)
        loader = DataLoader(Pictures(self.train), batch_size=self.batch, shuffle=True)
        for _ in range(self.epochs):
            for x in loader:
                optimizer.zero_grad()
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
                    loss = model.loss(x.to(memory_format=layout))
                torch.autograd.backward(loss / len(x))
                optimizer.step()
                rates.step()

    def _optimizer(self, model: PlainVae) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        plan = self.schedule
        if plan is None:
            adam = torch.optim.Adam(model.parameters(), lr=1e-3)
            return adam, torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1.0)
        last = model.decoder[-1]
        assert isinstance(last, nn.ConvTranspose2d)  # as built above
        assert last.bias is not None
        nn.init.constant_(last.bias, float(np.log(self.train.mean() / (255 - self.train.mean()))))
        adamw = torch.optim.AdamW(model.parameters(), plan.learning_rate, BETAS, weight_decay=plan.weight_decay)
        return adamw, torch.optim.lr_scheduler.LambdaLR(adamw, lambda step: plan.rate(step) / plan.learning_rate)
