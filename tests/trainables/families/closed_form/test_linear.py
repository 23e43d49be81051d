"""`linear`: exact by statistics and by rows, honest where a mean does not exist, fast."""

import time

import numpy as np
import pytest
from pydantic import ValidationError

from analysis.theory.linear import unit_error
from trainables import Cell, run
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families import Diverged
from trainables.lineage import Stream, make_key
from trainables.recursion import CellFailed, Recursion
from trainables.store import MemoryStore


def cell(**changes):
    fields = {
        "family": {"kind": "linear", "dim": 4, "noise": 0.5},
        "policy": {"kind": "accumulate"},
        "rows": 12,
        "generations": 5,
        "replicates": 50,
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
    return family.fit(Corpus(parts), Stream("0" * 32)).tensors["coefficients"]


def rows_of(family, batch):
    """All rows of a batch, [replicates, rows, dim] and [replicates, rows]."""
    taken = family.take(batch, np.arange(batch.rows)).tensors
    return taken["inputs"], taken["labels"]


DESIGNS = [{"design": "fixed"}, {"design": "fresh"}]
SHORT = {"dim": 20, "estimator": "minimum_norm"}


@pytest.mark.parametrize("family", [*DESIGNS, SHORT, {**SHORT, "design": "fresh"}, {"estimator": "ridge"}])
@pytest.mark.parametrize("policy", ["accumulate", "replace_multiple"])
def test_rows_and_statistics_are_one_batch(family, policy):
    """Every row drawn once is the whole batch, to rounding: rows are conditional on the statistics."""
    family, batches = pool(cell(family=family, policy={"kind": policy}))
    everything = np.arange(sum(batch.rows for batch in batches))
    assert np.allclose(fit(family, part(batches)), fit(family, part(batches, everything)), atol=1e-7)


@pytest.mark.parametrize("family", [*DESIGNS, {**SHORT, "design": "fresh", "covariance": "power_law"}])
def test_estimates_are_least_squares_on_the_rows(family):
    """The solution from statistics is numpy's on the rows themselves, in the inputs' own coordinates."""
    asked = cell(family=family)
    family, batches = pool(asked)
    z, y = (np.concatenate(arrays, axis=1) for arrays in zip(*(rows_of(family, b) for b in batches), strict=True))
    root = np.sqrt(asked.family.spectrum)
    expected = [np.linalg.lstsq(z_ * root, y_, rcond=None)[0] * root for z_, y_ in zip(z, y, strict=True)]
    assert np.allclose(fit(family, part(batches)), expected, atol=1e-6)


def test_ridge_is_ridge_on_the_rows():
    asked = cell(family={"estimator": "ridge", "penalty": 3.0, "covariance": "power_law"})
    family, batches = pool(asked)
    z, y = (np.concatenate(arrays, axis=1) for arrays in zip(*(rows_of(family, b) for b in batches), strict=True))
    root = np.sqrt(asked.family.spectrum)
    x = z * root
    gram = x.swapaxes(1, 2) @ x + 3.0 * np.eye(4)
    expected = np.linalg.solve(gram, x.swapaxes(1, 2) @ y[..., None])[..., 0] * root
    assert np.allclose(fit(family, part(batches)), expected)


def test_a_fixed_design_repeats_its_inputs():
    family, batches = pool(cell(policy={"kind": "replace_multiple"}))
    base, _ = rows_of(family, batches[0])
    for number, batch in enumerate(batches[1:], start=1):
        z, _ = rows_of(family, batch)
        assert np.allclose(z, np.tile(base, (1, number + 1, 1)))
    short = family.real(12, 7)
    assert np.allclose(rows_of(family, short)[0], base[:, :7])


def test_a_fresh_design_has_new_inputs():
    family, batches = pool(cell(family={"design": "fresh"}))
    inputs = [rows_of(family, batch)[0].ravel() for batch in batches]
    assert abs(np.corrcoef(inputs)[np.triu_indices(3, 1)]).max() < 0.1


@pytest.mark.parametrize("family", DESIGNS)
def test_rows_follow_the_model(family):
    """Inputs are white and labels are the model's plus independent noise of its scale."""
    asked = cell(family=family, rows=30, replicates=400)
    recursion = Recursion(asked, MemoryStore())
    batch = recursion.batch(recursion.steps.batch(1))
    z, y = rows_of(recursion.family, batch)
    noise = (y - (z @ recursion.model(1).tensors["coefficients"][..., None])[..., 0]) / 0.5
    flat = z.reshape(-1, 4)
    assert np.allclose(flat.T @ flat / len(flat), np.eye(4), atol=4 * np.sqrt(2 / 12_000))
    assert noise.var() == pytest.approx(1, abs=4 * np.sqrt(2 / 12_000))
    assert abs((noise[..., None] * z).mean(axis=(0, 1))).max() < 4 / np.sqrt(12_000)
    neighbours = (noise[:, 1:] * noise[:, :-1]).mean()
    assert abs(neighbours) < 4 / np.sqrt(11_600)


@pytest.mark.parametrize("weight", [2.0, 0.5])
def test_a_row_weight_is_a_number_of_copies(weight):
    family, batches = pool(cell())
    every = np.arange(12)
    more, less = (np.tile(every, 2), every) if weight == 2 else (every, np.tile(every, 2))
    weighted = fit(family, part(batches[:1], None, weight), part(batches[1:2]))
    copies = fit(family, part(batches[:1], more), part(batches[1:2], less))
    assert np.allclose(weighted, copies)
    drawn = fit(family, part(batches[:1], every, weight), part(batches[1:2]))
    assert np.allclose(weighted, drawn)


def test_a_resumed_recursion_repeats_every_digit():
    """What a family remembers of earlier sums never shows in a number."""
    asked = cell(family={"design": "fresh"}, generations=8)
    straight = [record.model_dump(exclude={"seconds"}) for record in run(asked)]
    store = MemoryStore()
    resumed = [Recursion(asked, store).record(n).model_dump(exclude={"seconds"}) for n in range(1, 9)]
    assert resumed == straight


def test_replicates_report_their_spread():
    """Mean, standard error and quantiles are those of the values that the store keeps."""
    store = MemoryStore()
    recursion = Recursion(cell(), store)
    record = recursion.record(3)
    values = store.get("record", recursion.steps.step(3).record).tensors["test_loss"]
    assert values.shape == (50,)
    assert record.test_loss == pytest.approx(values.mean())
    assert record.metrics["test_loss_se"] == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    for name, q in {"q05": 0.05, "median": 0.5, "q95": 0.95}.items():
        assert record.metrics[f"test_loss_{name}"] == pytest.approx(np.quantile(values, q))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 5}, r"rows: ols in dimension 4 needs at least 6 \(dim \+ 2\), not 5"),
        ({"family": {"noise": 0}}, "noise"),
        ({"family": {"dim": 0}}, "dim"),
    ],
)
def test_what_cannot_work_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        cell(**changes)


@pytest.mark.parametrize(("rows", "flagged"), [(18, False), (19, True), (20, True), (21, True), (22, False)])
def test_an_infinite_mean_is_flagged(rows, flagged):
    record = next(run(cell(family=SHORT, rows=rows)))
    assert ("infinite_mean" in record.metrics) == flagged
    assert record.metrics["test_loss_median"] > 0


def test_ols_without_a_single_solution_diverges():
    """A corpus that repeats too few inputs has no least-squares solution, and says so."""
    family, batches = pool(cell())
    with pytest.raises(Diverged, match="no single solution"):
        fit(family, part(batches, np.array([0, 1, 2, 12, 13, 14])))
    with pytest.raises(Diverged, match="no single solution"):
        fit(family, part([family.real(12, 3)]))


def test_bias_scales_the_noise():
    family, _ = pool(cell(replicates=500))
    model = Recursion(cell(replicates=500), MemoryStore()).model(1)
    batch = family.sample(model, 40, Stream("1" * 32), 0.25)
    z, y = rows_of(family, batch)
    noise = y - (z @ model.tensors["coefficients"][..., None])[..., 0]
    assert noise.std() == pytest.approx(0.5 * 0.5, rel=0.03)


@pytest.mark.slow
def test_ten_thousand_replicates_take_seconds():
    """10,000 recursions of dimension 10, 100 rows, 100 generations, each in a third of the processor time that a
    loop of numpy's solutions takes beside them: a wide bound, benchmarks say how fast it is."""
    asked = cell(family={"dim": 10, "noise": 1.0}, rows=100, generations=100, replicates=10_000)
    started = time.process_time()
    last = list(run(asked))[-1]
    took = (time.process_time() - started) / 10_000
    assert took < plain_recursion() / 3
    assert last.test_loss == pytest.approx(last.metrics["theory_test_loss"], abs=4 * last.metrics["test_loss_se"])


def plain_recursion() -> float:
    """Seconds of processor time of such a recursion, solved anew each generation by the normal equations."""
    rng, count = np.random.default_rng(0), 20
    started = time.process_time()
    for _ in range(count):
        x, w = rng.standard_normal((100, 10)), np.zeros(10)
        for _ in range(100):
            w = np.linalg.solve(x.T @ x, x.T @ (x @ w + rng.standard_normal(100)))
    return (time.process_time() - started) / count


@pytest.mark.parametrize("start", ["fresh", "previous"])
@pytest.mark.parametrize("design", ["fixed", "fresh"])
@pytest.mark.parametrize("covariance", ["identity", "power_law"])
def test_descent_takes_the_steps_that_it_states(design, covariance, start):
    """Against a loop over steps on the rows themselves, in the inputs' own coordinates."""
    family = {"estimator": "gradient_descent", "steps": 9, "rate": 0.3, "start": start, "design": design}
    asked = cell(family=family | {"covariance": covariance}, replicates=3)
    recursion = Recursion(asked, MemoryStore())
    root = np.sqrt(asked.family.spectrum)
    w = np.zeros((3, 4))
    for generation in (1, 2, 3):
        if start == "fresh":
            w = np.zeros((3, 4))
        pairs = [rows_of(recursion.family, recursion.batch(recursion.steps.batch(n))) for n in range(generation)]
        x, y = (
            np.concatenate([z * root for z, _ in pairs], axis=1),
            np.concatenate([label for _, label in pairs], axis=1),
        )
        for _ in range(9):
            w = w - 0.3 * np.einsum("rnd,rn->rd", x, np.einsum("rnd,rd->rn", x, w) - y) / x.shape[1]
        found = recursion.model(generation).tensors["coefficients"] / root
        np.testing.assert_allclose(found, w, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("estimator", ["ridge", "minimum_norm"])
def test_a_fit_goes_on_from_the_nearest(estimator):
    """Ridge penalises the distance from the last coefficients; minimum norm moves them as little as it can."""
    asked = cell(
        family={"estimator": estimator, "dim": 20, "start": "previous"}, policy={"kind": "replace"}, replicates=2
    )
    recursion = Recursion(asked, MemoryStore())
    last, found = (recursion.model(n).tensors["coefficients"] for n in (1, 2))
    z, y = rows_of(recursion.family, recursion.batch(recursion.steps.batch(1)))
    for k in range(2):
        left = y[k] - z[k] @ last[k]
        move = np.linalg.pinv(z[k]) @ left
        if estimator == "ridge":
            move = np.linalg.solve(z[k].T @ z[k] + np.eye(20), z[k].T @ left)
        np.testing.assert_allclose(found[k] - last[k], move, atol=1e-9)


def test_a_start_that_changes_nothing_is_refused_and_keys_stay():
    with pytest.raises(ValidationError, match="start: ols is the same wherever it starts"):
        cell(family={"start": "previous"})
    assert not {"start", "steps", "rate"} & cell().family.canonical().keys()


def test_descent_that_leaves_all_bounds_has_diverged():
    asked = cell(family={"estimator": "gradient_descent", "steps": 10**6, "rate": 50.0})
    with pytest.raises(CellFailed, match="a rate of 50 is too large"):
        Recursion(asked, MemoryStore()).record(1)


@pytest.mark.parametrize("threshold", [0.3, 0.99])
def test_an_edit_draws_likely_labels_again_and_leaves_the_rest(threshold):
    family, (real, *_) = pool(cell(replicates=400))
    model = family.fit(Corpus((part([real]),)), Stream("1" * 32))
    edited = family.edit(model, real, threshold, Stream("2" * 32))
    (z, y), (same, labels) = rows_of(family, real), rows_of(family, edited)
    np.testing.assert_array_equal(z, same)
    told = np.einsum("rnd,rd->rn", z, model.tensors["coefficients"])
    likely = np.exp(-(((y - told) / 0.5) ** 2) / 2) >= threshold
    assert np.array_equal(labels != y, likely)
    assert edited.meta["edited"] == pytest.approx(likely.mean())
    drawn = (labels - told)[likely] / 0.5
    assert abs(drawn.mean()) < 4 / np.sqrt(likely.sum())
    assert drawn.std() == pytest.approx(1, abs=4 / np.sqrt(2 * likely.sum()))


def test_few_edits_keep_the_error_below_the_bound_of_their_paper():
    """2σ²d/(T − d − 1), which `replace` passes in generation 3; edits of three labels in four level off as well."""
    asked = {"family": {"dim": 4, "noise": 0.5}, "rows": 30, "generations": 10, "replicates": 1000}
    bound = 2 * unit_error(4, 0.5, 30)
    few, many, every = (
        list(run(cell(policy=policy, **asked)))
        for policy in (
            {"kind": "token_edit", "threshold": 0.99},
            {"kind": "token_edit", "threshold": 0.5},
            {"kind": "replace"},
        )
    )
    assert max(record.test_loss + 4 * record.metrics["test_loss_se"] for record in few) < bound
    assert every[3].test_loss - 4 * every[3].metrics["test_loss_se"] > bound
    assert many[-1].test_loss < every[-1].test_loss / 2
