"""Compiled loops predict what the network predicts."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.trainables.families.diffusion.test_diffusion_denoiser import chains
from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.cpu.denoiser import Lanes, predictor
from trainables.families.diffusion.evaluate import denoising_errors
from trainables.families.diffusion.fit import create
from trainables.families.diffusion.process import sample
from trainables.lineage import Stream

SHAPES = {
    "default": {},
    "odd sizes": {"width": 9, "messages": 5, "layers": 2, "radial": 3},
    "one round": {"width": 8, "messages": 4, "layers": 1, "radial": 2},
}


def denoiser(config: DiffusionConfig):
    """As if fitted: large updates of coordinates, of which few cancel."""
    model = create(config, 2)
    for layer in model.layers:
        torch.nn.init.normal_(layer.move.weight, std=0.3, generator=torch.Generator().manual_seed(0))
    return model.eval()


@pytest.mark.parametrize("fields", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("sizes", [[5, 3, 7], [9] * 16, [1, 1], [1, 2, 30]])
def test_loops_predict_what_the_network_predicts(fields, sizes):
    model, featured = denoiser(DiffusionConfig(**fields)), Featured(chains(sizes), 1.5)
    graphs, x_BN3 = featured.graphs(np.arange(len(sizes))), featured.places(np.arange(len(sizes)))
    lanes = predictor(model)
    assert isinstance(lanes, Lanes)
    given = lanes.prepare(graphs)
    for t_B in (torch.arange(len(sizes)) * 30, torch.tensor([999]), torch.tensor([0])):
        with torch.no_grad():
            network = model(model.prepare(graphs), x_BN3, t_B)
        found = lanes(given, x_BN3, t_B)
        torch.testing.assert_close(found, network, rtol=1e-5, atol=1e-5 * float(network.abs().max()) + 1e-7)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_samples_and_errors_are_the_networks(sampler, monkeypatch):
    config = DiffusionConfig(width=16, messages=8, layers=2, sampling_steps=20, sampler=sampler)
    model, rows = denoiser(config), chains([4, 6, 5] * 7)

    def both():
        made = sample(config, model, rows, Stream("s")).positions
        return made, denoising_errors(config, model, rows, Stream("e"))

    quick = both()
    for module in ("process", "evaluate"):
        monkeypatch.setattr(f"trainables.families.diffusion.{module}.predictor", lambda model: model)
    for mine, networks in zip(quick, both(), strict=True):
        np.testing.assert_allclose(mine, networks, rtol=1e-3, atol=1e-3)
        assert np.abs(mine - networks).mean() < 1e-5 * np.abs(networks).mean()


def test_what_one_molecule_is_predicted_does_not_depend_on_those_beside_it():
    model, featured = predictor(denoiser(DiffusionConfig())), Featured(chains([6] * 5), 1.5)
    t_B = torch.tensor([500])

    def predict(index: np.ndarray) -> torch.Tensor:
        return model(model.prepare(featured.graphs(index)), featured.places(index), t_B)

    torch.testing.assert_close(predict(np.array([3])), predict(np.arange(5))[3:4], rtol=1e-5, atol=1e-6)


def test_other_models_predict_for_themselves():
    doubled = create(DiffusionConfig(width=8, messages=4, layers=1), 0).double()
    assert predictor(doubled) is doubled


def test_numba_is_not_loaded_before_it_is_needed():
    code = "import sys, trainables.families.diffusion.family, sweep.cli; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
