"""The loop that conformer models are measured against is the same model."""

import numpy as np
import torch

from benchmarks import diffusion_peer as peer
from benchmarks.diffusion import check_same
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.data import prepare
from trainables.families.diffusion.evaluate import loss
from trainables.families.diffusion.fit import create, fit
from trainables.lineage import Stream
from trainables.sources.molecules import Chain
from trainables.store import MemoryStore

CONFIG, ROWS = DiffusionConfig.tiny()
WIDER = CONFIG.model_copy(update={"layers": 2, "width": 16})


def test_the_peer_computes_the_products_function_and_gives_its_parameters_back():
    rows = prepare(CONFIG, MemoryStore()).train
    check_same(WIDER, rows)
    model = create(WIDER, 3)
    again = peer.SparseDenoiser(WIDER).copy(model).paste(create(WIDER, 5))
    assert all(torch.equal(mine, other) for mine, other in zip(model.parameters(), again.parameters(), strict=True))


def test_the_peer_is_fitted_to_the_products_loss():
    config = WIDER.model_copy(update={"steps": None, "epochs": 20.0})
    data = prepare(config, MemoryStore())
    ours = fit(config, Chain((data.train,)), np.ones(len(data.train)), Stream("fit"))
    theirs = peer.fit(config, peer.dataset(data.train, config.scale)).paste(create(config, 0))
    held = [loss(config, model, data.test, Stream("noise"))["test_loss"] for model in (ours, theirs)]
    assert abs(held[0] - held[1]) < 0.15 * held[0]
