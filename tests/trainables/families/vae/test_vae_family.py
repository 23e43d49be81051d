"""The family at work: which images are real, what a model is judged on, and who judges."""

import math

import numpy as np
import pytest
from sklearn.decomposition import PCA

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families import Diverged, World
from trainables.families.vae import classifier, judges, network, objective
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.features import compare, see, space
from trainables.families.vae.rows import labels_of, payload, pixels_of
from trainables.lineage import Stream
from trainables.sources.images import Images, Pixels
from trainables.sources.images.splits import Split
from trainables.store import MemoryStore, Payload

CONFIG = VaeConfig(width=2, latent=2, steps=2, judged=40, feature_steps=5)
STREAM = Stream("test")


def build(config=CONFIG, seed=0):
    return config.build(World(rows=60, replicates=1, seed=seed, store=MemoryStore()))


@pytest.fixture(scope="module")
def family():
    return build()


@pytest.fixture(scope="module")
def model(family):
    real = family.real(0, 60)
    return family.fit(Corpus((RealisedDraw((Batch(0, "0", 60, lambda: real),), None, 1.0),)), STREAM)


def rows_of(batch):
    return [row.tobytes() for row in pixels_of(batch).array()]


def test_real_rows_are_a_permutation_of_the_training_images_with_their_classes(family):
    train = family.images.train
    whole = family.real(0, train.rows)
    order = {row.tobytes(): n for n, row in enumerate(train.pixels.array())}
    index = [order[row] for row in rows_of(whole)]
    assert sorted(index) == list(range(train.rows))
    assert index != sorted(index)
    assert np.array_equal(labels_of(whole), train.labels[index])
    assert rows_of(family.real(100, 7)) == rows_of(whole)[100:107]
    assert rows_of(build(seed=1).real(0, 5)) != rows_of(whole)[:5]
    assert whole.meta["skipped"] == {"corrupt": 0, "repeated": 0}


def test_rows_beyond_the_training_images_are_refused_and_the_last_is_not(family):
    rows = family.images.train.rows
    assert family.real(rows - 1, 1).rows == 1
    with pytest.raises(
        ValueError, match=f"^rows: real rows {rows - 1} to {rows + 1}, but the training split .* {rows}$"
    ):
        family.real(rows - 1, 2)


def test_held_out_rows_are_those_to_test_and_then_those_to_validate_on(family):
    held, images = family.held_out(), family.images
    parts = [images.test, images.validation]
    assert rows_of(held) == [row.tobytes() for part in parts for row in part.pixels.array()]
    assert labels_of(held).tolist() == [label for part in parts for label in part.labels]


def test_a_record_is_the_elbo_of_test_images_beside_that_of_validation_images(family, model):
    """The KL part has no draws, so that it can be taken again on each split."""
    measured, _ = family.measure(model)
    net = network.load(CONFIG, model.tensors)
    kl = objective.judge(CONFIG, net, family.images.test.pixels, Stream("other"))[1].mean()
    assert measured["kl"] == pytest.approx(kl)
    assert measured["validation_loss"] == family.validate(model)
    assert measured["source_corrupt"] == measured["source_repeated"] == 0
    assert {metric.name for metric in VaeConfig.metrics} <= measured.keys()
    found = family.evaluate(model, STREAM)
    assert found.test_loss == measured["reconstruction"] + measured["kl"]
    assert found.test_loss != measured["validation_loss"]


def test_models_of_one_seed_are_judged_on_common_numbers_whatever_the_stream(family, model):
    one, other = (family.evaluate(model, Stream(key)) for key in "ab")
    assert one.metrics == other.metrics
    assert build(seed=1).evaluate(model, STREAM).metrics["reconstruction"] != one.metrics["reconstruction"]


def test_a_model_whose_loss_is_no_number_diverged(family, model):
    broken = {name: np.full_like(value, np.nan) for name, value in model.tensors.items()}
    with pytest.raises(Diverged, match=r"^the loss on held-out images is not finite \(reconstruction nan, KL nan\)$"):
        family.validate(Payload(tensors=broken))


def test_rows_taken_keep_their_order_and_classes(family):
    batch = family.real(0, 10)
    taken = family.take(batch, np.array([7, 0, 7]))
    assert rows_of(taken) == [rows_of(batch)[n] for n in (7, 0, 7)]
    assert labels_of(taken).tolist() == labels_of(batch)[[7, 0, 7]].tolist()
    bare = payload(pixels_of(batch))
    assert labels_of(family.take(bare, np.array([1]))) is None


def test_correction_at_strength_gamma_goes_gamma_over_one_plus_gamma_of_the_way(family, model):
    """γ = 3 goes three quarters; as many centres as there are rows are the rows, so that these stay."""
    real, other = family.real(0, 60), family.real(60, 30)
    corrector = family.judge("corrector", real, None, STREAM)
    assert rows_of(family.correct(corrector, model, real, 3.0, STREAM)) == rows_of(real)
    found = family.correct(corrector, model, other, 3.0, STREAM)
    x, centres = pixels_of(other).array().reshape(30, -1) / 255, corrector.tensors["centres"]
    steps = np.array([centres[((centres - row) ** 2).sum(1).argmin()] - row for row in x])
    expected = 255 * (x + 0.75 * steps)
    assert np.abs(pixels_of(found).array().reshape(30, -1) - expected).max() <= 0.51
    assert found.meta["moved"] == pytest.approx(0.75 * np.sqrt((steps**2).sum(1).mean()), rel=1e-5)
    assert labels_of(found).tolist() == labels_of(other).tolist()


@pytest.mark.parametrize("draws", [1, 9])
def test_model_1_scores_by_four_draws_of_the_elbo_whatever_records_take(family, model, draws):
    batch = family.real(0, 8)
    config = CONFIG.model_copy(update={"elbo_draws": draws})
    scores = judges.score("first", config, model, pixels_of(batch), STREAM)
    net, four = network.load(CONFIG, model.tensors), CONFIG.model_copy(update={"elbo_draws": 4})
    parts = objective.judge(four, net, pixels_of(batch), STREAM)
    assert np.array_equal(scores, -(parts[0] + parts[1]))
    assert np.array_equal(scores, family.score("first", model, batch, STREAM))


def test_the_reference_is_an_autoencoder_of_twice_the_width(family):
    judge = family.judge("reference", family.real(0, 60), None, STREAM)
    assert judge.tensors["encoder.0.weight"].shape == (4, 1, 4, 4)
    wide, batch = CONFIG.model_copy(update={"width": 4, "elbo_draws": 4}), family.real(0, 3)
    parts = objective.judge(wide, network.load(wide, judge.tensors), pixels_of(batch), STREAM)
    assert np.array_equal(family.score("reference", judge, batch, STREAM), -(parts[0] + parts[1]))


def sure(outputs, winner):
    """A classifier that gives all images to one class."""
    images = Pixels.of(np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8))
    made = classifier.fit(images, np.arange(4) % outputs, outputs, 1, STREAM)
    bias = np.full(outputs, -100.0, np.float32)
    bias[winner] = 100
    return Payload(meta=made.meta, tensors=made.tensors | {"head.bias": bias})


def test_a_detectors_score_is_the_chance_of_class_1_and_never_certain(family):
    batch = pixels_of(family.real(0, 5))
    assert judges.score("detector", CONFIG, sure(2, 1), batch, STREAM).tolist() == [1 - 1e-6] * 5
    assert judges.score("detector", CONFIG, sure(2, 0), batch, STREAM).tolist() == [1e-6] * 5


def test_a_classifier_reference_scores_by_the_log_chance_of_the_likeliest_class(family):
    config, batch = CONFIG.model_copy(update={"reference": "classifier"}), pixels_of(family.real(0, 5))
    assert judges.score("reference", config, sure(3, 2), batch, STREAM) == pytest.approx([0.0] * 5, abs=1e-9)
    even = sure(3, 0)
    even = Payload(meta=even.meta, tensors={n: np.zeros_like(v) for n, v in even.tensors.items()})
    assert judges.score("reference", config, even, batch, STREAM) == pytest.approx([-math.log(3)] * 5)


def test_a_classifier_needs_labels(family):
    config = CONFIG.model_copy(update={"reference": "classifier"})
    with pytest.raises(ValueError, match=r"^reference: a classifier needs labels, which digits as configured lacks$"):
        judges.reference(config, pixels_of(family.real(0, 5)), None, 0, STREAM)


def test_images_are_seen_alike_alone_and_together_and_chances_sum_to_one(family):
    held, seen_by = family.images.test.pixels, space(CONFIG, family.images, MemoryStore())
    seen = see(seen_by, held)
    assert seen.features.shape == (held.rows, 32)
    assert seen.logs.shape == (held.rows, 10)
    np.testing.assert_allclose(np.exp(seen.logs).sum(axis=1), 1, rtol=1e-6)
    alone = see(seen_by, held.take(np.array([5])))
    np.testing.assert_allclose(alone.features[0], seen.features[5], atol=1e-5)


@pytest.fixture(scope="module")
def bare(family):
    """The same images without classes."""
    parts = (family.images.train, family.images.validation, family.images.test)
    return Images(*(Split(part.pixels, None) for part in parts), 0, {})


def test_without_classes_features_are_exact_principal_components(bare):
    """Their variances are the largest eigenvalues of the pixels' covariance; none is lost of what they span."""
    made = space(CONFIG, bare, MemoryStore())
    features = see(made, bare.train.pixels).features
    exact = PCA(32, svd_solver="full").fit(bare.train.pixels.array().reshape(bare.train.rows, -1) / 255)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(features.var(axis=0, ddof=1)[:24], exact.explained_variance_[:24], rtol=0.01)
    assert see(made, bare.test.pixels).logs is None


def test_sampled_images_that_are_the_held_out_ones_are_at_no_distance_from_them(bare):
    made = space(CONFIG, bare, MemoryStore())
    held = Pixels.join([bare.test.pixels, bare.validation.pixels])
    found = compare(CONFIG, bare, made, held)
    assert found["frechet_distance"] == pytest.approx(0, abs=1e-5)
    assert (found["precision"], found["recall"], found["variance_ratio"]) == (1.0, 1.0, 1.0)
    flat = compare(CONFIG, bare, made, Pixels.of(np.full((50, 8, 8, 1), 9, np.uint8)))
    assert [flat[n] for n in ("pixel_variance", "variance_ratio", "recall")] == pytest.approx([0, 0, 0], abs=1e-9)


def test_real_images_that_do_not_vary_leave_a_finite_ratio(bare):
    still = Split(Pixels.of(np.full((20, 8, 8, 1), 9, np.uint8)), None)
    made = space(CONFIG, bare, MemoryStore())
    noise = Pixels.of(np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8))
    found = compare(CONFIG, Images(bare.train, still, still, 0, {}), made, noise)
    assert found["variance_ratio"] == pytest.approx(found["pixel_variance"] / 1e-12)
