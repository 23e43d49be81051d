"""Random matrices in factored form against their moments; shapes of known densities."""

import numpy as np
import pytest

from trainables.families.closed_form import mixtures
from trainables.families.closed_form.random_matrices import BLOCK, blocks, frame, wishart_root

MANY = 20_000


@pytest.mark.parametrize(("dim", "df"), [(1, 3), (3, 7), (3, 2)])
def test_wishart_matrices_have_their_mean_and_variance(dim, df):
    """E W = df I; a diagonal entry has variance 2 df, another one df (Muirhead 1982, section 3.2.2)."""
    root = wishart_root(np.random.default_rng(0), MANY, dim, df)
    assert root.shape == (MANY, dim, min(dim, df))
    found = root @ root.swapaxes(1, 2)
    luck = 5 / MANY**0.5
    np.testing.assert_allclose(found.mean(axis=0), df * np.eye(dim), atol=luck * (2 * df) ** 0.5)
    expected = np.where(np.eye(dim) > 0, 2 * df, df)
    np.testing.assert_allclose(found.var(axis=0) / expected, 1, atol=10 * luck)


@pytest.mark.parametrize("centred", [False, True])
def test_frames_are_orthonormal_and_of_no_direction(centred):
    found = frame(np.random.default_rng(0), 4000, 5, 2, centred=centred)
    np.testing.assert_allclose(found.swapaxes(1, 2) @ found, np.broadcast_to(np.eye(2), (4000, 2, 2)), atol=1e-12)
    assert np.abs(found.sum(axis=1)).max() < 1e-12 if centred else np.abs(found.sum(axis=1)).max() > 0.5
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=5 * (5 * 4000) ** -0.5)


@pytest.mark.parametrize(("replicates", "width"), [(1, 10), (7, BLOCK // 3), (5, BLOCK), (3, 2 * BLOCK)])
def test_blocks_cover_the_replicates_once(replicates, width):
    found = list(blocks(replicates, width))
    assert [n for part in found for n in range(part.start, part.stop)] == list(range(replicates))
    step = max(BLOCK // width, 1)
    assert all(part.stop - part.start == step for part in found[:-1])


SHAPES = {"moons": (2, 2), "circles": (2, 2), "blobs": (2, 5), "swiss_roll": (3, None)}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_blurred_shape_has_unit_variance_and_its_modes(shape):
    dim, count = SHAPES[shape]
    centres = mixtures.points(shape, 0.3)
    assert centres.shape == (mixtures.POINTS, mixtures.dimension(shape)) == (mixtures.POINTS, dim)
    np.testing.assert_allclose(centres.mean(axis=0), 0, atol=1e-12)
    assert centres.var(axis=0).mean() + 0.3**2 == pytest.approx(1.0)
    pieces = mixtures.modes(shape, centres)
    assert (pieces and len(pieces)) == count
    if pieces:
        np.testing.assert_array_equal(np.sort(np.concatenate(pieces), axis=0), np.sort(centres, axis=0))


def test_the_rings_of_circles_are_its_modes():
    outer, inner = mixtures.modes("circles", mixtures.points("circles", 0.1))
    assert np.ptp(np.linalg.norm(outer, axis=1)) < 1e-9
    assert np.linalg.norm(outer[0]) == pytest.approx(2 * np.linalg.norm(inner[0]))


def test_rows_between_modes_are_nearer_than_twice_to_both():
    pieces = [np.array([[0.0, 0.0]]), np.array([[3.0, 0.0]]), np.array([[100.0, 0.0]])]
    x = np.array([[[0.9, 0.0], [1.1, 0.0], [1.9, 0.0], [2.1, 0.0]], [[0.0, 0.0], [3.0, 0.0], [1.5, 9.0], [100.0, 1.0]]])
    assert mixtures.between(x, pieces).tolist() == [0.5, 0.25]


def test_rows_are_blurred_points():
    centres = np.array([[0.0, 0.0], [10.0, 0.0]])
    found = mixtures.draw(centres, 0.5, (3, 4000), np.random.default_rng(0))
    assert found.shape == (3, 4000, 2)
    right = found[..., 0] > 5
    assert right.mean() == pytest.approx(0.5, abs=0.02)
    assert (found[..., 0] - 10 * right).std() == pytest.approx(0.5, rel=0.03)
