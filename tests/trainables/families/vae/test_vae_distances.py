"""Distances between sets of features: closed forms, loops over pairs, invariances, and what lies on a border."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from trainables.families.vae.metrics import between_classes, coverage, frechet, pixel_variance, precision_recall

RNG = np.random.default_rng(0)


def cross(a, b, centre=(0.0, 0.0)):
    """Four points on two axes, whose covariance is diag(2a²/3, 2b²/3)."""
    return np.array([[a, 0], [-a, 0], [0, b], [0, -b]]) + centre


def test_frechet_of_two_diagonal_gaussians_is_that_of_their_deviations():
    """|μ₁ − μ₂|² + Σ(σ₁ − σ₂)², σ = a√(2/3): 9 + 16 + ⅔ · (1² + 3²)."""
    assert frechet(cross(1, 2), cross(2, 5, (3, 4))) == pytest.approx(25 + 2 / 3 * 10)


def test_frechet_knows_neither_order_nor_origin_nor_axes_and_grows_with_the_square_of_scale():
    a, b = RNG.normal(size=(40, 3)), RNG.normal(size=(30, 3)) * [1, 2, 3] + 1
    turn, plain = Rotation.random(random_state=0).as_matrix(), frechet(a, b)
    assert frechet(b, a) == pytest.approx(plain)
    assert frechet(a[::-1], b) == pytest.approx(plain)
    assert frechet(a @ turn + 7, b @ turn + 7) == pytest.approx(plain)
    assert frechet(5 * a, 5 * b) == pytest.approx(25 * plain)


def test_frechet_of_fewer_rows_than_features_is_finite_and_zero_to_itself():
    few = RNG.normal(size=(3, 10))
    assert frechet(few, few) == pytest.approx(0, abs=1e-7)
    assert frechet(few, few + 1) == pytest.approx(10)


def reach(rows, k):
    """Distance to the k-th nearest other row, by sorting."""
    return [sorted(math.dist(a, b) for m, b in enumerate(rows) if m != n)[k - 1] for n, a in enumerate(rows)]


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_by_loops_over_pairs(k):
    real, fake = RNG.normal(size=(25, 2)), 1.5 * RNG.normal(size=(25, 2)) + 0.5
    far_real, far_fake = reach(real, k), reach(fake, k)
    inside = [any(math.dist(f, r) <= far for r, far in zip(real, far_real, strict=True)) for f in fake]
    found = [any(math.dist(f, r) <= far for f, far in zip(fake, far_fake, strict=True)) for r in real]
    assert precision_recall(real, fake, k) == (np.mean(inside), np.mean(found))
    assert 0 < np.mean(inside) < 1


def test_precision_and_recall_on_a_line():
    """k = 1. Real 0, 1, 10 reach 1, 1, 9; sampled 2, 0.5, 25 reach 1.5, 1.5, 23. 2 lies on the border of 1's ball; 25
    lies in none. Every real row lies in a sampled one's ball."""
    real, fake = np.array([[0.0], [1.0], [10.0]]), np.array([[2.0], [0.5], [25.0]])
    assert precision_recall(real, fake, 1) == (2 / 3, 1.0)


def test_more_neighbours_than_rows_are_all_of_them():
    """Four rows at 0, 1, 2, 3 have three others: reaches are 3, 2, 2, 3."""
    real, fake = np.arange(4.0)[:, None], np.array([[6.0], [6.1], [-3.0], [9.0]])
    assert precision_recall(real, fake, 3) == precision_recall(real, fake, 50) == (0.5, 1.0)


def test_rows_that_repeat_are_within_each_others_balls_alone():
    same = np.zeros((5, 2))
    assert precision_recall(same, same, 3) == (1.0, 1.0)
    assert precision_recall(same, same + 1e-9, 3) == (0.0, 0.0)


@pytest.mark.parametrize(("few", "covered"), [(5, 1.0), (4, 0.5)])
def test_a_class_is_covered_from_a_tenth_of_its_real_share_on(few, covered):
    """Half of the real images are of class 1: 5 of 100 samples are just enough."""
    predicted = np.repeat([0, 1], [100 - few, few])
    assert coverage(predicted, np.repeat([0, 1], 50), 2)["class_coverage"] == covered


def test_entropy_and_divergence_of_classes_by_hand():
    found = coverage(np.repeat([0, 1], [75, 25]), np.repeat([0, 1], [10, 10]), 2)
    assert found["class_entropy"] == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert found["class_kl"] == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_a_class_that_no_real_image_has_counts_for_no_coverage_and_costs_a_finite_divergence():
    """A share of one half against none, taken for 10⁻¹²; the other half against one."""
    assert coverage(np.full(4, 2), np.zeros(6, int), 3)["class_coverage"] == 0.0
    found = coverage(np.repeat([0, 2], 4), np.zeros(6, int), 3)
    assert found["class_coverage"] == 1.0
    assert found["class_kl"] == pytest.approx(0.5 * math.log(0.5) + 0.5 * math.log(0.5e12))


def test_names_of_classes_and_order_of_rows_do_not_matter():
    predicted, real = RNG.integers(0, 4, 60), RNG.integers(0, 4, 50)
    names = np.array([2, 0, 3, 1])
    again = coverage(names[predicted][::-1], names[real], 4)
    assert again == pytest.approx(coverage(predicted, real, 4))


def test_an_image_of_nine_in_ten_belongs_to_its_class_and_one_of_less_to_none():
    chances = np.array([[0.9, 0.1], [0.1, 0.9], [0.899, 0.101], [0.5, 0.5]])
    assert between_classes(np.log(chances)) == 0.5
    assert between_classes(np.log(chances[:2])) == 0.0


def test_pixel_variance_is_the_mean_over_pixels_of_the_variance_over_images():
    """Two pixels: one of 0, 255, 0, 255, with variance ¼; one that does not vary."""
    images = np.array([[0, 9], [255, 9], [0, 9], [255, 9]], np.uint8).reshape(4, 1, 2, 1)
    assert pixel_variance(images) == pytest.approx(0.125)
    many = RNG.integers(0, 256, (30, 3, 4, 2), dtype=np.uint8)
    assert pixel_variance(many) == pytest.approx((many.reshape(30, -1) / 255).var(axis=0).mean())
    assert pixel_variance(many[::-1]) == pytest.approx(pixel_variance(many))
