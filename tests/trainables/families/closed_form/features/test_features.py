"""`random_features`: a recursion as a plain loop with features, exact bookkeeping of rows, teachers as stated."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import ks_2samp

from trainables import Cell, run
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.closed_form.features.config import FeaturesConfig
from trainables.lineage import Stream, make_key
from trainables.recursion import Recursion
from trainables.store import MemoryStore


def cell(**changes):
    fields = {
        "family": {"kind": "random_features", "dim": 8, "width": 5},
        "policy": {"kind": "accumulate"},
        "rows": 30,
        "generations": 4,
        "replicates": 6,
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


@pytest.mark.parametrize("width", [5, 20, None])
def test_rows_and_statistics_are_one_corpus(width):
    """Every row drawn once is the whole corpus; so is every row taken from its batch, and every row at any weight."""
    family, batches = pool(cell(family={"width": width}))
    whole = fit(family, part(batches))
    every = np.arange(sum(batch.rows for batch in batches))
    assert np.allclose(whole, fit(family, part(batches, every)))
    assert np.allclose(whole, fit(family, part(batches, weight=3.0)))
    taken = [family.take(batch, np.arange(batch.rows)) for batch in batches]
    assert np.allclose(whole, fit(family, part(taken)))


@pytest.mark.parametrize(("width", "rows"), [(5, 30), (12, 6)])
def test_a_recursion_is_in_distribution_the_plain_loop(width, rows):
    """Errors at generations 1 and 3 beside rows and features drawn one by one."""
    asked = cell(family={"width": width, "distortion": 0.2}, policy={"kind": "replace"}, rows=rows, replicates=1500)
    store = MemoryStore()
    recursion = Recursion(asked, store)
    plain = np.array([plain_recursion(asked.family, rows, 3, seed) for seed in range(1500)])
    for n in (1, 3):
        recursion.record(n)
        held = store.get("record", recursion.steps.step(n).record).tensors["test_loss"]
        assert ks_2samp(held, plain[:, n - 1]).pvalue > 1e-3, n


def plain_recursion(config, rows, generations, seed):
    rng = np.random.default_rng(seed)
    target = rng.choice([-1.0, 1.0], config.dim) * np.sqrt(config.energy / config.spectrum)
    teacher, errors = target, []
    for _ in range(generations):
        x = rng.standard_normal((rows, config.dim)) * np.sqrt(config.spectrum)
        y = x @ teacher + config.noise * rng.standard_normal(rows)
        features = rng.standard_normal((config.dim, config.width)) / np.sqrt(config.width)
        z = x @ features
        ridge = z.T @ z / rows + config.penalty * np.eye(config.width)
        model = features @ np.linalg.solve(ridge, z.T @ y / rows)
        errors.append(config.spectrum @ (model - target) ** 2)
        distortion = rng.standard_normal(config.dim) * np.sqrt(config.distortion / config.dim / config.spectrum)
        teacher = model + distortion
    return errors


def test_quality_is_the_distance_of_teachers():
    """E‖δ‖²_Σ is `distortion`, of a surrogate too, which is one for all batches."""
    asked = cell(family={"labeller": "surrogate", "distortion": 0.7}, replicates=4000)
    family = Recursion(asked, MemoryStore()).family
    gap = ((family.surrogate - family.target) ** 2).sum(axis=1)
    assert abs(gap.mean() - 0.7) < 4 * gap.std() / np.sqrt(len(gap))


def test_a_surrogate_labels_whatever_the_model_is():
    """Models 1 and 2 differ; what both label is told apart by the noise alone."""
    asked = cell(family={"labeller": "surrogate", "distortion": 0.7, "noise": 1e-6, "width": None, "penalty": 1e-8})
    family, batches = pool(asked)
    for batch in batches[1:]:
        assert fit(family, part([batch])) == pytest.approx(family.surrogate, abs=1e-3)
    assert fit(family, part([batches[0]])) == pytest.approx(family.target, abs=1e-3)


@pytest.mark.parametrize(("features", "same"), [("shared", True), ("fresh", False)])
def test_features_are_shared_or_fresh(features, same):
    """Models of shared features lie in one space of `width` dimensions."""
    asked = cell(family={"features": features, "width": 2}, generations=6)
    recursion = Recursion(asked, MemoryStore())
    models = np.stack([recursion.model(n).tensors["coefficients"] for n in range(1, 7)], axis=1)
    assert (np.linalg.matrix_rank(models, tol=1e-8) == 2).all() == same


def test_a_target_is_of_stated_length_and_smoothness():
    config = FeaturesConfig(dim=100, signal=2.0, capacity=1.0, smoothness=0.5)
    assert config.energy.sum() == pytest.approx(4)
    assert config.energy[9] / config.energy[0] == pytest.approx(0.01)
    assert np.sqrt(config.spectrum[3]) == pytest.approx(0.5)


def test_sampling_alone_leaves_model_1_as_it_is():
    """Quality and labeller change synthetic batches, not what is fitted to real rows."""
    keys = {Recursion(cell(family=f), MemoryStore()).steps.step(1).model for f in ({}, {"distortion": 0.5})}
    assert len(keys) == 1


def test_a_resumed_recursion_repeats_every_digit():
    asked = cell(family={"distortion": 0.1}, generations=5)
    straight = [record.model_dump(exclude={"seconds"}) for record in run(asked)]
    store = MemoryStore()
    assert [Recursion(asked, store).record(n).model_dump(exclude={"seconds"}) for n in range(1, 6)] == straight


@pytest.mark.parametrize(
    ("family", "message"),
    [({"width": 0}, "width"), ({"penalty": 0}, "penalty"), ({"labeller": "teacher"}, "labeller"), ({"dim": 0}, "dim")],
)
def test_what_cannot_work_is_refused(family, message):
    with pytest.raises(ValidationError, match=message):
        cell(family=family)
