"""Judging a denoiser on held-out molecules: its error at fixed noise, and the conformers it makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from trainables.families.base import Diverged
from trainables.families.diffusion import geometry
from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import PER_REFERENCE, DiffusionConfig
from trainables.families.diffusion.cpu.denoiser import Predictor, predictor
from trainables.families.diffusion.process import errors, noise, parts, sample, scheduler
from trainables.lineage import Stream
from trainables.runtime import pick_device, seeded
from trainables.sources.molecules import Conformers, Graph, stack

BLOCK = 64
"""Rows that share a stream of noise."""


@torch.no_grad()
def denoising_errors(config: DiffusionConfig, model: Predictor, rows: Conformers, stream: Stream) -> np.ndarray:
    """Squared error per coordinate of each row at each noise level, [levels, rows].

    Levels are evenly spaced timesteps. Noise comes from the stream and the rows' sizes alone, so that models
    judged on one stream see the same noisy coordinates.
    """
    model, featured = predictor(model), Featured(rows, config.scale)
    levels_T = scheduler(config).alphas_cumprod.to(pick_device())
    found = np.empty((config.noise_levels, len(rows)))
    for number, block in enumerate(featured.by_size(BLOCK)):
        generator = seeded(stream.integer("noise", str(number)))
        mask_BN, x_BN3 = featured.graphs(block).mask_BN, featured.places(block)
        draws = [noise(x_BN3.shape, mask_BN, generator) for _ in range(config.noise_levels)]
        for part in parts(len(block)):
            graphs = featured.graphs(block[part]).to(pick_device())
            size = graphs.mask_BN.shape[1]
            given = model.prepare(graphs)
            here = [t[part, :size].to(pick_device()) for t in (x_BN3, *draws)]
            for level, t in enumerate(timesteps(config)):
                t_B = torch.full(here[0].shape[:1], t, device=pick_device())
                error_B = errors(model, given, here[0], here[level + 1], t_B, levels_T)
                found[level, block[part]] = error_B.cpu().numpy()
    return found


def timesteps(config: DiffusionConfig) -> list[int]:
    """The middle of each of `noise_levels` equal shares of the timesteps."""
    return [int((k + 0.5) * config.timesteps / config.noise_levels) for k in range(config.noise_levels)]


def loss(config: DiffusionConfig, model: Predictor, test: Conformers, stream: Stream) -> dict[str, float]:
    """`test_loss`: the mean error per coordinate over held-out rows and noise levels; and what a model that
    predicts no noise would have.

    Raises:
        Diverged: the error is not finite.
    """
    found = float(denoising_errors(config, model, test, stream).mean())
    if not np.isfinite(found):
        raise Diverged("test loss is not finite")
    return {"test_loss": found, "constant_loss": float((1 - 1 / test.sizes).mean())}


@dataclass(frozen=True)
class Judged:
    """A held-out graph, its real conformers and the sampled ones, [n, 3] each in ångström."""

    graph: Graph
    real: list[np.ndarray]
    made: list[np.ndarray]


def references(config: DiffusionConfig, test: Conformers) -> list[np.ndarray]:
    """Held-out rows of the molecules to judge: for each, those of one labelled graph."""
    numbers = np.unique(test.molecule)[: config.judged_molecules]
    chosen = []
    for number in numbers:
        rows = np.flatnonzero(test.molecule == number)
        key = test.graph(int(rows[0])).key
        chosen.append(np.array([row for row in rows.tolist() if test.graph(row).key == key]))
    return chosen


def judged(config: DiffusionConfig, model: Predictor, test: Conformers, stream: Stream) -> list[Judged]:
    """The molecules to judge, sampled twice for each real conformer."""
    chosen = references(config, test)
    asked = test.take(np.concatenate([np.repeat(rows, PER_REFERENCE) for rows in chosen]))
    made = sample(config, model, asked, stream)
    found, start = [], 0
    for rows in chosen:
        stop = start + PER_REFERENCE * len(rows)
        places = [made.place(n) for n in range(start, stop)]
        found.append(Judged(test.graph(rows[0]), [test.place(row) for row in rows], places))
        start = stop
    return found


def metrics(config: DiffusionConfig, molecules: list[Judged]) -> dict[str, float]:
    """Geometry metrics.

    `cov`, `mat` (ångström) and their `_precision` versions; `diversity`, the mean RMSD between samples of one
    molecule; `bond_distance` (ångström) and `angle_distance` (degrees), Wasserstein distances to the real ones;
    `validity` and `valid_bonds`; `gyration_ratio`, the sampled over the real radius of gyration.
    """
    tables = [_compare(config, molecule) for molecule in molecules]
    found = {name: float(np.mean([table[name] for table in tables])) for name in tables[0]}
    real, made = (_pooled(molecules, side) for side in ("real", "made"))
    distances = {
        "bond_distance": geometry.wasserstein(geometry.lengths(real), geometry.lengths(made)),
        "angle_distance": geometry.wasserstein(geometry.angles(real), geometry.angles(made)),
    }
    ratio = float(geometry.gyration(made).mean() / geometry.gyration(real).mean())
    return found | {n: v for n, v in distances.items() if v is not None} | {"gyration_ratio": ratio}


def _pooled(molecules: list[Judged], side: str) -> Conformers:
    """All conformers of one side, as rows."""
    pairs = [(number, m.graph, place) for number, m in enumerate(molecules) for place in getattr(m, side)]
    return stack(*zip(*pairs, strict=True))


def _compare(config: DiffusionConfig, molecule: Judged) -> dict[str, float]:
    count = len(molecule.real)
    table = geometry.rmsd(molecule.graph, molecule.real + molecule.made)
    cov, mat = geometry.coverage(table[:count, count:], config.cov_threshold)
    cov_precision, mat_precision = geometry.coverage(table[count:, :count], config.cov_threshold)
    among = table[count:, count:]
    valid, bonds = geometry.validity(molecule.graph, molecule.made)
    return {
        "cov": cov,
        "mat": mat,
        "cov_precision": cov_precision,
        "mat_precision": mat_precision,
        "diversity": float(among[np.triu_indices(len(among), 1)].mean()),
        "validity": float(valid.mean()),
        "valid_bonds": float(bonds.mean()),
    }
