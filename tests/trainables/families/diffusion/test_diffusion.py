"""The diffusion family: rows, leaks, failure, judges, and a recursion of two generations."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from rdkit import Chem

from trainables import Cell, CellFailed, run
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families import Diverged, World
from trainables.families.diffusion import data, pictures
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.data import prepare
from trainables.families.diffusion.evaluate import denoising_errors, timesteps
from trainables.families.diffusion.family import Diffusion
from trainables.families.diffusion.fit import load
from trainables.lineage import Stream
from trainables.sources.molecules import Conformers, Nci, read, stack
from trainables.sources.molecules.smiles import Smiles
from trainables.store import MemoryStore, Payload

TINY, ROWS = DiffusionConfig.tiny()
STREAM = Stream("test")


def build(config: DiffusionConfig = TINY, rows: int = ROWS, seed: int = 0) -> Diffusion:
    return config.build(World(rows=rows, replicates=1, seed=seed, store=MemoryStore()))


def corpus(*batches: Payload) -> Corpus:
    parts = [RealisedDraw((Batch(n, f"b{n}", b.rows, lambda b=b: b),), None, 1.0) for n, b in enumerate(batches)]
    return Corpus(tuple(parts))


@pytest.fixture(scope="module")
def family() -> Diffusion:
    return build()


@pytest.fixture(scope="module")
def model(family: Diffusion) -> Payload:
    return family.fit(corpus(family.real(0, ROWS)), STREAM)


def shaken(rows: Conformers, size: float) -> Conformers:
    noise = np.random.default_rng(0).normal(0, size, rows.positions.shape)
    return rows.moved(rows.positions + noise)


class TestRows:
    def test_no_molecule_is_on_both_sides_whatever_the_seed(self):
        held = [build(seed=seed) for seed in (0, 1)]
        tests = [set(read(f.held_out()).molecule.tolist()) for f in held]
        assert tests[0] == tests[1]
        assert len(tests[0]) == TINY.test_molecules
        for f in held:
            everything = read(f.real(0, TINY.available_rows()))
            assert len(everything) == TINY.available_rows()
            assert not set(everything.molecule.tolist()) & tests[0]

    def test_no_held_out_molecule_enters_any_corpus_or_batch(self, family, model):
        held_out = set(read(family.held_out()).molecule.tolist())
        made = read(family.sample(model, 3 * ROWS, STREAM))
        assert not held_out & set(made.molecule.tolist())

    def test_ranges_of_real_rows_are_disjoint_and_in_the_seeds_order(self, family):
        whole, parts = read(family.real(0, 20)), [read(family.real(0, 12)), read(family.real(12, 8))]
        np.testing.assert_array_equal(whole.positions, np.concatenate([p.positions for p in parts]))
        assert len(np.unique(whole.positions[whole.atoms[:-1]], axis=0)) == 20
        assert read(build(seed=1).real(0, 20)).molecule.tolist() != whole.molecule.tolist()

    def test_sampled_rows_go_round_the_graphs_of_batch_0(self, family, model):
        real, made = read(family.real(0, ROWS)), read(family.sample(model, 2 * ROWS + 3, STREAM))
        assert made.molecule.tolist() == [*real.molecule, *real.molecule, *real.molecule[:3]]
        assert not np.array_equal(made.place(0), made.place(ROWS))

    def test_a_batch_is_a_table_of_atoms_bonds_and_places(self, family):
        row = family.real(0, 3).table[0]
        atoms = len(row["atomic_numbers"])
        assert len(row["positions"]) == 3 * atoms
        assert len(row["bonds"]) % 3 == 0
        assert max(row["bonds"][0::3] + row["bonds"][1::3]) < atoms

    def test_more_rows_than_there_are_is_refused_with_the_arithmetic(self, family):
        available = TINY.available_rows()
        with pytest.raises(ValueError, match=f"^rows: real rows 0 to {available + 1} .* have {available}"):
            build(rows=available + 1)

    def test_too_few_molecules_to_hold_out_are_refused(self, tmp_path: Path):
        path = tmp_path / "few.csv"
        path.write_text("smiles\nCCO\nCCN\nC1CC\n")
        config = TINY.model_copy(update={"source": Smiles(path=str(path))})
        with pytest.raises(ValueError, match=r"^source: smiles holds 2 usable molecules.*'SMILES does not parse': 1"):
            prepare(config, MemoryStore())

    def test_what_is_held_out_shrinks_with_the_data(self, tmp_path: Path, caplog: pytest.LogCaptureFixture):
        path = tmp_path / "few.csv"
        path.write_text("smiles\n" + "".join(f"{'C' * (n + 2)}O\n" for n in range(8)))
        few = Smiles(path=str(path), conformers=1)
        config = TINY.model_copy(update={"source": few, "test_molecules": 150, "validation_molecules": 75})
        data = prepare(config, MemoryStore())
        assert [len(part) for part in (data.train, data.validation, data.test)] == [6, 1, 1]
        assert config.available_rows() == 6
        assert "smiles holds 8 molecules: 1 are held out, not test_molecules: 150" in caplog.text
        stated = config.model_copy(update={"test_molecules": 4, "validation_molecules": 3})
        whole = prepare(stated, MemoryStore())
        assert [len(part) for part in (whole.train, whole.validation, whole.test)] == [1, 3, 4]

    def test_conformers_are_embedded_once_for_a_store(self, monkeypatch):
        store = MemoryStore()
        first = prepare(TINY, store)
        monkeypatch.setattr(data, "_loaded", {})
        monkeypatch.setattr(Nci, "load", None)
        np.testing.assert_array_equal(prepare(TINY, store).train.positions, first.train.positions)


class TestFit:
    def test_the_same_stream_gives_the_same_bits(self, family, model):
        again = build().fit(corpus(family.real(0, ROWS)), STREAM)
        assert all(np.array_equal(again.tensors[name], value) for name, value in model.tensors.items())

    def test_index_and_weight_of_a_part_count(self, family):
        batch = Batch(0, "b", ROWS, lambda: family.real(0, ROWS))
        few = RealisedDraw((batch,), np.array([0, 0, 5]), 1.0)
        many = RealisedDraw((batch,), np.arange(3), 1e-9)
        alone = family.fit(Corpus((few,)), STREAM)
        light = family.fit(Corpus((few, many)), STREAM)
        assert any(not np.array_equal(alone.tensors[n], v) for n, v in light.tensors.items())

    def test_training_lowers_the_held_out_error(self, family):
        rows = TINY.available_rows()
        config = TINY.model_copy(update={"steps": 250, "width": 16, "messages": 16})
        f = build(config, rows)
        found = f.evaluate(f.fit(corpus(f.real(0, rows)), STREAM), STREAM)
        assert found.test_loss < 0.6 * found.metrics["constant_loss"]

    def test_a_learning_rate_without_bounds_is_a_failed_cell(self):
        config = TINY.canonical() | {"learning_rate": 1e30, "steps": 40, "clip": 1e30}
        cell = Cell.model_validate({"family": config, "policy": {"kind": "replace"}, "rows": ROWS, "generations": 2})
        with pytest.raises(CellFailed, match=r"generation 1: .*not finite"):
            list(run(cell))

    def test_a_model_that_is_not_finite_samples_nothing(self, family, model):
        broken = {name: np.full_like(value, np.nan) for name, value in model.tensors.items()}
        with pytest.raises(Diverged, match="sampled coordinates are not finite"):
            family.sample(Payload(tensors=broken), 4, STREAM)

    def test_a_model_without_sense_still_samples_something(self, family, model):
        huge = {name: 30 * value for name, value in model.tensors.items()}
        made = read(family.sample(Payload(tensors=huge), 4, STREAM))
        assert np.abs(made.positions).max() < 200


class TestEvaluate:
    def test_noise_depends_on_the_data_alone(self, family, model):
        """Two seeds judge one model alike; another model under the same noise differs."""
        losses = [build(seed=seed).evaluate(model, Stream(f"s{seed}")).test_loss for seed in (0, 1)]
        assert losses[0] == losses[1]

    def test_the_loss_is_the_mean_error_over_levels_and_rows(self, family, model):
        test = read(family.held_out())
        errors = denoising_errors(TINY, load(TINY, model.tensors), test, family._fixed)
        assert errors.shape == (TINY.noise_levels, len(test))
        assert family.evaluate(model, STREAM).test_loss == pytest.approx(errors.mean())
        assert timesteps(TINY) == [2, 7, 12, 17]

    def test_pictures_and_conformers_are_kept(self, family, model):
        files = family.evaluate(model, STREAM).files
        assert files["samples.png"].startswith(b"\x89PNG")
        records = files["samples.sdf"].decode().split("$$$$\n")[:-1]
        mols = [Chem.MolFromMolBlock(record, removeHs=False) for record in records]
        assert len(mols) == 2 * 2 * TINY.judged_molecules  # two conformers each, sampled twice
        assert all(mol.GetConformer().Is3D() for mol in mols)

    def test_a_sample_that_can_not_be_drawn_fails_no_cell(self, family, model, monkeypatch, caplog):
        def refuse(*_):
            raise RuntimeError("Cannot normalize a zero length vector")

        monkeypatch.setattr(pictures, "_png", refuse)
        assert set(family.evaluate(model, STREAM).files) == {"samples.sdf"}
        assert "zero length" in caplog.text

    def test_skipped_entries_are_in_the_record_and_in_batch_0(self, family, model):
        skipped = family.real(0, 2).meta["skipped"]
        assert skipped
        assert family.evaluate(model, STREAM).metrics["skipped"] == sum(skipped.values())


class TestJudges:
    def test_the_force_field_prefers_real_conformers(self, family):
        real = read(family.real(0, ROWS))
        judge = family.judge("reference", real.payload(), None, STREAM)
        scores = [
            family.score("reference", judge, rows.payload(), STREAM)
            for rows in (real, shaken(real, 0.05), shaken(real, 0.5))
        ]
        assert (scores[0] > scores[1]).all()
        assert (scores[1] > scores[2]).all()
        assert (scores[0] <= 0).all()

    def test_coordinates_without_energy_score_worst_not_nan(self, family):
        real = read(family.real(0, 3))
        judge = family.judge("reference", real.payload(), None, STREAM)
        piled = real.moved(np.zeros_like(real.positions))
        scores = family.score("reference", judge, piled.payload(), STREAM)
        assert np.isfinite(scores).all()
        assert (scores < family.score("reference", judge, real.payload(), STREAM)).all()

    def test_the_detector_tells_shaken_rows_from_real_ones(self, family):
        real, fresh = read(family.real(0, 24)), read(family.real(24, 24))
        judge = family.judge("detector", real.payload(), shaken(real, 0.2).payload(), STREAM)
        on_real, on_fake = (family.score("detector", judge, r.payload(), STREAM) for r in (fresh, shaken(fresh, 0.2)))
        assert (on_real > 0.5).mean() > 0.8
        assert (on_fake < 0.5).mean() > 0.8

    def test_take_keeps_the_rows_named(self, family):
        batch = family.real(0, ROWS)
        taken = read(family.take(batch, np.array([3, 7])))
        np.testing.assert_array_equal(taken.place(1), read(batch).place(7))


class TestConfig:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"sampling_steps": 7}, "sampling_steps: 7 does not divide 1000 timesteps"),
            ({"noise_levels": 2000}, "noise_levels: 2000 levels of 1000 timesteps"),
            ({"beta_start": 0.1}, "beta_end: 0.02 is below beta_start"),
        ],
    )
    def test_what_can_not_work_is_refused(self, fields, message):
        with pytest.raises(ValidationError, match=message):
            DiffusionConfig(**fields)

    def test_without_diffusers_the_family_says_what_to_install(self, monkeypatch):
        found = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "diffusers" else found(name))
        with pytest.raises(ValueError, match=r'^family: diffusion: needs diffusers, .*"collapse-sweep\[molecules\]"$'):
            build()

    def test_where_a_file_lies_is_no_part_of_a_cell(self, tmp_path: Path):
        cells = []
        for name in ("a.csv", "b.csv"):
            (tmp_path / name).write_text("smiles\nCCO\nCCN\n")
            family = TINY.canonical() | {"source": {"kind": "smiles", "path": str(tmp_path / name)}}
            cells.append(Cell.model_validate({"family": family, "policy": {"kind": "replace"}}))
        assert cells[0].key == cells[1].key

    def test_cost_follows_epochs_and_steps(self):
        base = DiffusionConfig()
        assert base.model_copy(update={"epochs": 40.0}).cost(500).fit_flops == pytest.approx(
            2 * base.cost(500).fit_flops
        )
        fixed = base.model_copy(update={"steps": 100})
        assert 500 * fixed.cost(500).fit_flops == pytest.approx(1000 * fixed.cost(1000).fit_flops)


def test_two_generations_under_replace_and_accumulate_share_the_first():
    records = {}
    store = MemoryStore()
    for policy in ("replace", "accumulate"):
        fields = {"family": TINY.canonical(), "policy": {"kind": policy}, "rows": ROWS, "generations": 2}
        records[policy] = list(run(Cell.model_validate(fields), store))
    assert records["replace"][0] == records["accumulate"][0]
    assert records["replace"][1].real_fraction == 0
    assert records["accumulate"][1].corpus_rows == 2 * ROWS
    assert records["replace"][1].test_loss != records["accumulate"][1].test_loss


def test_stacked_rows_of_nothing_are_empty():
    assert len(stack([], [], [])) == 0
