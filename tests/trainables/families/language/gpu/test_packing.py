"""Documents in lines: nothing lost, nothing shared, few lines."""

import numpy as np
import pytest

from trainables.families.language.gpu.packing import documents, packed, plan, rounded, segments
from trainables.families.language.objective import Loss
from trainables.families.language.token_rows import Rows, RowsView

CONTEXT = 20


def lengths(updates: int, batch: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, CONTEXT + 1, (updates, batch))


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_documents_overlap_nowhere_and_cross_no_line(batch: int) -> None:
    given = lengths(40, batch)
    slots, lines = packed(given, CONTEXT)
    for taken, begins in zip(given, slots, strict=True):
        places = np.concatenate([np.arange(begin, begin + many) for begin, many in zip(begins, taken, strict=True)])
        assert len(np.unique(places)) == taken.sum()
        assert (begins // CONTEXT == (begins + taken - 1) // CONTEXT).all()
        assert places.max() < lines * CONTEXT


def test_lines_are_nearly_as_few_as_can_be() -> None:
    given = lengths(200, 32)
    _, lines = packed(given, CONTEXT)
    fewest = int(np.ceil(given.sum(axis=1) / CONTEXT).max())
    assert lines <= 11 / 9 * fewest + 1
    assert lines < 32


def test_whole_rows_take_a_line_each() -> None:
    slots, lines = packed(np.full((3, 5), CONTEXT), CONTEXT)
    assert lines == 5
    assert sorted(slots[0]) == [0, 20, 40, 60, 80]


def test_documents_of_no_token_hide_no_other() -> None:
    slots, _ = packed(np.array([[0, CONTEXT, 0, CONTEXT]]), CONTEXT)
    assert len(np.unique(slots)) == 4


@pytest.mark.parametrize(
    ("lines", "batch", "found"), [(1, 4, 1), (57, 128, 64), (128, 128, 128), (33, 128, 40), (7, 8, 7)]
)
def test_lines_come_in_few_numbers(lines: int, batch: int, found: int) -> None:
    assert rounded(lines, batch) == found


def pool() -> RowsView:
    """Two pieces, of which every second row is taken, with weights."""
    rng = np.random.default_rng(1)
    pieces = []
    for rows in (12, 9):
        starts = np.concatenate([[0], np.cumsum(rng.integers(1, CONTEXT + 1, rows))])
        pieces.append(Rows(rng.integers(2, 300, starts[-1]).astype(np.uint16), starts, prompts=np.ones(rows, np.int64)))
    index = np.arange(0, 21, 2)
    return RowsView(tuple(pieces), index, np.linspace(0.5, 1.5, len(index)))


@pytest.mark.parametrize("loss", [Loss(), Loss(on="last", tokens=3), Loss(on="response")])
def test_a_plan_gives_every_token_its_share(loss: Loss) -> None:
    rows = pool()
    held = documents(rows, loss)
    tokens = np.concatenate(held.pieces)
    index = np.random.default_rng(2).permutation(11)[:8].reshape(2, 4)
    found = plan(held, index, CONTEXT)
    assert (np.diff(found.slots) > 0).all()
    for update, numbers in enumerate(index):
        taken = rows.take(numbers)
        counted = taken.counted(np.arange(4), loss).numpy()
        expected = {}
        for row, number in enumerate(numbers):
            words = taken.tokens[taken.starts[row] : taken.starts[row + 1]]
            assert rows.weights is not None
            expected[tuple(words)] = (counted[row].sum(), rows.weights[number] / counted.sum())
        for at, many, skip, share in zip(
            found.first[update], found.lengths[update], found.counted[update], found.share[update], strict=True
        ):
            count, weight = expected[tuple(tokens[at : at + many])]
            assert many - skip == count
            assert share == pytest.approx(weight, rel=1e-6)


def test_segments_are_documents_and_the_padding_of_lines() -> None:
    held = documents(pool(), Loss())
    found = plan(held, np.arange(8).reshape(2, 4), CONTEXT)
    lines = rounded(found.lines, 4)
    ends = segments(found, lines, CONTEXT)
    assert ends.shape == (2, 4 + lines + 1)
    for update in range(2):
        assert (np.diff(ends[update]) >= 0).all()
        assert ends[update, 0] == 0
        assert ends[update, -1] == lines * CONTEXT
        pairs = set(zip(ends[update, :-1], ends[update, 1:], strict=True))
        wanted = set(zip(found.slots[update], found.slots[update] + found.lengths[update], strict=True))
        assert wanted <= pairs
        assert all(first // CONTEXT == (last - 1) // CONTEXT for first, last in pairs if last > first)
