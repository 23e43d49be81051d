"""What a config says of a model before anything is built: shapes, counts, costs, keys, and what it refuses."""

import numpy as np
import pytest
from pydantic import ValidationError

from trainables.families.vae import network
from trainables.families.vae.config import VaeConfig
from trainables.sources.images.embedded import Digits, Mnist5k

DEEP = VaeConfig.model_validate(
    {"width": 5, "depth": 3, "latent": 7, "source": {"kind": "digits", "size": 16, "channels": 3}}
)


def test_channels_double_while_sides_halve():
    assert DEEP.shape == (16, 16, 3)
    assert DEEP.channels == [3, 5, 10, 20]
    assert DEEP.side == 2
    assert (VaeConfig().channels, VaeConfig().side) == ([1, 16, 32], 2)


def test_parameters_by_hand():
    """Digits, width 16, depth 2, latent 8. Kernels 1→16 and 16→32 of 16 weights, and the same back: 2 · (16 + 512) ·
    16, with a bias for each output, 16 + 32 and 16 + 1. The smallest map has 32 · 2² = 128 numbers: 128 · 16 + 16
    to mean and log-variance, 8 · 128 + 128 from a latent."""
    assert VaeConfig().parameters == 2 * 528 * 16 + 16 + 32 + 16 + 1 + 128 * 16 + 16 + 8 * 128 + 128 == 20_177
    assert VaeConfig().size_label() == "0.0202M"
    assert VaeConfig(observation="logistic").parameters == 20_178
    assert DEEP.model_copy(update={"observation": "logistic"}).parameters == DEEP.parameters + 3


@pytest.mark.parametrize(
    ("epochs", "rows", "batch", "updates"), [(3, 1000, 50, 60), (1, 100, 64, 2), (0.1, 10, 64, 1), (2, 80, 64, 2)]
)
def test_epochs_are_rounded_to_whole_updates_and_one_at_least(epochs, rows, batch, updates):
    assert VaeConfig(epochs=epochs, batch=batch).updates(rows) == updates


def test_cost_by_hand():
    """Decoding: a matrix of 8 · 128, and kernels of 16 weights on maps of 4² and 2² places, 16 · 16 + 4 · 512 pairs of
    channels; two operations a multiplication. The encoder's matrix has two outputs a latent, so twice the decoder's.
    A pass forwards counts once, backwards twice."""
    cost = VaeConfig(epochs=40, batch=50).cost(1000)
    kernels, matrix = (16 * 16 + 4 * 512) * 16, 8 * 128
    assert cost.sample_flops == 2 * (kernels + matrix)
    assert cost.fit_flops == pytest.approx(40 * 3 * (2 * (kernels + matrix) + 2 * (kernels + 2 * matrix)))
    assert (cost.parameters, cost.row_bytes, cost.tokens_per_row) == (20_177, 64, 64)
    assert DEEP.cost(100).row_bytes == 768
    assert DEEP.cost(100).tokens_per_row == 256


def test_a_batch_larger_than_the_corpus_costs_the_corpus():
    """Ten updates see each of 20 rows ten times, whether 64 or 20 are asked for at once."""
    costs = [VaeConfig(steps=10, batch=batch).cost(20).fit_flops for batch in (64, 20)]
    assert costs[0] == costs[1]
    assert VaeConfig(steps=10, batch=10).cost(20).fit_flops == costs[0] / 2


def test_held_out_images_are_judged_whole_or_named_otherwise_in_the_key():
    """Of 1,797 digits a share of 0.15 is held out, 1.3 · 269.55 = 350.4 at most."""
    assert Digits().most_held_out() == pytest.approx(350.415)
    assert Mnist5k().most_held_out() == pytest.approx(975)
    assert "real" not in VaeConfig(judged=351).evaluation_identity()
    assert VaeConfig(judged=350).evaluation_identity()["real"] == 2
    assert VaeConfig(observation="logistic").evaluation_identity()["real"] == 2


@pytest.mark.parametrize("field", ["elbo_draws", "judged", "neighbours", "feature_steps"])
def test_what_decides_a_record_is_part_of_its_key(field):
    assert VaeConfig(**{field: 7}).evaluation_identity() != VaeConfig().evaluation_identity()


def test_rows_there_are_to_train_on_are_counted_from_the_images():
    assert VaeConfig().available_rows() == 1477
    faces = VaeConfig(source={"kind": "celeba"}, depth=3)
    assert faces.available_rows() == 162_770


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"depth": 4}, "depth: a side of 8 pixels can't be halved 4 times without a remainder"),
        ({"depth": 2, "source": {"kind": "digits", "size": 10}}, "depth: a side of 10 pixels can't be halved 2 times"),
        ({"start": "checkpoint"}, "checkpoint: missing; `start: checkpoint` needs one"),
    ],
)
def test_what_can_not_be_is_refused(fields, message):
    with pytest.raises(ValidationError) as problem:
        VaeConfig.model_validate(fields)
    assert message in str(problem.value)


@pytest.mark.parametrize(
    ("field", "least", "below"),
    [
        ("width", 1, 0),
        ("latent", 1, 0),
        ("beta", 0, -0.1),
        ("final_learning_rate", 0, -0.1),
        ("warmup", 0, -0.1),
        ("weight_decay", 0, -0.1),
        ("elbo_draws", 1, 0),
        ("judged", 2, 1),
        ("neighbours", 1, 0),
        ("steps", 1, 0),
    ],
)
def test_least_values_are_allowed_and_less_is_not(field, least, below):
    VaeConfig.model_validate({field: least})
    with pytest.raises(ValidationError, match=field):
        VaeConfig.model_validate({field: below})


@pytest.mark.parametrize(
    ("field", "most"), [("warmup", 1), ("noise", 0), ("epochs", 0), ("learning_rate", 0), ("clip", 0)]
)
def test_ends_that_are_left_out(field, most):
    with pytest.raises(ValidationError, match=field):
        VaeConfig.model_validate({field: most})


def test_a_checkpoint_of_another_network_is_refused_when_a_cell_is_checked(tmp_path):
    from trainables.families.checkpoint_files import write

    config = VaeConfig(width=2, latent=2)
    write(network.weights(network.create(config, 0, np.array([0.5]))), config.canonical(), tmp_path)
    fields = {"width": 2, "start": "checkpoint", "checkpoint": {"path": str(tmp_path)}}
    VaeConfig.model_validate(fields | {"latent": 2}).check(10, 1)
    with pytest.raises(ValueError, match=r"^checkpoint: .* is of another model: 'encoder.5.weight' has shape"):
        VaeConfig.model_validate(fields | {"latent": 3}).check(10, 1)


def test_the_smallest_config_is_small_and_whole():
    config, rows = VaeConfig.tiny()
    assert config.parameters < 2000
    assert config.updates(rows) == 2
    assert config.available_rows() >= rows
