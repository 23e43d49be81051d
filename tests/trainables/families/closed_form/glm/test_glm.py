"""`glm`: a recursion as a plain loop has it, exact bookkeeping of rows, honest where there is no maximum."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit, gammaln
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression

from trainables import Cell, CellFailed, run
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.closed_form.glm import labels
from trainables.families.closed_form.glm.judging import logistic
from trainables.lineage import Stream, make_key
from trainables.recursion import Recursion
from trainables.store import MemoryStore

LINKS = ("logistic", "probit", "poisson")


def cell(**changes):
    fields = {
        "family": {"kind": "glm", "source": {"kind": "simulated", "dim": 2}},
        "policy": {"kind": "accumulate"},
        "rows": 40,
        "generations": 4,
        "replicates": 5,
    }
    return Cell.model_validate(fields | changes | {"family": fields["family"] | changes.pop("family", {})})


def part(batches, index=None, weight=1.0):
    keys = [make_key("batch", sums=[float(x.sum()) for x in b.tensors.values()], **b.meta) for b in batches]
    handles = [Batch(n, key, b.rows, lambda b=b: b) for n, (key, b) in enumerate(zip(keys, batches, strict=True))]
    return RealisedDraw(tuple(handles), index, weight)


def pool(asked):
    recursion = Recursion(asked, MemoryStore())
    return recursion.family, [recursion.batch(recursion.steps.batch(n)) for n in range(3)]


def fit(family, *parts):
    return family.fit(Corpus(parts), Stream("0" * 32)).tensors["coefficients"]


TABLE = {"source": {"kind": "diabetes"}}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("design", ["fixed", "fresh"])
@pytest.mark.parametrize("policy", ["accumulate", "replace_multiple"])
def test_rows_and_sums_are_one_corpus(link, design, policy):
    """Every row drawn once is the whole corpus; so is every row taken from its batch."""
    family, batches = pool(cell(family={"link": link, "design": design}, policy={"kind": policy}))
    whole = fit(family, part(batches))
    every = np.arange(sum(batch.rows for batch in batches))
    assert np.allclose(whole, fit(family, part(batches, every)))
    taken = [family.take(batch, np.arange(batch.rows)) for batch in batches]
    assert np.allclose(whole, fit(family, part(taken)))


def test_inputs_of_a_fixed_design_are_repeated_and_of_a_fresh_one_new():
    for design, same in (("fixed", True), ("fresh", False)):
        family, batches = pool(cell(family={"design": design}, policy={"kind": "replace_multiple"}))
        base, later = (family._of(batch).x for batch in (batches[0], batches[2]))
        assert np.array_equal(base, later) == same
        assert batches[2].tensors["labels"].shape == (5, 120)


def test_table_rows_are_real_in_each_replicates_order():
    asked = cell(family=TABLE, rows=60, policy={"kind": "fresh_mix"})
    family, batches = pool(asked)
    fresh = family.real(60, 30)
    first, later = batches[0].tensors["numbers"], fresh.tensors["numbers"]
    assert all(len({*a, *b}) == 90 for a, b in zip(first, later, strict=True))
    assert not np.array_equal(first[0], first[1])
    assert set(family.held_out().tensors["numbers"].ravel()).isdisjoint(first.ravel())
    assert np.allclose(fit(family, part([batches[0], fresh])), fit(family, part([batches[0], fresh], np.arange(90))))


@pytest.mark.parametrize("policy", ["replace", "accumulate"])
def test_a_recursion_is_in_distribution_the_plain_loop(policy):
    """Squared error of coefficients at generations 1, 2 and 5 beside scikit-learn fitted again and again."""
    asked = cell(rows=60, generations=5, replicates=1000, policy={"kind": policy})
    store = MemoryStore()
    recursion = Recursion(asked, store)
    plain = np.array([plain_recursion(policy, 60, 5, seed) for seed in range(250)])
    for n in (1, 2, 5):
        recursion.record(n)
        held = store.get("record", recursion.steps.step(n).record).tensors["coefficient_error"]
        assert ks_2samp(held, plain[:, n - 1]).pvalue > 1e-3, n


def plain_recursion(policy, rows, generations, seed):
    rng = np.random.default_rng(seed)
    x, slopes = rng.standard_normal((rows, 2)), rng.standard_normal(2)
    target = slopes / np.linalg.norm(slopes)
    chances, pool, errors = expit(x @ target), [], []
    for _ in range(generations):
        drawn = rng.random(rows) < chances
        pool = [*pool, drawn] if policy == "accumulate" else [drawn]
        model = LogisticRegression(C=np.inf, tol=1e-8).fit(np.tile(x, (len(pool), 1)), np.concatenate(pool))
        chances = model.predict_proba(x)[:, 1]
        errors.append(((model.coef_ - target) ** 2).sum() + model.intercept_[0] ** 2)
    return errors


@pytest.mark.parametrize("link", LINKS)
def test_losses_are_what_held_out_labels_would_say(link):
    """KL(p* ‖ p̂) by closed form against a mean over many labels."""
    truth, eta = np.array([[-1.0, 0.2, 1.5]]), np.array([[-0.5, 0.5, 1.0]])
    rng = np.random.default_rng(0)
    many = labels.draw(link, np.repeat(truth, 40_000, axis=0), rng, 1.0)
    gaps = labels.log_likelihood(link, truth, many) - labels.log_likelihood(link, eta, many)
    error = gaps.std(axis=0) / 200
    expected = labels.means(link, truth)
    divergence = labels.cross_entropy(link, expected, eta) - labels.cross_entropy(link, expected, truth)
    assert (np.abs(gaps.mean(axis=0) - divergence[0]) < 4 * error).all()


def test_scores_of_a_prediction():
    """Accuracy, and expected calibration error: two rows of 0.9 of which one is right are off by 0.4."""
    predicted, observed = np.array([[0.9, 0.9, 0.1, 0.1]]), np.array([[1.0, 0.0, 0.0, 0.0]])
    assert labels.accuracy(predicted, observed)[0] == 0.75
    assert labels.calibration_error(predicted, observed)[0] == pytest.approx((2 * 0.4 + 2 * 0.1) / 4)


@pytest.mark.parametrize("shared", [True, False], ids=["labels", "chances"])
def test_the_compiled_loop_judges_as_the_definitions_do(shared):
    """More rows than are multiplied at once, and predictors whose exponential is beyond all numbers."""
    rng = np.random.default_rng(0)
    eta = 3 * rng.standard_normal((4, 700))
    eta[:, :4] = -800.0, 800.0, 0.0, -40.0
    observed = rng.integers(0, 2, (1, 700)) if shared else rng.random((4, 700))
    loss, accuracy, calibration = logistic(eta, observed)
    predicted, whole = labels.means("logistic", eta), np.broadcast_to(observed, eta.shape)
    assert loss == pytest.approx(labels.cross_entropy("logistic", whole, eta).mean(axis=1), rel=1e-13)
    assert accuracy == pytest.approx(labels.accuracy(predicted, whole), rel=1e-13)
    assert calibration == pytest.approx(labels.calibration_error(predicted, whole), rel=1e-12)
    if shared:
        assert loss == pytest.approx(-labels.log_likelihood("logistic", eta, whole).mean(axis=1), rel=1e-13)


def test_figures_do_not_depend_on_where_arrays_lie():
    """numba 0.68.1: a compiled loop that both sums and writes runs number by number where arrays seem to overlap, and
    its sum has other last digits: 28 of 3,000 placements."""
    rng = np.random.default_rng(0)
    eta, observed = 3 * rng.standard_normal((20, 200)), rng.random((20, 200))
    held, found = [], set()
    for _ in range(1000):
        held = [*held[-40:], np.empty(int(rng.integers(1, 3000)), dtype=np.int8)]
        found.add(b"".join(values.tobytes() for values in logistic(eta.copy(), observed.copy())))
    assert len(found) == 1


@pytest.mark.parametrize("link", LINKS)
def test_bias_is_a_power_of_the_law(link):
    """λ = ½ draws labels by p², normalised."""
    eta = np.full((1, 40_000), 0.8)
    drawn = labels.draw(link, eta, np.random.default_rng(0), 0.5)[0]
    support = np.arange(2 if link != "poisson" else 40)
    if link == "poisson":
        weights = np.exp(2 * (support * 0.8 - gammaln(support + 1)))
    else:
        weights = np.exp(2 * labels.log_likelihood(link, np.full(2, 0.8), support))
    weights /= weights.sum()
    error = np.sqrt(weights * (1 - weights) / drawn.size) + 1e-9
    found = np.bincount(drawn, minlength=len(support))[: len(support)] / drawn.size
    assert (np.abs(found - weights) < 4 * error + 1e-4).all()


def test_separation_is_reported_and_repeats_itself():
    """Few rows of strong signal: replicates separate, keep their labels from then on, and stay finite."""
    family = {"source": {"kind": "simulated", "dim": 3, "signal": 6.0}}
    store = MemoryStore()
    asked = cell(family=family, rows=12, generations=4, replicates=200, policy={"kind": "replace"})
    recursion = Recursion(asked, store)
    shares = []
    for n in range(1, 5):
        record = recursion.record(n)
        shares.append(record.metrics["separated"])
        assert np.isfinite(record.test_loss)
    assert 0.3 < shares[0] < 1
    assert shares == sorted(shares)
    one, two = (store.get("record", recursion.steps.step(n).record).tensors["separated"] for n in (1, 4))
    assert (two >= one).all()
    ended = recursion.model(1).tensors["ended"] == 1
    batches = [recursion.batch(recursion.steps.batch(n)).tensors["labels"][ended] for n in (0, 1, 2)]
    assert np.mean(batches[1] != batches[0]) < 1e-3


def test_a_resumed_recursion_repeats_every_digit():
    asked = cell(family={"link": "poisson"}, generations=6)
    straight = [record.model_dump(exclude={"seconds"}) for record in run(asked)]
    store = MemoryStore()
    assert [Recursion(asked, store).record(n).model_dump(exclude={"seconds"}) for n in range(1, 7)] == straight


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 4}, r"rows: 3 coefficients need at least 5 rows, not 4; or a penalty"),
        ({"family": {**TABLE, "design": "fresh"}}, "design: inputs of diabetes can't be drawn anew"),
        ({"family": {"link": "cloglog"}}, "link"),
    ],
)
def test_what_cannot_work_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        cell(**changes)


def test_too_few_different_inputs_end_a_recursion():
    """61 pixels of 65 digits: some are equal in all of them."""
    asked = cell(family={"source": {"kind": "digits"}}, rows=65, generations=1)
    with pytest.raises(CellFailed, match=r"no single solution in . of 5 replicates"):
        list(run(asked))
    with pytest.raises(CellFailed, match=r"use more rows, or a larger penalty"):
        list(run(cell(family={"source": {"kind": "digits"}, "penalty": 1e-12}, rows=65, generations=1)))
    penalised = cell(family={"source": {"kind": "digits"}, "penalty": 1.0}, rows=65, generations=1)
    assert next(run(penalised)).metrics["accuracy"] > 0.8
