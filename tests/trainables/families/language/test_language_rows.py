"""Token rows against plain lists: taken, padded, joined, gathered, stored."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import Dataset

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.language.metrics import each
from trainables.families.language.objective import PLAIN, Loss
from trainables.families.language.token_rows import COLUMN, PROMPT, Rows, RowsView, gather, join, read
from trainables.store import Payload

LISTS = [[3, 4, 5], [6], [7, 8], [9, 10, 11, 12, 13], [14, 15]]
GIVEN = [1, 0, 1, 3, 2]


def rows_of(lists: list[list[int]], given: list[int] | None = None) -> Rows:
    tokens = np.array([token for row in lists for token in row], np.uint16)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in lists])])
    return Rows(tokens, starts, prompts=None if given is None else np.array(given, np.int32))


def listed(rows: Rows) -> list[list[int]]:
    return [row.tolist() for row in each(rows)]


def test_rows_of_one_length_drop_what_fills_none() -> None:
    rows = Rows.fixed(np.arange(11), 4)
    assert listed(rows) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert (rows.rows, rows.lengths.tolist(), rows.starts.tolist()) == (2, [4, 4], [0, 4, 8])
    assert Rows.fixed(np.arange(3), 4).rows == 0
    assert len(Rows.fixed(np.arange(3), 4).tokens) == 0


def test_rows_without_prompts_are_given_no_token() -> None:
    assert rows_of(LISTS).given.tolist() == [0] * 5
    assert rows_of(LISTS).given.dtype == rows_of(LISTS, GIVEN).given.dtype == np.int64
    assert rows_of(LISTS, GIVEN).given.tolist() == GIVEN


@pytest.mark.parametrize("index", [[0, 1, 2, 3, 4], [4, 0], [3, 3, 1, 3], [2], []])
def test_taken_rows_are_those_of_a_list(index: list[int]) -> None:
    rows = rows_of(LISTS, GIVEN).take(np.array(index, dtype=np.int64))
    assert listed(rows) == [LISTS[i] for i in index]
    assert rows.given.tolist() == [GIVEN[i] for i in index]
    assert rows_of(LISTS).take(np.array(index, dtype=np.int64)).prompts is None


def test_taken_rows_are_copies() -> None:
    rows = rows_of(LISTS)
    rows.take(np.array([0])).tokens[:] = 0
    assert rows.tokens[0] == 3


@pytest.mark.parametrize("index", [[0, 3], [1], [2, 2, 0]])
def test_padding_is_behind_each_row_up_to_the_longest(index: list[int]) -> None:
    tokens, inside = rows_of(LISTS).padded(np.array(index), pad=99)
    longest = max(len(LISTS[i]) for i in index)
    assert tokens.tolist() == [LISTS[i] + [99] * (longest - len(LISTS[i])) for i in index]
    assert inside.tolist() == [[place < len(LISTS[i]) for place in range(longest)] for i in index]
    assert (tokens.dtype, inside.dtype) == (torch.int64, torch.bool)


def test_large_tokens_survive_padding() -> None:
    """65535 is the largest of 16 bits, which a signed integer of as many could not hold."""
    rows = Rows(np.array([65535, 1, 2], np.uint16), np.array([0, 1, 3]))
    assert rows.padded(np.arange(2), 7)[0].tolist() == [[65535, 7], [1, 2]]


def counted(loss: Loss, index: list[int]) -> list[list[int]]:
    """Places that count, one by one."""
    found = rows_of(LISTS, GIVEN).counted(np.array(index), loss)
    return [row.nonzero()[:, 0].tolist() for row in found]


def test_all_tokens_count_or_the_last_or_those_after_the_prompt() -> None:
    assert counted(PLAIN, [0, 1, 3]) == [[0, 1, 2], [0], [0, 1, 2, 3, 4]]
    assert counted(Loss(on="last", tokens=2), [0, 1, 3]) == [[1, 2], [0], [3, 4]]
    assert counted(Loss(on="last", tokens=5), [0, 3]) == [[0, 1, 2], [0, 1, 2, 3, 4]]
    assert counted(Loss(on="response"), [0, 1, 3, 4]) == [[1, 2], [0], [3, 4], []]


def test_a_mask_is_as_wide_as_the_padded_rows() -> None:
    rows = rows_of(LISTS, GIVEN)
    for loss in (PLAIN, Loss(on="last", tokens=1), Loss(on="response")):
        for index in ([0, 2], [3], [1, 1]):
            mask, inside = rows.counted(np.array(index), loss), rows.padded(np.array(index), 0)[1]
            assert mask.shape == inside.shape
            assert not (mask & ~inside).any()


def test_joined_rows_follow_one_another() -> None:
    parts = [rows_of(LISTS[:2], GIVEN[:2]), rows_of(LISTS[2:3], GIVEN[2:3]), rows_of(LISTS[3:], GIVEN[3:])]
    assert listed(join(parts)) == LISTS
    assert join(parts).given.tolist() == GIVEN
    assert join(parts[:1]) is parts[0]
    assert join([rows_of([[1]]), rows_of([[2]])]).prompts is None


def test_rows_without_prompts_beside_such_with_prompts_have_none() -> None:
    assert join([rows_of([[1, 2]]), rows_of([[3, 4]], [1]), rows_of([[5]])]).given.tolist() == [0, 1, 0]


def pieces() -> tuple[Rows, ...]:
    return rows_of(LISTS[:2], GIVEN[:2]), rows_of(LISTS[2:3], GIVEN[2:3]), rows_of(LISTS[3:], GIVEN[3:])


@pytest.mark.parametrize("index", [[0, 1, 2, 3, 4], [4, 2, 0, 2, 4, 1], [3], [2, 3]])
def test_a_view_gives_rows_in_the_order_asked_whichever_piece_they_lie_in(index: list[int]) -> None:
    found = RowsView(pieces()).take(np.array(index))
    assert listed(found) == [LISTS[i] for i in index]
    assert found.given.tolist() == [GIVEN[i] for i in index]


def test_an_index_of_a_view_goes_before_that_of_what_is_taken() -> None:
    view = RowsView(pieces(), np.array([4, 4, 0, 2]))
    assert view.rows == 4
    assert listed(view.take(np.array([3, 0, 2]))) == [LISTS[2], LISTS[4], LISTS[0]]
    tokens, inside = view.padded(np.array([2, 3]), 0)
    assert tokens.tolist() == [[3, 4, 5], [7, 8, 0]]
    assert inside.tolist() == [[True] * 3, [True, True, False]]
    assert RowsView(pieces()).rows == 5


@pytest.mark.parametrize(("vocabulary", "stored"), [(300, "uint16"), (2**16, "uint16"), (2**16 + 1, "int32")])
def test_tokens_are_stored_in_two_bytes_where_they_all_fit(vocabulary: int, stored: str) -> None:
    payload = rows_of(LISTS).payload(vocabulary)
    assert payload.table is not None
    assert str(payload.table.data.schema.field(COLUMN).type.value_type) == stored
    assert listed(read(payload)) == LISTS


def test_a_batch_says_how_many_rows_and_tokens_it_has() -> None:
    payload = rows_of(LISTS, GIVEN).payload(300, edited=0.25)
    assert payload.meta == {"rows": 5, "tokens": 13, "edited": 0.25}
    assert payload.table is not None
    assert payload.table.column_names == [COLUMN, PROMPT]
    assert payload.table[3] == {COLUMN: LISTS[3], PROMPT: 3}
    plain = rows_of(LISTS).payload(300).table
    assert plain is not None
    assert plain.column_names == [COLUMN]


def test_a_batch_without_a_table_holds_no_rows() -> None:
    with pytest.raises(ValueError, match=r"^a batch of token rows has a table$"):
        read(Payload(meta={}))


def test_chunks_and_slices_of_arrow_keep_tokens_beside_their_prompts() -> None:
    """Three chunks, of which the second is empty and the last a slice from the middle of another table."""
    whole = rows_of([[1, 1], *LISTS[2:], [2]], [1, *GIVEN[2:], 0]).payload(300).table
    first, none = rows_of(LISTS[:2], GIVEN[:2]).payload(300).table, rows_of([], []).payload(300).table
    assert whole is not None
    assert first is not None
    assert none is not None
    tables = [first.data.table, none.data.table, whole.data.table.slice(1, 3)]
    chunked = Payload(meta={}, table=Dataset(pa.concat_tables(tables)))
    assert listed(read(chunked)) == LISTS
    assert read(chunked).given.tolist() == GIVEN


def batch(number: int, lists: list[list[int]]) -> Batch:
    payload = rows_of(lists).payload(300)
    return Batch(number, f"{number:032x}", len(lists), lambda: payload)


def test_a_corpus_of_whole_batches_needs_no_index() -> None:
    parts = (
        RealisedDraw((batch(0, LISTS[:2]), batch(1, LISTS[2:4])), None, 1.0),
        RealisedDraw((batch(2, LISTS[4:]),), None, 1.0),
    )
    view = gather(Corpus(parts))
    assert view.index is None
    assert view.weights is None
    assert listed(view.take(np.arange(5))) == LISTS


def test_a_draw_counts_from_the_first_row_of_its_own_batches() -> None:
    parts = (
        RealisedDraw((batch(0, LISTS[:2]),), np.array([1]), 1.0),
        RealisedDraw((batch(1, LISTS[2:4]), batch(2, LISTS[4:])), np.array([2, 0, 0]), 1.0),
    )
    view = gather(Corpus(parts))
    assert listed(view.take(np.arange(view.rows))) == [LISTS[1], LISTS[4], LISTS[2], LISTS[2]]


def test_weights_have_mean_one_over_rows_not_over_draws() -> None:
    """Weights 1 and 4 on two rows and one: a mean of 2."""
    parts = (RealisedDraw((batch(0, LISTS[:2]),), None, 1.0), RealisedDraw((batch(1, LISTS[2:3]),), None, 4.0))
    weights = gather(Corpus(parts)).weights
    assert weights is not None
    assert weights.tolist() == [0.5, 0.5, 2.0]
