"""Inputs known by a factor of their Gram matrix: rows that are drawn later have just this one."""

import numpy as np
import pytest
from scipy import stats

from tests.support.closed_forms import STREAM
from trainables.families.closed_form import inputs, random_matrices
from trainables.families.closed_form.inputs import Design, Tiled, columns

WHOLE = slice(0, 3)


def gram(z):
    return z.swapaxes(1, 2) @ z


@pytest.mark.parametrize(("rows", "dim", "rank"), [(6, 4, 4), (4, 4, 4), (3, 5, 3), (1, 2, 1)])
def test_rows_have_the_gram_matrix_that_was_drawn_first(rows, dim, rank):
    design = Design(STREAM, 3, rows, dim)
    z = design.block(WHOLE)
    assert z.shape == (3, rows, dim)
    assert (design.rank, design.multiple, design.name) == (rank, 1.0, None)
    assert design.root.shape == (3, dim, rank)
    assert gram(z) == pytest.approx(design.root @ design.root.swapaxes(1, 2), abs=1e-9)
    assert np.linalg.matrix_rank(z).tolist() == [rank] * 3


@pytest.mark.parametrize("rows", [3, 6])
def test_columns_are_orthonormal_and_span_the_rows(rows):
    """Z = Q·rootᵀ with QᵀQ = I, of a square factor and of a tall one."""
    design = Design(STREAM, 3, rows, 4)
    z = design.block(WHOLE)
    q = columns(z, design.root)
    assert q @ design.root.swapaxes(1, 2) == pytest.approx(z, abs=1e-9)
    assert gram(q) == pytest.approx(np.stack([np.eye(min(rows, 4))] * 3), abs=1e-9)


def test_rows_are_independent_normals():
    """Of 4,000 designs of two rows in three dimensions: lengths are χ²₃, products of two rows even out."""
    z = Design(STREAM, 4000, 2, 3).block(slice(0, 4000))
    assert stats.kstest((z[:, 0] ** 2).sum(axis=1), stats.chi2(3).cdf).pvalue > 1e-4
    assert stats.kstest(z[:, 1, 2], "norm").pvalue > 1e-4
    assert abs((z[:, 0] * z[:, 1]).sum(axis=1).mean()) < 4 * np.sqrt(3 / 4000)


@pytest.mark.parametrize(
    ("rows", "times", "rest", "rank", "multiple", "name"),
    [
        (5, 1, 0, 4, 1.0, ("base", 0)),
        (15, 3, 0, 4, 3.0, ("base", 0)),
        (12, 2, 2, 4, 1.0, ("base", 12)),
        (3, 0, 3, 3, 1.0, ("base", 3)),
    ],
)
def test_a_tiled_design_is_its_base_again_and_again(rows, times, rest, rank, multiple, name):
    """Multiples of 5 rows are one name and a multiple of one Gram matrix; any other number has a factor of its own."""
    base = Design(STREAM, 3, 5, 4, name="base")
    tiled = Tiled(base, rows)
    first = base.block(WHOLE)
    z = tiled.block(WHOLE)
    assert np.array_equal(z, np.concatenate([first] * times + [first[:, :rest]], axis=1))
    assert (tiled.rows, tiled.rank, tiled.multiple, tiled.name) == (rows, rank, multiple, name)
    assert multiple * gram(tiled.unit.swapaxes(1, 2)) == pytest.approx(gram(z), abs=1e-9)
    assert gram(tiled.root.swapaxes(1, 2)) == pytest.approx(gram(z), abs=1e-9)
    assert (tiled.unit is base.unit) == (rest == 0)


def test_more_rows_than_a_short_base_have_its_rank():
    """2 different inputs in 4 dimensions, repeated."""
    tiled = Tiled(Design(STREAM, 3, 2, 4, name="base"), 7)
    assert tiled.rank == 2
    assert tiled.unit.shape == (3, 4, 2)
    assert gram(tiled.unit.swapaxes(1, 2)) == pytest.approx(gram(tiled.block(WHOLE)), abs=1e-9)


@pytest.mark.parametrize(("kept", "same"), [(3 * 5 * 4, True), (3 * 5 * 4 - 1, False)])
def test_rows_are_kept_where_they_are_few_and_equal_where_they_are_drawn_again(monkeypatch, kept, same):
    monkeypatch.setattr(inputs, "KEPT", kept)
    design = Design(STREAM, 3, 5, 4)
    one, other = design.block(WHOLE), design.block(WHOLE)
    assert np.array_equal(one, other)
    assert (one is other) == same


def test_blocks_of_replicates_together_are_the_gram_matrices_of_all(monkeypatch):
    monkeypatch.setattr(random_matrices, "BLOCK", 2 * 5 * 4)
    tiled = Tiled(Design(STREAM, 3, 5, 4, name="base"), 7)
    parts = [tiled.block(part) for part in random_matrices.blocks(3, 5 * 4)]
    assert [len(part) for part in parts] == [2, 1]
    assert gram(tiled.unit.swapaxes(1, 2)) == pytest.approx(gram(np.concatenate(parts)), abs=1e-9)
