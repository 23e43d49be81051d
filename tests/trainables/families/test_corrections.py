"""What `correct` does to rows, family by family: where they go, how far, and which law they have then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from trainables import Cell
from trainables.lineage import Stream
from trainables.recursion import Recursion
from trainables.store import MemoryStore

STREAM = Stream("7" * 32)
FAR = 1e12
"""γ of a correction that goes all the way."""


def at_work(family: dict[str, Any], **changes: Any) -> Recursion:
    fields = {"rows": 30, "replicates": 200, "generations": 3, "policy": {"kind": "self_corrected", "strength": 0.5}}
    return Recursion(Cell.model_validate({"family": family} | fields | changes), MemoryStore())


def corrected(recursion: Recursion, batch: Any, strength: float) -> Any:
    family = recursion.family
    real = recursion.batch(recursion.steps.batch(0))
    corrector = family.judge("corrector", real, None, STREAM.child("corrector"))
    return family.correct(corrector, recursion.model(1), batch, strength, STREAM.child("correct"))


def samples(recursion: Recursion, rows: int = 30) -> Any:
    return recursion.family.sample(recursion.model(1), rows, STREAM.child("sample"))


def all_rows(recursion: Recursion, batch: Any) -> Any:
    return recursion.family.take(batch, np.arange(batch.rows))


def test_gaussian_rows_go_along_the_triangular_map():
    """x ↦ (x + γL⁻¹(x − μ̂))/(1 + γ), of statistics and of single rows alike, and `moved` is their distance."""
    recursion = at_work({"kind": "gaussian", "dim": 3})
    model, batch = recursion.model(1).tensors, samples(recursion)
    plain, ways = all_rows(recursion, batch), []
    for one in (all_rows(recursion, corrected(recursion, batch, 0.5)), corrected(recursion, plain, 0.5)):
        ways.append(one.tensors["mean"][:, None] + one.tensors["deviations"])
    x = plain.tensors["mean"][:, None] + plain.tensors["deviations"]
    factor = np.linalg.cholesky(model["root"] @ model["root"].swapaxes(1, 2))
    white = (x - model["mean"][:, None]) @ np.linalg.inv(factor).swapaxes(1, 2)
    for found in ways:
        assert np.allclose(found, (x + 0.5 * white) / 1.5, atol=1e-10)
    distance = np.sqrt(((ways[0] - x) ** 2).sum(axis=2).mean())
    assert corrected(recursion, batch, 0.5).meta["moved"] == pytest.approx(distance)


def test_gaussian_factors_of_either_sign_are_one_model():
    """Pooled covariances may come with a negative diagonal of their factor."""
    recursion = at_work({"kind": "gaussian", "dim": 3})
    batch, model = samples(recursion), recursion.model(1)
    flipped = type(model)(model.meta, {**model.tensors, "root": model.tensors["root"] * np.array([1.0, -1.0, -1.0])})
    one, other = (recursion.family.correct(model, which, batch, 2.0, STREAM) for which in (model, flipped))
    assert np.allclose(one.tensors["mean"], other.tensors["mean"])
    assert np.allclose(one.tensors["root"], other.tensors["root"])


def test_linear_labels_move_by_what_the_model_errs():
    """y ↦ y + γ/(1 + γ)·x(w* − ŵ), of statistics and of single rows alike."""
    recursion = at_work({"kind": "linear", "dim": 4, "design": "fresh"})
    batch = samples(recursion)
    plain = all_rows(recursion, batch)
    step = recursion.family.target - recursion.model(1).tensors["coefficients"]
    for moved in (all_rows(recursion, corrected(recursion, batch, 0.5)), corrected(recursion, plain, 0.5)):
        assert np.allclose(moved.tensors["inputs"], plain.tensors["inputs"])
        told = (plain.tensors["inputs"] @ step[..., None])[..., 0]
        assert np.allclose(moved.tensors["labels"], plain.tensors["labels"] + told / 3, atol=1e-10)
    assert corrected(recursion, batch, 0.5).meta["moved"] == pytest.approx(np.sqrt(((told / 3) ** 2).mean()))


def test_what_cannot_move_is_drawn_again_with_that_chance():
    """γ/(1 + γ) of the rows; from the truth, whose frequencies they have at the end of the way."""
    recursion = at_work({"kind": "discrete", "categories": 5}, replicates=2000)
    batch, truth = samples(recursion), recursion.cell.family.probabilities
    half = corrected(recursion, batch, 1.0)
    assert half.meta["moved"] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(60_000))
    counts = corrected(recursion, batch, FAR).tensors["counts"]
    assert (counts.sum(axis=1) == 30).all()
    assert stats.chisquare(counts.sum(axis=0), 60_000 * truth).pvalue > 1e-4
    expected = (recursion.model(1).tensors["frequencies"] + truth) / 2
    gap = half.tensors["counts"] / 30 - expected
    assert np.abs(gap.mean(axis=0)).max() < 4 * 0.5 / np.sqrt(60_000)


@pytest.mark.parametrize("source", [{"kind": "simulated", "dim": 2}, {"kind": "breast_cancer"}])
def test_labels_of_a_glm_come_from_the_truth_or_from_the_fit_to_real_rows(source):
    recursion = at_work({"kind": "glm", "source": source, "penalty": 1.0}, rows=100)
    batch, real = samples(recursion, 100), recursion.batch(recursion.steps.batch(0))
    corrector = recursion.family.judge("corrector", real, None, STREAM.child("corrector"))
    strong = corrected(recursion, batch, FAR)
    scores = recursion.family.score("first", corrector, strong, STREAM)
    assert strong.meta["moved"] == pytest.approx(1)
    assert recursion.family.score("first", corrector, batch, STREAM).mean() < scores.mean()
    assert 0.3 < corrected(recursion, batch, 1.0).meta["moved"] < 0.7


def test_mixture_rows_reach_the_true_mixture():
    """At the end of the way shares, means and covariances are the truth's; half-way they lie half-way."""
    recursion = at_work({"kind": "mixture", "share": 0.3, "distance": 6.0}, replicates=40, rows=60)
    batch = samples(recursion, 4000)
    end, half = (corrected(recursion, batch, strength).tensors["rows"] for strength in (FAR, 1.0))
    second = end[..., 0] > 0
    assert second.mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / second.size))
    there = end[second] - np.array([3.0, 0.0])
    assert np.abs(there.mean(axis=0)).max() < 4 / np.sqrt(len(there))
    assert np.abs(np.cov(there.T) - np.eye(2)).max() < 4 * np.sqrt(2 / len(there))
    model = recursion.model(1).tensors
    expected = (model["shares"][:, :, None] * model["means"]).sum(axis=1), (model["means"][:, 0] + [-3.0, 0.0]) / 2
    first = [rows[rows[:, 0] < 0].mean(axis=0) for rows in half]
    assert np.abs(np.array(first) - expected[1]).max() < 5 * 1.5 / np.sqrt(800)


def test_kde_rows_go_to_the_nearest_point_of_the_shape():
    recursion = at_work({"kind": "kde", "data": "circles"}, replicates=3)
    batch = samples(recursion)
    end, half = (corrected(recursion, batch, strength).tensors["x"] for strength in (FAR, 1.0))
    assert np.allclose(half, (batch.tensors["x"] + end) / 2, atol=1e-6)
    radii = np.linalg.norm(end, axis=2)
    assert np.allclose(np.unique(np.round(radii / radii.max(), 3)), [0.5, 1.0])


@pytest.mark.parametrize("base", ["replace", "verified"])
def test_a_recursion_keeps_one_corrector_and_tells_how_far_rows_went(base):
    """Candidates are corrected before a judge sees them."""
    policy = {"kind": "self_corrected", "strength": 0.5, "base": {"kind": base}}
    recursion = at_work({"kind": "gaussian"}, policy=policy)
    records = [recursion.record(n) for n in (1, 2, 3)]
    assert "moved" not in records[0].composition
    assert all(record.composition["moved"] > 0 for record in records[1:])
    parents = [recursion.graph.batch(recursion.steps.batch(n)).provenance for n in (1, 2)]
    assert parents[0]["corrector"] == parents[1]["corrector"]
    assert recursion.store.get("judge", parents[0]["corrector"].removeprefix("judge/")) is not None


@pytest.mark.parametrize("kind", ["language", "random_features"])
def test_a_family_without_a_corrector_is_refused_in_one_line(kind):
    with pytest.raises(ValueError, match=f"policy: self_corrected needs a family with correct; {kind} has"):
        Cell.model_validate({"family": {"kind": kind}, "policy": {"kind": "self_corrected"}})


def test_images_go_to_the_nearest_centre_of_real_ones():
    """In whole bytes: all the way they are centres, hardly corrected they stay, and few are real images."""
    from trainables.families.vae.rows import pixels_of

    family = {"kind": "vae", "width": 4, "latent": 2, "steps": 2}
    recursion = at_work(family, replicates=1, rows=200)
    batch = samples(recursion)
    real = recursion.batch(recursion.steps.batch(0))
    centres = recursion.family.judge("corrector", real, None, STREAM.child("corrector")).tensors["centres"]
    assert centres.shape == (160, 64)
    before, end = (pixels_of(b).array().reshape(30, 64) for b in (batch, corrected(recursion, batch, FAR)))
    distance = ((before[:, None] / 255 - centres) ** 2).sum(axis=2)
    assert np.abs(end / 255 - centres[distance.argmin(axis=1)]).max() <= 0.5 / 255 + 1e-6
    assert (pixels_of(corrected(recursion, batch, 1e-9)).array().reshape(30, 64) == before).all()
    moved = corrected(recursion, batch, 1.0).meta["moved"]
    assert moved == pytest.approx(np.sqrt(distance.min(axis=1).mean()) / 2, rel=1e-4)


def test_conformers_go_to_the_nearest_real_one_of_their_graph():
    """A real conformer that was turned and shifted is found again where it lies; a mirror image is not."""
    from trainables.families.diffusion.corrector import corrected as moved
    from trainables.sources.molecules import Graph, stack

    rng = np.random.default_rng(0)
    graph, other = (
        Graph(np.array(z, np.uint8), np.zeros(5, np.int8), np.array([[0, 1, 1]], np.int16))
        for z in ([6, 7, 8, 9, 1], [6, 6, 6, 6, 6])
    )
    places = rng.standard_normal((3, 5, 3))
    real = stack([1] * 3, [graph] * 3, list(places))
    turned = places[1] @ Rotation.random(random_state=0).as_matrix() + 4
    mirrored = places[2] * np.array([-1, 1, 1])
    made = stack(
        [1, 1, 1, 2],
        [graph, graph, graph, other],
        [turned, turned + 0.1 * rng.standard_normal((5, 3)), mirrored, turned],
    )
    end, _ = moved(made, real, 1.0)
    assert np.allclose(end.place(0), turned, atol=1e-5)
    shape = np.linalg.norm(places[1][:, None] - places[1][None], axis=2)
    assert np.allclose(np.linalg.norm(end.place(1)[:, None] - end.place(1)[None], axis=2), shape, atol=1e-5)
    assert np.abs(end.place(2) - mirrored).max() > 0.1
    assert np.array_equal(end.place(3), made.place(3))
    half, far = moved(made, real, 0.5)
    assert np.allclose(half.positions, (made.positions + end.positions) / 2, atol=1e-5)
    assert far == pytest.approx(np.sqrt(((half.positions - made.positions) ** 2).sum(axis=1).mean()), rel=1e-4)


def test_each_replicate_is_corrected_by_its_own_real_rows():
    from trainables.families.lanes import lane
    from trainables.families.vae.rows import pixels_of

    recursion = at_work({"kind": "vae", "width": 4, "latent": 2, "steps": 2}, replicates=2, rows=40)
    family, model, batch = recursion.family, recursion.model(1), samples(recursion, 10)
    real = recursion.batch(recursion.steps.batch(0))
    corrector = family.judge("corrector", real, None, STREAM.child("corrector"))
    assert not np.array_equal(*corrector.tensors["centres"])
    together = family.correct(corrector, model, batch, 1.0, STREAM)
    apart = [
        one.correct(*(lane(payload, number) for payload in (corrector, model, batch)), 1.0, STREAM)
        for number, one in enumerate(family.replicates)
    ]
    for number, alone in enumerate(apart):
        assert np.array_equal(pixels_of(lane(together, number)).array(), pixels_of(alone).array())
    assert together.meta["moved"] == pytest.approx(np.sqrt(np.mean([one.meta["moved"] ** 2 for one in apart])))
