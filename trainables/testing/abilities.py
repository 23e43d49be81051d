"""Whether a family's optional abilities (bias, score, edit, correct) do what they claim."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trainables.store import Payload
from trainables.testing.bench import Bench, content, row_digests


def family_biases_its_sampler(bench: Bench) -> None:
    """Ability `bias`: 1 is the model itself, less is another distribution."""
    if "bias" not in bench.cell.family.abilities:
        return
    default, plain, sharp = (
        bench.family.sample(bench.model, bench.cell.rows, bench.stream("bias"), *bias) for bias in ((), (1.0,), (0.25,))
    )
    assert content(default) == content(plain)
    assert content(plain) != content(sharp)
    assert sharp.rows == bench.cell.rows


def family_scores_rows(bench: Bench) -> None:
    """Ability `score`: reference, first and detector give each row a number, and `take` keeps the rows named."""
    if "score" not in bench.cell.family.abilities:
        return
    shape = (bench.cell.replicates, bench.cell.rows) if bench.cell.replicates > 1 else (bench.cell.rows,)
    for kind in ("reference", "detector", "first"):
        against = bench.synthetic if kind == "detector" else None
        judge = bench.model if kind == "first" else bench.family.judge(kind, bench.real, against, bench.stream(kind))
        for batch in (bench.real, bench.synthetic):
            scores = bench.family.score(kind, judge, batch, bench.stream("score"))
            assert scores.shape == shape, kind
            assert not np.isnan(scores).any(), kind
            assert kind != "detector" or ((scores > 0) & (scores < 1)).all()
            assert np.array_equal(scores, bench.family.score(kind, judge, batch, bench.stream("score")))
            _check_take(bench, kind, judge, batch, scores)


def _check_take(bench: Bench, kind: str, judge: Payload, batch: Payload, scores: np.ndarray) -> None:
    """Rows taken score as they did before, where scoring is not random."""
    index = bench.index("take", max(bench.cell.rows // 2, 1), replace=False)
    taken = bench.family.take(batch, index)
    assert taken.rows == index.shape[-1]
    bench.fit((taken, None, 1.0))
    if kind == "reference":
        expected = np.take_along_axis(scores, index, axis=-1)
        found = bench.family.score(kind, judge, taken, bench.stream("score"))
        assert np.median(np.abs(found - expected)) <= np.std(scores) + 1e-9


def family_edits_rows(bench: Bench) -> None:
    """Ability `edit`: a low threshold rewrites most of a row, a high one next to nothing, in every replicate."""
    if "edit" not in bench.cell.family.abilities:
        return
    low, high = (bench.family.edit(bench.model, bench.real, p, bench.stream("edit")) for p in (1e-6, 1.0))
    assert low.rows == high.rows == bench.cell.rows
    every = np.arange(bench.cell.rows)
    real, *edited = (row_digests(bench.family.take(batch, every)) for batch in (bench.real, low, high))
    same = [sum(map(str.__eq__, real, rows)) for rows in edited]
    assert same[0] < same[1]
    assert same[1] == len(real)


def family_corrects_rows(bench: Bench) -> None:
    """Ability `correct`: a weak correction moves next to nothing, a strong one gives other rows, repeatably."""
    if "correct" not in bench.cell.family.abilities:
        return
    corrector = bench.family.judge("corrector", bench.real, None, bench.stream("corrector"))
    weak, strong, again = (
        bench.family.correct(corrector, bench.model, bench.synthetic, strength, bench.stream("correct"))
        for strength in (1e-9, 1e9, 1e9)
    )
    assert weak.rows == strong.rows == bench.cell.rows
    assert content(strong) == content(again)
    assert content(strong) != content(bench.synthetic)
    assert 0 <= weak.meta["moved"] < 1e-6 * strong.meta["moved"]
    index = bench.index("take", max(bench.cell.rows // 2, 1), replace=False)
    assert bench.family.take(strong, index).rows == index.shape[-1]
    bench.fit((strong, None, 1.0))


ABILITY_CHECKS: tuple[Callable[[Bench], None], ...] = (
    family_biases_its_sampler,
    family_scores_rows,
    family_edits_rows,
    family_corrects_rows,
)
