"""`discrete`: counts and rows are one batch; categories are lost and never come back."""

import numpy as np
import pytest
from scipy import stats

from trainables import Cell, run
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.lineage import Stream, make_key
from trainables.recursion import Recursion
from trainables.store import MemoryStore


def cell(**changes):
    fields = {
        "family": {"kind": "discrete", "categories": 12},
        "policy": {"kind": "accumulate"},
        "rows": 15,
        "generations": 5,
        "replicates": 40,
    }
    family = fields["family"] | changes.pop("family", {})
    return Cell.model_validate(fields | changes | {"family": family})


def part(batches, index=None, weight=1.0):
    keys = [make_key("batch", sums=[float(x.sum()) for x in b.tensors.values()]) for b in batches]
    handles = [Batch(n, key, b.rows, lambda b=b: b) for n, (key, b) in enumerate(zip(keys, batches, strict=True))]
    return RealisedDraw(tuple(handles), index, weight)


def pool(asked):
    """The family, and batches 0 to 2 of a recursion."""
    recursion = Recursion(asked, MemoryStore())
    return recursion.family, [recursion.batch(recursion.steps.batch(n)) for n in range(3)]


def fit(family, *parts):
    return family.fit(Corpus(parts), Stream("0" * 32)).tensors["frequencies"]


def test_counts_rows_and_weights_agree():
    family, batches = pool(cell())
    whole = fit(family, part(batches[:2]), part(batches[2:], None, 0.3))
    drawn = fit(family, part(batches[:2], np.arange(30)), part(batches[2:], np.arange(15), 0.3))
    rows = [family.take(batch, np.arange(15)).tensors["rows"] for batch in batches]
    expected = [np.bincount(np.concatenate(r), np.repeat([1, 1, 0.3], 15), 12) / 34.5 for r in zip(*rows, strict=True)]
    assert np.allclose(whole, expected)
    assert np.allclose(drawn, expected)


def test_rows_come_in_random_order():
    """The first rows of a batch are a sample of their own: counts as independent draws have them."""
    family, batches = pool(cell(family={"start": "uniform", "categories": 4}, replicates=4000))
    first = fit(family, part(batches[:1], np.arange(5))) * 5
    seen = np.bincount(first[:, 0].round().astype(int), minlength=6)
    expected = stats.binom(5, 0.25).pmf(np.arange(6)) * 4000
    assert stats.chisquare(seen, expected).pvalue > 1e-4


def test_lost_categories_stay_lost_under_replace():
    """Survivors only fall, and most recursions lose the whole tail, though its mean share stays."""
    asked = cell(family={"categories": 50}, policy={"kind": "replace"}, rows=60, generations=40)
    store = MemoryStore()
    records = list(run(asked, store))
    recursion = Recursion(asked, store)
    alive = [store.get("record", recursion.steps.step(n).record).tensors["surviving_categories"] for n in range(1, 41)]
    assert (np.diff(alive, axis=0) <= 0).all()
    last = records[-1].metrics
    assert last["tail_mass_ratio_median"] == 0
    assert last["surviving_categories"] < 10
    assert last["missing_mass"] > 0.5
    assert last["entropy"] < records[0].metrics["entropy"]


def test_first_survivors_are_as_expected():
    from analysis.theory.discrete import first_survivors

    asked = cell(family={"categories": 50}, replicates=4000)
    record = next(run(asked))
    expected = first_survivors(asked.family.probabilities, 15)
    spread = record.metrics["surviving_categories_se"]
    assert record.metrics["surviving_categories"] == pytest.approx(expected, abs=4 * spread)


def test_smoothing_keeps_categories_alive():
    records = list(run(cell(family={"smoothing": 0.5}, policy={"kind": "replace"}, generations=30)))
    assert records[-1].metrics["surviving_categories"] == 12
    assert "theory_gini_simpson" not in records[-1].metrics


def test_bias_is_a_temperature():
    asked = cell(replicates=500)
    recursion = Recursion(asked, MemoryStore())
    model = recursion.model(1)
    sharp = recursion.family.sample(model, 2000, Stream("1" * 32), 0.5)
    frequencies = model.tensors["frequencies"]
    expected = frequencies**2 / (frequencies**2).sum(axis=1, keepdims=True)
    assert np.abs(sharp.tensors["counts"] / 2000 - expected).mean() < 0.01
    coldest = recursion.family.sample(model, 20, Stream("1" * 32), 1e-3).tensors["counts"]
    top = frequencies == frequencies.max(axis=1, keepdims=True)
    assert (coldest[~top] == 0).all()


@pytest.mark.parametrize("kind", ["reference", "first", "detector"])
def test_scores_follow_their_categories(kind):
    recursion = Recursion(cell(), MemoryStore())
    family, real = recursion.family, recursion.batch(recursion.steps.batch(0))
    judge = (
        recursion.model(1)
        if kind == "first"
        else family.judge(kind, real, real if kind == "detector" else None, Stream("1" * 32))
    )
    scores = family.score(kind, judge, real, Stream("2" * 32))
    rows = family.take(real, np.arange(15)).tensors["rows"]
    truth = family.config.probabilities
    expected = {
        "reference": np.log(truth)[rows],
        "first": np.log(np.take_along_axis(recursion.model(1).tensors["frequencies"], rows, axis=1)),
        "detector": np.full(rows.shape, 0.5),
    }[kind]
    assert np.allclose(scores, expected)
