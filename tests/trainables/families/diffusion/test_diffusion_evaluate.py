"""What a denoiser is judged on: errors at fixed noise, which conformers are compared, and metrics of known samples."""

import math

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from tests.trainables.families.diffusion.test_diffusion_denoiser import chain, chains
from trainables.families.base import Diverged
from trainables.families.diffusion import evaluate
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.evaluate import Judged
from trainables.families.diffusion.process import scheduler
from trainables.lineage import Stream
from trainables.runtime import seeded
from trainables.sources.molecules import Conformers, Graph, stack
from trainables.sources.molecules.graph import labelled

CONFIG = DiffusionConfig(width=4, messages=2, layers=1, timesteps=40, beta_end=0.4, sampling_steps=4, noise_levels=4)
ROWS = chains([5, 2, 4, 3, 6, 2])


class Known:
    """Predicts a share of the noise that was added to known coordinates; keeps what it sees."""

    def __init__(self, share: float, rows: Conformers = ROWS) -> None:
        self.share, self.rows, self.seen = share, rows, []
        self.levels = scheduler(CONFIG).alphas_cumprod

    def prepare(self, graphs):
        return graphs

    def __call__(self, given, x_BN3, t_B):
        self.seen.append((t_B.tolist(), x_BN3.clone()))
        kept = self.levels[t_B][:, None, None]
        clean = torch.zeros_like(x_BN3)
        for slot, mask in enumerate(given.mask_BN):
            size = int(mask.sum())
            clean[slot, :size] = torch.from_numpy(self.rows.place(self.row_of(size)) / CONFIG.scale)
        return self.share * (x_BN3 - kept.sqrt() * clean) / (1 - kept).sqrt()

    def row_of(self, size: int) -> int:
        return self.rows.sizes.tolist().index(size)


ALONE = chains([5, 2, 4, 3, 6])
"""Of sizes that tell them apart."""


def test_a_model_that_knows_the_noise_has_no_error_and_one_that_knows_half_a_quarter_of_a_blind_ones() -> None:
    exact, half, none = (
        evaluate.denoising_errors(CONFIG, Known(share, ALONE), ALONE, Stream("e")) for share in (1.0, 0.5, 0.0)
    )
    assert exact.shape == (4, 5)
    assert exact.max() < 1e-5
    np.testing.assert_allclose(half, none / 4, rtol=1e-3)


def test_errors_are_taken_at_the_middles_of_equal_shares_of_the_timesteps() -> None:
    model = Known(0.0, ALONE)
    evaluate.denoising_errors(CONFIG, model, ALONE, Stream("e"))
    assert [times[0] for times, _ in model.seen] == [5, 15, 25, 35]
    assert all(set(times) == {times[0]} for times, _ in model.seen)
    for count, expected in ((1, [20]), (3, [6, 20, 33]), (40, list(range(40)))):
        assert evaluate.timesteps(CONFIG.model_copy(update={"noise_levels": count})) == expected


def test_a_blind_models_error_is_the_share_of_coordinates_that_noise_without_centroid_has() -> None:
    """1 − 1/n of n atoms, on average over draws: what `constant_loss` says."""
    rows = chains([2] * 400 + [5] * 400)
    config = CONFIG.model_copy(update={"noise_levels": 8})
    errors = evaluate.denoising_errors(config, Known(0.0, rows), rows, Stream("e")).mean(axis=0)
    assert errors[:400].mean() == pytest.approx(1 / 2, rel=0.05)
    assert errors[400:].mean() == pytest.approx(4 / 5, rel=0.05)
    found = evaluate.loss(CONFIG, Known(0.0), ROWS, Stream("e"))
    assert found["constant_loss"] == pytest.approx(np.mean([1 - 1 / n for n in (5, 2, 4, 3, 6, 2)]))


def test_the_loss_is_the_mean_over_levels_and_rows() -> None:
    model = Known(0.0)
    errors = evaluate.denoising_errors(CONFIG, model, ROWS, Stream("e"))
    assert evaluate.loss(CONFIG, model, ROWS, Stream("e"))["test_loss"] == errors.mean()


def test_a_loss_that_is_no_number_diverged() -> None:
    with pytest.raises(Diverged, match=r"^test loss is not finite$"):
        evaluate.loss(CONFIG, Known(math.nan), ROWS, Stream("e"))


def test_noise_depends_on_sizes_and_the_stream_and_not_on_coordinates() -> None:
    """A blind model's error is its noise's square alone."""
    moved = ROWS.moved(3 * ROWS.positions)
    one, same, other = (
        evaluate.denoising_errors(CONFIG, Known(0.0), rows, Stream(key))
        for rows, key in ((ROWS, "a"), (moved, "a"), (ROWS, "b"))
    )
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_rows_share_streams_of_noise_by_sixty_fours_in_the_order_of_their_sizes() -> None:
    """Of a blind model: row 66 of equal sizes is the third of the second stream, whatever else is judged beside it."""
    rows = chains([3] * 70)
    found = evaluate.denoising_errors(CONFIG, Known(0.0, rows), rows, Stream("e"))
    generator = seeded(Stream("e").integer("noise", "1"))
    for level in range(4):
        drawn = torch.randn(6, 3, 3, generator=generator)[2]
        drawn = drawn - drawn.mean(0)
        assert found[level, 66] == pytest.approx(float(drawn.square().sum()) / 9, rel=1e-5)


def places(count: int, atoms: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).normal(size=(count, atoms, 3)))


def test_held_out_rows_of_one_labelled_graph_are_references_of_each_of_the_first_molecules() -> None:
    """Molecules 3, 5 and 8, of which two are judged; of 3 one row has its atoms in another order."""
    plain, turned = (
        chain(3),
        Graph(np.array([6, 6, 6], np.uint8), np.zeros(3, np.int8), np.array([(0, 1, 1), (0, 2, 1)], np.int16)),
    )
    rows = stack([5, 3, 8, 3, 3, 5], [plain, plain, plain, turned, plain, plain], places(6, 3))
    config = CONFIG.model_copy(update={"judged_molecules": 2})
    assert [part.tolist() for part in evaluate.references(config, rows)] == [[1, 4], [0, 5]]


def test_two_conformers_are_sampled_for_each_real_one() -> None:
    rows = stack([1, 2, 2], [chain(3), chain(4), chain(4)], [*places(1, 3), *places(2, 4)])
    found = evaluate.judged(CONFIG, Known(0.0, rows), rows, Stream("s"))
    assert [(len(m.real), len(m.made), m.graph.size) for m in found] == [(1, 2, 3), (2, 4, 4)]
    np.testing.assert_array_equal(found[1].real[1], rows.place(2))
    assert not np.array_equal(found[1].made[0], found[1].made[1])


def butane(count: int) -> tuple[Graph, list[np.ndarray]]:
    mol = Chem.AddHs(Chem.MolFromSmiles("CCCC"))
    rdDistGeom.EmbedMultipleConfs(mol, count, randomSeed=2)
    return labelled(mol), [c.GetPositions() for c in mol.GetConformers()]


def test_samples_that_are_the_real_conformers_are_perfect() -> None:
    """Turned and shifted: every real one is found at no distance, and samples differ as real ones do."""
    graph, real = butane(3)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    made = [place @ turn + 5 for place in real]
    found = evaluate.metrics(CONFIG, [Judged(graph, real, made)])
    assert (found["cov"], found["cov_precision"], found["validity"], found["valid_bonds"]) == (1, 1, 1, 1)
    expected = {"mat": 0, "mat_precision": 0, "bond_distance": 0, "angle_distance": 0, "gyration_ratio": 1}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=2e-3)
    assert set(found) == {*expected, "cov", "cov_precision", "validity", "valid_bonds", "diversity"}


def test_samples_of_one_conformer_cover_it_alone_and_have_no_diversity() -> None:
    graph, real = butane(6)
    apart = max(
        range(1, 6),
        key=lambda n: np.abs(np.linalg.norm(real[n][0] - real[n][3]) - np.linalg.norm(real[0][0] - real[0][3])),
    )
    pair = [real[0], real[apart]]
    found = evaluate.metrics(CONFIG.model_copy(update={"cov_threshold": 0.1}), [Judged(graph, pair, [real[0]] * 4)])
    assert found["cov"] == 0.5
    assert found["cov_precision"] == 1.0
    assert found["mat"] > 0.05
    assert found["mat_precision"] == pytest.approx(0, abs=1e-4)
    assert found["diversity"] == pytest.approx(0, abs=1e-4)


def test_blown_up_samples_are_as_far_off_as_their_size_says() -> None:
    """Lengths and radii grow by a tenth, angles stay."""
    graph, real = butane(2)
    found = evaluate.metrics(CONFIG, [Judged(graph, real, [1.1 * place for place in real])])
    bonds = [np.linalg.norm(place[i] - place[j]) for place in real for i, j, _ in graph.bonds]
    assert found["gyration_ratio"] == pytest.approx(1.1, rel=1e-5)
    assert found["bond_distance"] == pytest.approx(0.1 * np.mean(bonds), rel=1e-4)
    assert found["angle_distance"] == pytest.approx(0, abs=1e-3)


def test_molecules_count_alike_however_many_conformers_they_have() -> None:
    graph, real = butane(3)
    good, bad = Judged(graph, real[:1], real[:1] * 2), Judged(graph, real, [3 * place for place in real] * 2)
    found = evaluate.metrics(CONFIG, [good, bad])
    alone = [evaluate.metrics(CONFIG, [one]) for one in (good, bad)]
    for name in ("cov", "mat", "cov_precision", "mat_precision", "validity", "valid_bonds", "diversity"):
        assert found[name] == pytest.approx((alone[0][name] + alone[1][name]) / 2)
    assert (alone[0]["validity"], alone[1]["validity"]) == (1, 0)


def test_molecules_without_an_angle_have_no_distance_of_angles() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("Cl"))
    graph, place = labelled(mol), np.array([[0.0, 0, 0], [1.3, 0, 0]])
    found = evaluate.metrics(CONFIG, [Judged(graph, [place], [place, place * 1.1])])
    assert "angle_distance" not in found
    assert found["bond_distance"] == pytest.approx(0.065, rel=1e-5)
