"""Recipes over random policies: rows are conserved, the future is never named, the audit is true."""

import numpy as np
import pytest
from hypothesis import given

from tests.support.strategies import cells
from trainables.corpus import Batch, Corpus, realise
from trainables.lineage import Stream
from trainables.policies import FRESH
from trainables.recursion import Steps, planned_reserve
from trainables.store import Payload


def corpora(cell):
    """Every generation's step and realised corpus, without any family."""
    steps = Steps(cell)
    for generation in range(1, cell.generations + 1):
        step = steps.step(generation)
        rng = Stream(step.model).numpy("corpus")
        parts = []
        for draw in step.draws:
            batches = [
                Batch(b.number, b.key, b.rows, lambda rows=b.rows: Payload(meta={"rows": rows}))
                for b in steps.drawn(draw)
            ]
            whole = draw.model_copy(update={"how": "all", "rows": None}) if draw.batches == (FRESH,) else draw
            parts.append(realise(whole, batches, cell.replicates, rng))
        yield step, Corpus(tuple(parts))


@given(cells())
def test_rows_are_conserved(cell):
    """The corpus holds what the recipe asked for, no more and no less."""
    held = {0: cell.rows}
    for step, corpus in corpora(cell):
        if step.generation > 1:
            held[step.generation - 1] = step.recipe.kept_rows
        asked = sum(draw.rows or sum(held[b] for b in draw.batches) for draw in step.recipe.draws)
        assert corpus.rows == asked
        assert sum(corpus.rows_by_batch().values()) == pytest.approx(asked)


@given(cells())
def test_the_future_is_never_named(cell):
    for step, corpus in corpora(cell):
        assert max(corpus.rows_by_batch()) < step.generation
        assert min(corpus.rows_by_batch()) >= FRESH


@given(cells())
def test_generation_one_is_batch_zero(cell):
    _, corpus = next(corpora(cell))
    assert corpus.rows_by_batch() == {0: cell.rows}
    assert corpus.real_fraction == 1
    assert not corpus.weighted


@given(cells())
def test_the_real_fraction_is_that_of_the_rows(cell):
    """Counted row by row: the share of the corpus that lies in batch 0 or the reserve."""
    for _, corpus in corpora(cell):
        real = 0.0
        for part in corpus.parts:
            owner = np.repeat([b.number for b in part.batches], [b.rows for b in part.batches])
            chosen = owner if part.index is None else owner[part.index]
            real += (chosen <= 0).sum() / (chosen.size / part.rows)
        assert corpus.real_fraction == pytest.approx(real / corpus.rows)
        assert 0 <= corpus.real_fraction <= 1


@given(cells())
def test_weights_are_normalised_and_effective_rows_bounded(cell):
    for _, corpus in corpora(cell):
        assert sum(corpus.weight_by_batch().values()) == pytest.approx(1)
        assert corpus.weight_by_batch().keys() == corpus.rows_by_batch().keys()
        assert max(part.weight for part in corpus.parts) == 1
        assert corpus.effective_rows() <= corpus.rows * (1 + 1e-12)
        if not corpus.weighted:
            assert corpus.effective_rows() == pytest.approx(corpus.rows)


@given(cells())
def test_what_is_drawn_without_replacement_repeats_nothing(cell):
    for step, corpus in corpora(cell):
        for draw, part in zip(step.draws, corpus.parts, strict=True):
            if draw.how in ("all", "first", "subsample"):
                assert Corpus((part,)).duplicates() == 0


@given(cells())
def test_duplicates_are_rows_minus_distinct_rows(cell):
    for _, corpus in corpora(cell):
        if cell.replicates == 1:
            rows = [
                (batch.key, row)
                for part in corpus.parts
                for batch, row in np.array([(b, r) for b in part.batches for r in range(b.rows)], dtype=object)[
                    slice(None) if part.index is None else part.index
                ]
            ]
            assert corpus.duplicates() == len(rows) - len(set(rows))


@given(cells())
def test_fresh_rows_are_drawn_once_and_within_the_reserve(cell):
    """Over the whole recursion, fork included, no row of the reserve is in two corpora."""
    reserve, seen = planned_reserve(cell), set()
    steps = Steps(cell)
    for generation in range(1, cell.generations + 1):
        for draw in steps.step(generation).draws:
            if draw.batches == (FRESH,):
                (batch,) = steps.drawn(draw)
                rows = set(range(batch.start, batch.start + batch.rows))
                assert not rows & seen
                assert min(rows) >= cell.rows
                seen |= rows
    assert (max(seen) + 1 - cell.rows if seen else 0) == reserve
