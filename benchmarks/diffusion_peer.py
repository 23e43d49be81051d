"""The peer: the same denoiser as a graph-library user writes it, on edge lists with gather, concatenate and scatter.

Written with plain torch (`index_add`, as PyTorch Geometric's scatter is on a CPU), `DataLoader` and concatenated
graphs. It computes the same function of the same parameters, which `benchmarks.diffusion` checks before it times.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from trainables.families.diffusion.batching import atom_types, edge_types
from trainables.families.diffusion.config import ATOM_TYPES, EDGE_TYPES, TIME_FEATURES, DiffusionConfig
from trainables.families.diffusion.denoiser import NEAR, NEIGHBOURS, REACH, Denoiser, time_features
from trainables.families.diffusion.fit import create, rate
from trainables.families.diffusion.process import scheduler, stepped, steps
from trainables.sources.molecules import Conformers

Graphs = dict[str, torch.Tensor]


def dataset(rows: Conformers, scale: float) -> list[Graphs]:
    """One graph a row: atoms, places, and all ordered pairs of different atoms with their one-hot type."""
    made = []
    for n in range(len(rows)):
        graph = rows.graph(n)
        types = edge_types(graph)
        target, source = np.nonzero(types)
        made.append(
            {
                "atoms": torch.from_numpy(atom_types(graph)),
                "x": torch.from_numpy(np.array(rows.place(n)) / np.float32(scale)),
                "target": torch.from_numpy(target),
                "source": torch.from_numpy(source),
                "edges": functional.one_hot(
                    torch.from_numpy(types[target, source].astype(np.int64)), EDGE_TYPES
                ).float(),
            }
        )
    return made


def collate(graphs: list[Graphs]) -> Graphs:
    """Graphs one behind another, their edges renumbered; `owner` says whose an atom is."""
    sizes = torch.tensor([len(g["atoms"]) for g in graphs])
    start = torch.cumsum(sizes, 0) - sizes
    joined = {name: torch.cat([g[name] for g in graphs]) for name in ("atoms", "x", "edges")}
    shifted = {
        name: torch.cat([g[name] + s for g, s in zip(graphs, start, strict=True)]) for name in ("target", "source")
    }
    return joined | shifted | {"owner": torch.repeat_interleave(torch.arange(len(graphs)), sizes), "sizes": sizes}


def centred(x: torch.Tensor, graphs: Graphs) -> torch.Tensor:
    """Coordinates or noise [atoms, 3] with every molecule's centroid at 0."""
    sums = torch.zeros(len(graphs["sizes"]), 3).index_add(0, graphs["owner"], x)
    return x - (sums / graphs["sizes"][:, None])[graphs["owner"]]


class SparseLayer(nn.Module):
    """A round of messages along an edge list."""

    def __init__(self, width: int, messages: int, radial: int, last: bool) -> None:
        super().__init__()
        self.last = last
        self.first = nn.Linear(2 * width + EDGE_TYPES + radial + 1, messages)
        self.message = nn.Linear(messages, messages)
        self.move = nn.Linear(messages, 1, bias=False)
        if not last:
            self.mix = nn.Linear(width + messages, width)
            self.update = nn.Linear(width, width)

    def forward(
        self, h: torch.Tensor, x: torch.Tensor, features: torch.Tensor, graphs: Graphs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """New states [atoms, width] and coordinates [atoms, 3]."""
        i, j = graphs["target"], graphs["source"]
        gap = x[i] - x[j]
        d2 = gap.square().sum(-1, keepdim=True)
        m = functional.silu(self.first(torch.cat([h[i], h[j], features, d2], -1)))
        m = functional.silu(self.message(m))
        moves = gap * self.move(m) / (1 + (d2 + NEAR).sqrt())
        x = x + torch.zeros_like(x).index_add(0, i, moves)
        if self.last:
            return h, x
        heard = torch.zeros(len(h), m.shape[1]).index_add(0, i, m) / NEIGHBOURS
        return h + self.update(functional.silu(self.mix(torch.cat([h, heard], -1)))), x


class SparseDenoiser(nn.Module):
    """The denoiser on concatenated graphs."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config = config
        self.atom = nn.Embedding(ATOM_TYPES, config.width)
        self.time = nn.Sequential(
            nn.Linear(TIME_FEATURES, config.width), nn.SiLU(), nn.Linear(config.width, config.width)
        )
        shape = config.width, config.messages, config.radial
        self.rounds = [SparseLayer(*shape, last=n + 1 == config.layers) for n in range(config.layers)]
        self.layers = nn.ModuleList(self.rounds)

    def forward(self, graphs: Graphs, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Noise predicted in x [atoms, 3] at the timesteps t of the molecules."""
        h = self.atom(graphs["atoms"]) + self.time(time_features(t / self.config.timesteps))[graphs["owner"]]
        d = ((x[graphs["target"]] - x[graphs["source"]]).square().sum(-1, keepdim=True) + NEAR).sqrt()
        step = REACH / (self.config.radial - 1)
        radial = torch.exp(-(((d - torch.linspace(0.0, REACH, self.config.radial)) / step) ** 2))
        features, y = torch.cat([graphs["edges"], radial], -1), x
        for layer in self.rounds:
            h, y = layer(h, y, features, graphs)
        return centred(y - x, graphs)

    def copy(self, dense: Denoiser) -> SparseDenoiser:
        """The parameters of the product's model."""
        held = dict(dense.named_parameters())
        with torch.no_grad():
            for name, value in self.named_parameters():
                if ".first." not in name:
                    value.copy_(held[name])
            for mine, theirs in zip(self.rounds, dense.layers, strict=True):
                parts = [theirs.target.weight, theirs.source.weight, theirs.pair.weight, theirs.distance_M[:, None]]
                mine.first.weight.copy_(torch.cat(parts, 1))
                mine.first.bias.copy_(theirs.target.bias)
        return self

    def paste(self, dense: Denoiser) -> Denoiser:
        """The parameters of this model, in the product's."""
        held = dict(self.named_parameters())
        with torch.no_grad():
            for name, value in dense.named_parameters():
                if name in held:
                    value.copy_(held[name])
            for mine, theirs in zip(self.rounds, dense.layers, strict=True):
                width = theirs.target.weight.shape[1]
                parts = torch.split(mine.first.weight, [width, width, theirs.pair.weight.shape[1], 1], 1)
                for part, into in zip(parts, (theirs.target, theirs.source, theirs.pair), strict=False):
                    into.weight.copy_(part)
                theirs.distance_M.copy_(parts[3][:, 0])
                theirs.target.bias.copy_(mine.first.bias)
        return dense


def fit(config: DiffusionConfig, data: list[Graphs], seed: int = 0) -> SparseDenoiser:
    """Adam on shuffled graphs, with the product's number of updates, learning rates, timesteps and clipping."""
    torch.manual_seed(seed)
    model, levels = SparseDenoiser(config).copy(create(config, seed)), scheduler(config).alphas_cumprod
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    loader: DataLoader[Graphs] = DataLoader(data, config.batch, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    passes = math.ceil(config.epochs)
    updates = passes * len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(config, step, updates))
    for _ in range(passes):
        for graphs in loader:
            _update(config, model, optimizer, levels, graphs)
            schedule.step()
    return model


def _update(
    config: DiffusionConfig,
    model: SparseDenoiser,
    optimizer: torch.optim.Optimizer,
    levels: torch.Tensor,
    graphs: Graphs,
) -> None:
    rows, sizes = len(graphs["sizes"]), graphs["sizes"]
    t = ((torch.randperm(rows) + torch.rand(rows)) / rows * config.timesteps).long().clamp(max=config.timesteps - 1)
    kept, eps = levels[t][graphs["owner"]][:, None], centred(torch.randn_like(graphs["x"]), graphs)
    error = (model(graphs, kept.sqrt() * graphs["x"] + (1 - kept).sqrt() * eps, t) - eps).square().sum(-1)
    each = torch.zeros(rows).index_add(0, graphs["owner"], error) / (3 * sizes)
    optimizer.zero_grad()
    torch.autograd.backward(each.mean())
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    optimizer.step()


@torch.inference_mode()
def sample(config: DiffusionConfig, model: SparseDenoiser, data: list[Graphs], batch: int) -> list[torch.Tensor]:
    """Coordinates for every graph by the product's sampler, `batch` graphs at once."""
    found: list[torch.Tensor] = []
    for graphs in DataLoader(data, batch, collate_fn=collate):  # type: ignore[arg-type]
        x = centred(torch.randn_like(graphs["x"]), graphs)
        for step in steps(config):
            eps = model(graphs, x, torch.full((len(graphs["sizes"]),), step.t))
            x = stepped(step, eps, x, centred(torch.randn_like(x), graphs))
        found += torch.split(x, graphs["sizes"].tolist())
    return found
