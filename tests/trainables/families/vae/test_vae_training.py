"""The training loop: its schedule by hand, its order, its updates against AdamW in plain numpy, what it reports."""

import math
from itertools import count

import numpy as np
import pytest
import torch
from torch import nn

from trainables.families.base import Diverged
from trainables.families.vae.training import Schedule, require_finite, shuffled, train
from trainables.runtime import seeded

ROWS, COLUMNS = 12, 3


def test_the_rate_rises_evenly_and_falls_along_a_cosine_to_its_share():
    """Ten updates, two of warm-up: half, whole; then 0.1 + 0.9 · ½(1 + cos πk/8) for k = 0 … 7."""
    plan = Schedule(updates=10, batch=1, learning_rate=3.0, final_learning_rate=0.1, warmup=0.2)
    fall = [0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * k / 8)) for k in range(8)]
    assert [plan.rate(step) for step in range(10)] == pytest.approx([1.5, 3.0, *(3 * share for share in fall)])
    assert plan.rate(6) == pytest.approx(3 * 0.55)
    assert plan.rate(10) == pytest.approx(0.3)


@pytest.mark.parametrize(("updates", "warmup"), [(1, 0.0), (1, 0.9), (4, 0.0), (20, 0.0)])
def test_without_warm_up_the_first_update_has_the_peak(updates, warmup):
    plan = Schedule(updates=updates, batch=1, learning_rate=0.5, warmup=warmup)
    assert plan.rate(0) == 0.5
    assert all(plan.rate(step) <= 0.5 for step in range(updates))


def test_the_defaults_are_a_twentieth_of_warm_up_and_a_fall_to_a_hundredth():
    plan = Schedule(updates=100, batch=1, learning_rate=1.0)
    assert [plan.rate(0), plan.rate(4), plan.rate(5)] == pytest.approx([0.2, 1.0, 1.0])
    assert plan.rate(100) == pytest.approx(0.01)


def test_a_share_of_one_keeps_the_rate():
    plan = Schedule(updates=9, batch=1, learning_rate=0.2, final_learning_rate=1.0, warmup=0.0)
    assert [plan.rate(step) for step in range(9)] == pytest.approx([0.2] * 9)


@pytest.mark.parametrize(("rows", "batch"), [(10, 4), (10, 10), (3, 1), (5, 3)])
def test_every_pass_holds_every_row_once_and_no_row_is_dropped_between_passes(rows, batch):
    batches = shuffled(rows, batch, torch.Generator().manual_seed(0))
    taken = [next(batches) for _ in range(3 * rows)]
    assert {len(part) for part in taken} == {batch}
    passes = torch.cat(taken).view(-1, rows).tolist()
    assert all(sorted(one) == list(range(rows)) for one in passes)
    assert len({tuple(one) for one in passes}) > 1


def test_a_number_is_finite_or_said_to_be_none():
    require_finite(-1e300, "weights")
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(Diverged, match=rf"^a sampled pixel: {value}$"):
            require_finite(value, "a sampled pixel")


class Numpy:
    """A linear map of rows onto a target, fitted by AdamW as Loshchilov & Hutter (2019) write it down."""

    def __init__(self, module, x, y, plan):
        self.w, self.b = (p.detach().double().numpy().copy() for p in module.parameters())
        self.x, self.y, self.plan, self.step = x, y, plan, 0
        self.first, self.second = ([np.zeros_like(p) for p in (self.w, self.b)] for _ in range(2))

    def update(self, index):
        """The loss before the update."""
        x, error = self.x[index], self.x[index] @ self.w.T + self.b - self.y[index]
        slopes = [2 * error.T @ x / error.size, 2 * error.sum(0) / error.size]
        size = math.sqrt(sum((slope**2).sum() for slope in slopes))
        rate, self.step = self.plan.rate(self.step), self.step + 1
        if self.plan.clip is not None and size > self.plan.clip:
            slopes = [slope * self.plan.clip / size for slope in slopes]
        for number, (p, slope) in enumerate(zip((self.w, self.b), slopes, strict=True)):
            p *= 1 - rate * self.plan.weight_decay * (number == 0)  # biases do not decay
            self.first[number] = 0.9 * self.first[number] + 0.1 * slope
            self.second[number] = 0.95 * self.second[number] + 0.05 * slope**2
            mean, square = self.first[number] / (1 - 0.9**self.step), self.second[number] / (1 - 0.95**self.step)
            p -= rate * mean / (np.sqrt(square) + 1e-8)
        return (error**2).mean()


@pytest.mark.parametrize("clip", [None, 0.3, 1e6])
def test_updates_are_those_of_adamw_in_numpy(clip):
    torch.manual_seed(0)
    module, rng = nn.Linear(COLUMNS, 2), np.random.default_rng(0)
    x, y = rng.normal(size=(ROWS, COLUMNS)), 3 * rng.normal(size=(ROWS, 2))
    plan = Schedule(updates=20, batch=5, learning_rate=0.1, weight_decay=0.4, clip=clip)
    theirs, inputs, outputs = Numpy(module, x, y, plan), *(torch.from_numpy(t).float() for t in (x, y))
    mean = train(module, lambda index: (module(inputs[index]) - outputs[index]).square().mean(), ROWS, plan, 7)
    batches = shuffled(ROWS, 5, seeded(7))
    losses = [theirs.update(next(batches).numpy()) for _ in range(20)]
    np.testing.assert_allclose(module.weight.detach().numpy(), theirs.w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(module.bias.detach().numpy(), theirs.b, rtol=1e-4, atol=1e-5)
    assert mean == pytest.approx(np.mean(losses), rel=1e-4)


def counting(module, value=lambda step: float(step)):
    """A loss whose value is the number of the update, and whose gradient is nothing."""
    steps = count()
    return lambda index: 0 * module.weight.sum() + value(next(steps))


@pytest.mark.parametrize(("updates", "mean"), [(3, 1.0), (32, 15.5), (40, 35.5), (64, 47.5)])
def test_the_loss_is_the_mean_over_the_updates_since_the_last_look(updates, mean):
    """Looks come every 32 updates and after the last one: of 40 the last 8 count, 32 to 39."""
    module = nn.Linear(1, 1)
    assert train(module, counting(module), 4, Schedule(updates, 4, 0.1), 0) == mean


def test_a_loss_that_is_no_number_is_named_at_the_next_look():
    module = nn.Linear(1, 1)
    with pytest.raises(Diverged, match=r"^training loss by update 32 of 40: nan$"):
        train(module, counting(module, lambda step: math.nan if step == 3 else 0.0), 4, Schedule(40, 4, 0.1), 0)
    with pytest.raises(Diverged, match=r"^training loss by update 40 of 40: inf$"):
        train(module, counting(module, lambda step: math.inf if step == 39 else 0.0), 4, Schedule(40, 4, 0.1), 0)


def test_weights_that_are_no_numbers_are_named_even_where_the_loss_is_finite():
    module = nn.Linear(1, 1)
    module.bias.data.fill_(math.inf)
    with pytest.raises(Diverged, match=r"^weights after update 2: inf$"):
        train(module, counting(module), 4, Schedule(2, 4, 0.1), 0)


def test_a_loss_is_given_what_inputs_makes_of_row_numbers_and_sees_the_module_in_training():
    module, seen = nn.Linear(1, 1), []

    def loss(index, doubled):
        seen.append((index.tolist(), doubled.tolist(), module.training))
        return module.weight.sum()

    train(module.eval(), loss, 3, Schedule(2, 10, 0.1), 0, inputs=lambda index: (index, 2 * index))
    assert [sorted(index) for index, _, _ in seen] == [[0, 1, 2]] * 2, "a batch is the corpus where that is smaller"
    assert all(doubled == [2 * i for i in index] and training for index, doubled, training in seen)
    assert not module.training
