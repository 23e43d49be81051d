"""Fits by arithmetic: how many updates, at what rate, of what loss, by what step."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from trainables.families import Diverged
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.fit import (
    _optimizer,
    _update,
    decayed,
    fit,
    fitted,
    padded_loss,
    rate,
    require_finite,
    train,
)
from trainables.families.language.token_rows import Rows, RowsView
from trainables.lineage import Stream

LISTS = [[3, 4, 5], [6, 7], [8, 9, 10, 11], [12, 13]]


def config(**fields: Any) -> LanguageConfig:
    shape = {"width": 8, "layers": 1, "heads": 2, "context": 6, "vocabulary": 260, "batch": 2, "precision": "float32"}
    return LanguageConfig.model_validate(shape | {"sequences": "documents"} | fields)


def view(weights: list[float] | None = None) -> RowsView:
    tokens = np.array([token for row in LISTS for token in row], np.uint16)
    rows = Rows(tokens, np.concatenate([[0], np.cumsum([len(row) for row in LISTS])]))
    return RowsView((rows,), None, None if weights is None else np.array(weights))


@pytest.fixture(scope="module")
def model() -> Any:
    return architecture.create(config(initializer_range=0.5), 0)


@pytest.mark.parametrize(
    ("fields", "rows", "updates"),
    [
        ({"epochs": 1, "batch": 4}, 8, 2),
        ({"epochs": 1, "batch": 4}, 9, 3),
        ({"epochs": 4, "batch": 4}, 10, 10),
        ({"epochs": 0.5, "batch": 4}, 10, 2),
        ({"epochs": 0.01, "batch": 4}, 10, 1),
        ({"epochs": 0.01, "batch": 4}, 0, 1),
        ({"epochs": 1.1, "batch": 2}, 100, 55),
        ({"steps": 3, "epochs": 40}, 10, 3),
    ],
)
def test_updates_cover_the_passes_and_are_at_least_one(fields: dict[str, Any], rows: int, updates: int) -> None:
    assert config(**fields).updates(rows) == updates


def test_ten_rates_by_hand() -> None:
    """Two of ten updates warm up; then half a cosine over eight from 1 towards 0.2, which the eleventh would have."""
    given = config(warmup=0.2, final_learning_rate=0.2)
    falling = [0.2 + 0.8 * (1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)]
    assert [rate(given, step, 10) for step in range(10)] == pytest.approx([0.5, 1.0, *falling])
    assert rate(given, 10, 10) == pytest.approx(0.2)
    assert rate(given, 6, 10) == pytest.approx(0.6), "half way down"


@pytest.mark.parametrize("warmup", [0.0, 0.04, 0.49])
def test_the_first_of_a_few_updates_has_the_whole_rate(warmup: float) -> None:
    assert rate(config(warmup=warmup), 0, 1) == 1.0
    assert rate(config(warmup=warmup), 0, 3) == (0.5 if warmup == 0.49 and round(0.49 * 3) == 2 else 1.0)


def test_a_rate_that_ends_at_the_peak_is_constant_and_one_that_ends_at_zero_is_not() -> None:
    assert {rate(config(final_learning_rate=1, warmup=0), step, 7) for step in range(7)} == {1.0}
    assert rate(config(final_learning_rate=0, warmup=0), 7, 7) == pytest.approx(0)


def by_hand(model: Any, lists: list[list[int]]) -> list[list[float]]:
    """−log p of each token given BOS and those before it, row by row, without padding."""
    found = []
    for row in lists:
        logits = model(torch.tensor([[0, *row[:-1]]])).logits[0].double().detach()
        chances = logits.exp() / logits.exp().sum(-1, keepdim=True)
        found.append([-math.log(float(chances[place, token])) for place, token in enumerate(row)])
    return found


def test_the_loss_of_an_update_is_a_mean_over_its_tokens_not_over_its_rows(model: Any) -> None:
    losses = by_hand(model, [LISTS[0], LISTS[3]])
    found = float(padded_loss(config(), model, view(), np.array([0, 3])).detach())
    assert found == pytest.approx((sum(losses[0]) + sum(losses[1])) / 5, rel=1e-5)


def test_rows_weigh_as_they_are_told_in_the_mean_of_all_tokens(model: Any) -> None:
    """Weights multiply shares of 1/5; they are not normalised within an update."""
    losses = by_hand(model, [LISTS[0], LISTS[3]])
    found = float(padded_loss(config(), model, view([3.0, 1.0, 1.0, 0.5]), np.array([0, 3])).detach())
    assert found == pytest.approx((3 * sum(losses[0]) + 0.5 * sum(losses[1])) / 5, rel=1e-5)


def test_only_what_counts_is_in_the_mean(model: Any) -> None:
    losses = by_hand(model, [LISTS[2], LISTS[3]])
    given = config(loss={"on": "last", "tokens": 3})
    found = float(padded_loss(given, model, view(), np.array([2, 3])).detach())
    assert found == pytest.approx((sum(losses[0][1:]) + sum(losses[1])) / 5, rel=1e-5)


def test_a_truncated_mean_is_still_over_all_tokens(model: Any) -> None:
    """Tokens whose probability exceeds `above` add nothing, and the divisor stays."""
    losses = by_hand(model, [LISTS[0], LISTS[3]])
    each = sorted(losses[0] + losses[1])
    above = math.exp(-(each[1] + each[2]) / 2)
    given = config(loss={"kind": "truncated", "above": above})
    found = float(padded_loss(given, model, view(), np.array([0, 3])).detach())
    assert found == pytest.approx(sum(each[2:]) / 5, rel=1e-5)


def test_matrices_decay_and_vectors_do_not(model: Any) -> None:
    matrices, vectors = decayed(config(weight_decay=0.3), model)
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)
    assert {p.ndim for p in matrices["params"]} == {2}
    assert {p.ndim for p in vectors["params"]} == {1}
    assert sum(p.numel() for group in (matrices, vectors) for p in group["params"]) == config().parameters


def test_groups_without_parameters_are_left_out() -> None:
    held = torch.nn.Linear(3, 2, bias=False)
    assert [group["weight_decay"] for group in decayed(config(), held)] == [0.1]
    held.weight.requires_grad_(False)
    assert decayed(config(), held) == []
    assert fitted(held) == []


def test_an_update_is_one_step_of_adamw_written_out() -> None:
    """Loshchilov and Hutter 2019, algorithm 2, at the first step: m̂ = g and v̂ = g², so that a weight moves by
    lr · g / (|g| + ε) after it has shrunk by lr · decay."""
    given = config(learning_rate=0.01, weight_decay=0.2, clip=1e9)
    model = architecture.create(given, 3)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    _update(given, model, _optimizer(given, model), view(), np.array([0, 2]))
    for name, p in model.named_parameters():
        slope, shrunk = p.grad, 1 - 0.01 * (0.2 if p.ndim == 2 else 0.0)
        assert slope is not None
        torch.testing.assert_close(p.detach(), before[name] * shrunk - 0.01 * slope / (slope.abs() + 1e-8))


def test_the_second_step_remembers_the_first_by_the_betas() -> None:
    """m₂ = (0.9 · 0.1 g₁ + 0.1 g₂) / (1 − 0.9²), v₂ = (0.95 · 0.05 g₁² + 0.05 g₂²) / (1 − 0.95²)."""
    given = config(learning_rate=1e-3, weight_decay=0.0, clip=1e9)
    model = architecture.create(given, 3)
    optimizer = _optimizer(given, model)
    _update(given, model, optimizer, view(), np.array([0, 2]))
    p = model.transformer.h[0].mlp.c_fc.weight
    held, first = p.detach().clone(), p.grad.clone()
    _update(given, model, optimizer, view(), np.array([1, 3]))
    mean = (0.9 * 0.1 * first + 0.1 * p.grad) / (1 - 0.9**2)
    square = (0.95 * 0.05 * first**2 + 0.05 * p.grad**2) / (1 - 0.95**2)
    torch.testing.assert_close(p.detach(), held - 1e-3 * mean / (square.sqrt() + 1e-8), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("largest", [1e-3, 0.5])
def test_a_gradient_is_held_to_its_largest_norm(largest: float) -> None:
    given = config(clip=largest)
    model = architecture.create(given, 3)
    _update(given, model, _optimizer(given, model), view(), np.array([0, 2]))
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    assert norm == pytest.approx(largest, rel=1e-3)


def test_a_fit_is_updates_in_the_order_and_at_the_rates_of_its_stream() -> None:
    """Three updates by hand: rows by a permutation of the stream `order`, rates by the schedule, moments kept."""
    given = config(steps=3, warmup=0.4, learning_rate=0.01)
    found = fit(given, view(), Stream("s"))
    model = architecture.create(given, Stream("s").integer("init"))
    optimizer = _optimizer(given, model)
    draws = Stream("s").numpy("order")
    order = np.concatenate([draws.permutation(4), draws.permutation(4)])
    for step, share in enumerate([1.0, 1.0, 0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2]):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * share
        _update(given, model, optimizer, view(), order[2 * step : 2 * step + 2])
    expected = architecture.weights(model)
    for name, value in architecture.weights(found).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-7)


def test_a_fit_that_starts_at_weights_draws_none() -> None:
    given = config(steps=1, learning_rate=1e-12, weight_decay=0.0)
    start = architecture.weights(architecture.create(given, 5))
    found = architecture.weights(fit(given, view(), Stream("s"), start))
    assert all(np.allclose(found[name], value, atol=1e-9) for name, value in start.items())


def test_frozen_parameters_stay_where_they_are() -> None:
    given = config(steps=2, learning_rate=0.1)
    model = architecture.create(given, 5)
    model.transformer.h[0].requires_grad_(False)
    before = {name: value.copy() for name, value in architecture.weights(model).items()}
    after = architecture.weights(train(given, model, view(), Stream("s")))
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved
    assert not {name for name in moved if name.startswith("transformer.h.")}


@pytest.mark.parametrize("value", [math.nan, math.inf, torch.tensor(math.nan)])
def test_what_is_not_finite_is_told_by_its_step(value: Any) -> None:
    with pytest.raises(Diverged, match=r"^loss is not finite at step 48$"):
        require_finite(value, 48)
    require_finite(1e300, 48)


def test_weights_that_are_no_numbers_end_a_fit_whose_loss_is_one() -> None:
    """A token's embedding that no row reads: the head is its own, so that no loss sees it; the sum of weights does."""
    given = config(steps=2, overrides={"tie_word_embeddings": False})
    start = architecture.weights(architecture.create(given, 5))
    start["transformer.wte.weight"][200] = np.nan
    with pytest.raises(Diverged, match=r"^loss is not finite at step 2$"):
        fit(given, view(), Stream("s"), start)
