"""Denoisers side by side: each is what it is alone, and records say what every one of them came to."""

import numpy as np
import pytest
import torch

from tests.support.replicates import same_gradients, sums_up, three_replicates, went_on
from trainables.families.base import Diverged
from trainables.families.diffusion import fit as alone
from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.data import prepare
from trainables.families.diffusion.process import errors, scheduler
from trainables.families.diffusion.replicates import Replicate, fit, messages, training
from trainables.families.diffusion.replicates.denoisers import Denoisers
from trainables.families.lanes import lane
from trainables.lineage import Stream
from trainables.sources.molecules import Chain
from trainables.store import MemoryStore
from trainables.testing.bench import content

STORE = MemoryStore()
TINY = DiffusionConfig.tiny()[0].canonical()


def config(**fields):
    return DiffusionConfig.model_validate(TINY | {"layers": 2, "steps": 20} | fields)


def replicates(shape, count=3, rows=12):
    """Each its own rows, weights and stream."""
    train, rng = prepare(shape, STORE).train, np.random.default_rng(0)
    found = []
    for number in range(count):
        some = train.take(rng.permutation(len(train))[:rows])
        weights = rng.uniform(0.5, 1.5, rows)
        found.append(Replicate(Chain((some,)), weights / weights.mean(), Stream("replicates").child(str(number))))
    return found


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("parts", [1, 3])
def test_errors_and_gradients_are_those_of_the_denoisers(compiled, parts, monkeypatch):
    """By compiled loops and by torch's own functions, whole and by parts of one size."""
    if not compiled:
        monkeypatch.setattr(messages, "_compiled", lambda x: False)
    shape = config(layers=3)
    models = [alone.create(shape, seed) for seed in range(3)]
    together, levels = Denoisers(models), scheduler(shape).alphas_cumprod
    drawn = []
    for number, one in enumerate(replicates(shape)):
        generator, index = torch.Generator().manual_seed(number), np.arange(number, number + 7)
        weight = torch.from_numpy(one.weights[index].astype(np.float32))
        found = alone.drawn(shape, Featured(one.rows, shape.scale), index, generator)
        drawn.append(training.Drawn(*found, weight))
    total = torch.zeros(())
    for part in training.joined(drawn, parts):
        found_S = errors(together, together.prepare(part.graphs), part.x_SN3, part.eps_SN3, part.t_S, levels)
        total = total + (found_S * part.weight_S).sum()
    total.backward()
    for p in together.parameters.values():
        p.data = p.grad
    sums = []
    for model, gradients, one in zip(models, together.weights(), drawn, strict=True):
        loss = (errors(model, model.prepare(one.graphs), one.x_SN3, one.eps_SN3, one.t_S, levels) * one.weight_S).sum()
        loss.backward()
        sums.append(loss.detach())
        same_gradients(gradients, model, 1e-4)
    torch.testing.assert_close(total.detach(), torch.stack(sums).sum())


def test_weights_are_those_of_separate_fits_of_the_same_streams():
    """But for rounding, which Adam's early steps magnify; graphs of one replicate are larger than those of others."""
    shape = config()
    given = replicates(shape)
    for one, found in zip(given, fit(shape, given), strict=True):
        its = alone.weights_of(alone.fit(shape, one.rows, one.weights, one.stream))
        assert found.keys() == its.keys()
        for name, value in its.items():
            np.testing.assert_allclose(found[name], value, atol=2e-3, err_msg=name)


def test_a_fit_goes_on_from_given_weights():
    shape = config(steps=3, learning_rate=1e-6)
    first = [alone.weights_of(alone.create(shape, seed)) for seed in range(2)]
    given = [
        Replicate(r.rows, r.weights, r.stream, start) for r, start in zip(replicates(shape, 2), first, strict=True)
    ]
    went_on(first, fit(shape, given))


def test_a_replicate_that_is_no_number_is_no_fit():
    shape = config()
    broken = alone.weights_of(alone.create(shape, 0))
    broken["time.0.bias"] = np.full_like(broken["time.0.bias"], np.nan)
    starts = [None, broken]
    given = [
        Replicate(r.rows, r.weights, r.stream, start) for r, start in zip(replicates(shape, 2), starts, strict=True)
    ]
    with pytest.raises(Diverged, match="not finite"):
        fit(shape, given)


@pytest.fixture(scope="module")
def recursion():
    return three_replicates(config().canonical(), 12)


def test_records_have_means_errors_and_every_replicates_values(recursion):
    assert sums_up(recursion, ("mat", "valid_bonds"), "constant_loss").files["samples.sdf"]


def test_a_replicate_is_sampled_as_it_is_alone_on_rows_of_its_own(recursion):
    model, batch = recursion.model(1), recursion.batch(recursion.steps.batch(1))
    real = recursion.batch(recursion.steps.batch(0))
    molecules = [tuple(lane(real, number).table["molecule"]) for number in range(3)]
    assert len(set(molecules)) == 3
    for number, one in enumerate(recursion.family.replicates):
        stream = Stream(recursion.steps.batch(1).key).child("sample", "replicate", str(number))
        assert content(one.sample(lane(model, number), 12, stream)) == content(lane(batch, number))
        assert tuple(lane(batch, number).table["molecule"]) == molecules[number]


def test_references_of_replicates_that_saw_different_molecules(recursion):
    real = recursion.batch(recursion.steps.batch(0))
    family, stream = recursion.family, Stream("judge")
    judge = family.judge("reference", real, None, stream)
    scores = family.score("reference", judge, real, stream)
    for number, one in enumerate(family.replicates):
        its = one.judge("reference", lane(real, number), None, stream)
        np.testing.assert_array_equal(scores[number], one.score("reference", its, lane(real, number), stream))
