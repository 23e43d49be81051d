"""The denoiser by loops over molecules, atoms and pairs in numpy, straight from its equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.trainables.families.diffusion.test_diffusion_denoiser import chains
from trainables.families.diffusion.batching import Featured, atom_types, edge_types
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.denoiser import Denoiser
from trainables.families.diffusion.fit import create

ROWS = chains([4, 2, 5])


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


class Loops:
    """One molecule at a time, of the weights of a denoiser."""

    def __init__(self, model: Denoiser) -> None:
        self.held = {name: value.double().numpy() for name, value in model.state_dict().items()}
        self.rounds, self.radial, self.timesteps = len(model.layers), model.radial, model.timesteps

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return self.held[f"{name}.weight"] @ x + self.held.get(f"{name}.bias", 0.0)

    def time(self, t: int) -> np.ndarray:
        """The share of the timesteps, and eight sines and cosines of it."""
        angles = [2.0**k * np.pi * t / self.timesteps for k in range(-1, 7)]
        seen = np.array([t / self.timesteps, *np.sin(angles), *np.cos(angles)])
        return self.linear("time.2", silu(self.linear("time.0", seen)))

    def near(self, x: np.ndarray, i: int, j: int) -> float:
        return float(np.sqrt(((x[i] - x[j]) ** 2).sum() + 1e-6))

    def features(self, kind: int, x: np.ndarray, i: int, j: int) -> np.ndarray:
        """The kind of a pair, one-hot, and Gaussians of its noisy distance around points from 0 to 4."""
        points = np.linspace(0, 4, self.radial)
        far = (self.near(x, i, j) - points) * (self.radial - 1) / 4
        return np.concatenate([np.eye(8)[kind], np.exp(-(far**2))])

    def message(self, name: str, h: np.ndarray, y: np.ndarray, seen: np.ndarray, i: int, j: int) -> np.ndarray:
        """Satorras et al., equation 3: of both states, the pair, and its squared distance now."""
        first = self.linear(f"{name}.target", h[i]) + self.linear(f"{name}.source", h[j])
        first = first + self.linear(f"{name}.pair", seen) + self.held[f"{name}.distance_M"] * ((y[i] - y[j]) ** 2).sum()
        return silu(self.linear(f"{name}.message", silu(first)))

    def __call__(self, types: np.ndarray, kinds: np.ndarray, x: np.ndarray, t: int) -> np.ndarray:
        atoms, y = range(len(types)), x.copy()
        h = self.held["atom.weight"][types] + self.time(t)
        for number in range(self.rounds):
            name, moved = f"layers.{number}", y.copy()
            heard = np.zeros((len(types), self.held[f"{name}.distance_M"].size))
            for i, j in ((i, j) for i in atoms for j in atoms if i != j):
                m = self.message(name, h, y, self.features(kinds[i, j], x, i, j), i, j)
                heard[i] += m
                moved[i] += self.linear(f"{name}.move", m) * (y[i] - y[j]) / (1 + self.near(y, i, j))
            if number + 1 < self.rounds:
                mixed = [self.linear(f"{name}.mix", np.concatenate([h[i], heard[i] / 8])) for i in atoms]
                h = np.array([h[i] + self.linear(f"{name}.update", silu(mixed[i])) for i in atoms])
            y = moved
        return (y - x) - (y - x).mean(0)


@pytest.mark.parametrize(
    "fields", [{"layers": 1}, {"layers": 2, "radial": 2}, {"layers": 3, "width": 7, "messages": 5}]
)
def test_predicted_noise_is_that_of_the_equations(fields: dict[str, int]) -> None:
    """Molecules of several sizes side by side, each at its own time; moves as large as those of a fitted model."""
    config = DiffusionConfig.model_validate({"width": 6, "messages": 4, "radial": 5} | fields)
    model = create(config, 1).eval()
    for layer in model.layers:
        torch.nn.init.normal_(layer.move.weight, std=0.5, generator=torch.Generator().manual_seed(0))
    featured, index, times = Featured(ROWS, 1.5), np.arange(3), [0, 400, 999]
    with torch.no_grad():
        found = model(model.prepare(featured.graphs(index)), featured.places(index), torch.tensor(times))
    loops = Loops(model)
    for row, t in enumerate(times):
        graph, place = ROWS.graph(row), featured.places(np.array([row]))[0].double().numpy()
        expected = loops(atom_types(graph), edge_types(graph), place, t)
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(found[row, : graph.size], expected, rtol=1e-3, atol=1e-5)
        assert not found[row, graph.size :].any()
