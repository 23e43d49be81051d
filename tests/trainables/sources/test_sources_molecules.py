"""Molecule sources: what they hold, how they are told apart, and what they refuse."""

import gzip
import importlib.util
import json
import os
import pickle
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from trainables.families.diffusion.config import DiffusionConfig
from trainables.sources.molecules import Nci, join, read, stack, to_mol
from trainables.sources.molecules.files import Npz, Qm9, Sdf
from trainables.sources.molecules.geom import GeomDrugs
from trainables.sources.molecules.graph import Unusable, bonded, identify, labelled
from trainables.sources.molecules.hub import Hub
from trainables.sources.molecules.rows import AROMATIC
from trainables.sources.molecules.smiles import Smiles

SHARED = Path(os.environ.get("COLLAPSE_SWEEP_DATA", Path(__file__).parents[4] / "shared" / "data")) / "molecules"
WORDS = ("CCO", "c1ccccc1", "CC(=O)O", "C[N+](=O)[O-]", "CC#N", "OCC1CO1", "CCN", "C1CCC1")


def embedded(smiles: str, seed: int = 1) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=seed) == 0
    return mol


def arrays(mols: list[Chem.Mol]) -> dict[str, np.ndarray]:
    return {
        "z": np.array([a.GetAtomicNum() for m in mols for a in m.GetAtoms()], np.uint8),
        "pos": np.concatenate([m.GetConformer().GetPositions() for m in mols]).astype(np.float32),
        "n_atoms": np.array([m.GetNumAtoms() for m in mols], np.uint8),
        "smiles": np.array([Chem.MolToSmiles(Chem.RemoveHs(m)) for m in mols]),
    }


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "some.csv"
    path.write_text(
        "name,smiles\n" + "".join(f"m{n},{w}\n" for n, w in enumerate([*WORDS, "C1CC", "", "OCC", "[Na+].[Cl-]"]))
    )
    return path


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    mols = [embedded(Chem.MolToSmiles(Chem.MolFromSmiles(word))) for word in WORDS]
    np.savez(path, **arrays(mols))
    return path


class TestRows:
    def test_a_molecule_survives_rows_a_table_and_back(self):
        mols = [embedded(word) for word in WORDS]
        rows = stack(
            [identify(m) for m in mols], [labelled(m) for m in mols], [m.GetConformer().GetPositions() for m in mols]
        )
        again = read(rows.payload())
        for n, mol in enumerate(mols):
            rebuilt = to_mol(again.graph(n), [again.place(n)])
            assert identify(rebuilt) == identify(mol) == again.molecule[n]
            assert Chem.MolToSmiles(Chem.RemoveHs(rebuilt)) == Chem.MolToSmiles(
                Chem.RemoveHs(mol), isomericSmiles=False
            )
            np.testing.assert_allclose(
                rebuilt.GetConformer().GetPositions(), mol.GetConformer().GetPositions(), atol=1e-5
            )

    def test_take_and_join_keep_rows_whole(self):
        mols = [embedded(word) for word in WORDS]
        rows = stack(range(len(mols)), [labelled(m) for m in mols], [m.GetConformer().GetPositions() for m in mols])
        mixed = join([rows.take(np.array([5, 0])), rows.take(np.array([0, 3, 3]))])
        assert mixed.molecule.tolist() == [5, 0, 0, 3, 3]
        for n, origin in enumerate(mixed.molecule):
            assert mixed.graph(n).key == rows.graph(origin).key
            np.testing.assert_array_equal(mixed.place(n), rows.place(origin))

    def test_stereoisomers_are_one_molecule(self):
        assert identify(embedded("C[C@H](O)F")) == identify(embedded("C[CH](O)F"))
        assert identify(embedded("F/C=C/F")) == identify(embedded("F/C=C\\F"))
        assert identify(embedded("CCO")) != identify(embedded("COC"))

    def test_aromatic_bonds_have_an_order_of_their_own(self):
        graph = labelled(embedded("c1ccccc1"))
        assert Counter(graph.bonds[:, 2].tolist()) == {AROMATIC: 6, 1: 6}


class TestNci:
    def test_every_chosen_molecule_is_embedded(self):
        source = Nci(limit=20, max_heavy_atoms=7)
        loaded = source.load()
        assert source.entries() == 20
        assert len(loaded.rows) == 40 == source.entries() * source.rows_each
        assert set(Counter(loaded.rows.molecule.tolist()).values()) == {2}
        centroids = np.array([loaded.rows.place(n).mean(axis=0) for n in range(40)])
        np.testing.assert_allclose(centroids, 0, atol=1e-5)

    def test_a_smaller_limit_takes_a_part_of_the_larger(self):
        few, many = (set(Nci(limit=n, conformers=1, max_heavy_atoms=5).load().rows.molecule.tolist()) for n in (4, 12))
        assert few < many

    def test_identity_names_content_and_settings(self):
        assert Nci().identity() == Nci().identity()
        assert Nci().identity() != Nci(conformers=1).identity()
        assert not any("/" in str(value) for value in Nci().identity().values())


class TestSmiles:
    def test_what_does_not_parse_is_counted(self, csv):
        loaded = Smiles(path=str(csv), conformers=1).load()
        assert len(loaded.rows) == len(WORDS)
        assert loaded.skipped == {
            "SMILES does not parse": 2,
            "element outside the supported ones": 1,
            "repeated molecule": 1,
        }

    def test_larger_molecules_are_counted(self, csv):
        assert Smiles(path=str(csv), conformers=1, max_heavy_atoms=4).load().skipped["larger than max_heavy_atoms"] == 2

    def test_a_zip_holds_one_file_besides_leftovers(self, csv, tmp_path):
        packed = tmp_path / "some.csv.ZIP"
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(csv, "in/some.csv")
            archive.writestr("__MACOSX/._some.csv", b"x")
        assert Smiles(path=str(packed)).identity() == Smiles(path=str(csv)).identity()
        with zipfile.ZipFile(packed, "a") as archive:
            archive.write(csv, "in/more.csv")
        with pytest.raises(ValueError, match=r"^source\.path: .*holds 2 files, not one: in/some\.csv, in/more\.csv"):
            Smiles(path=str(packed)).identity()
        packed.write_bytes(b"no zip")
        with pytest.raises(ValueError, match=r"^source\.path: .*not a zip"):
            Smiles(path=str(packed)).identity()

    def test_identity_is_the_content_not_the_place(self, csv, tmp_path):
        packed = tmp_path / "elsewhere.csv.gz"
        packed.write_bytes(gzip.compress(csv.read_bytes()))
        assert Smiles(path=str(packed)).identity() == Smiles(path=str(csv)).identity()
        csv.write_text(csv.read_text() + "more,CCCC\n")
        assert Smiles(path=str(packed)).identity() != Smiles(path=str(csv)).identity()
        assert Smiles(path=str(csv)).entries() == len(WORDS) + 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"path": "no/such.csv"}, r"^source\.path: can't read 'no/such\.csv'"),
            ({"column": "SMILES"}, r"^source\.column: no column 'SMILES' .*\(columns: name, smiles\)"),
        ],
    )
    def test_what_can_not_be_read_is_one_line(self, csv, change, message):
        with pytest.raises(ValueError, match=message) as caught:
            Smiles(**({"path": str(csv)} | change)).entries()
        assert "\n" not in str(caught.value)

    def test_nothing_usable_is_refused(self, tmp_path):
        path = tmp_path / "bad.csv"
        path.write_text("smiles\nC1CC\nxyz\n")
        with pytest.raises(ValueError, match="smiles holds no usable SMILES"):
            Smiles(path=str(path)).entries()


class TestNpz:
    def test_bonds_are_those_of_the_smiles(self, npz):
        loaded = Npz(path=str(npz)).load()
        assert set(loaded.rows.molecule.tolist()) == {identify(embedded(word)) for word in WORDS}
        assert loaded.skipped == {}

    def test_bonds_are_seen_in_the_coordinates_without_smiles(self, npz):
        held = dict(np.load(npz))
        del held["smiles"]
        np.savez(npz, **held)
        found = Npz(path=str(npz)).load()
        assert set(found.rows.molecule.tolist()) == {identify(embedded(word)) for word in WORDS}

    def test_atoms_in_another_order_than_the_smiles(self):
        mol = embedded("CC(=O)NC")
        order = np.random.default_rng(0).permutation(mol.GetNumAtoms())
        z = np.array([a.GetAtomicNum() for a in mol.GetAtoms()])[order]
        assert identify(bonded(z, mol.GetConformer().GetPositions()[order], "CC(=O)NC")) == identify(mol)

    def test_a_smiles_that_the_coordinates_contradict_is_unusable(self):
        mol = embedded("CCO")
        z = np.array([a.GetAtomicNum() for a in mol.GetAtoms()])
        with pytest.raises(Unusable, match="differ from the SMILES"):
            bonded(z, mol.GetConformer().GetPositions(), "COC")

    def test_malformed_arrays_are_refused(self, npz, tmp_path):
        held = dict(np.load(npz))
        np.savez(npz, **(held | {"n_atoms": held["n_atoms"][:-1]}))
        with pytest.raises(ValueError, match=r"^source\.path: n_atoms of .* sums to"):
            Npz(path=str(npz)).entries()
        np.savez(npz, z=held["z"])
        with pytest.raises(ValueError, match=r"lacks the arrays n_atoms, pos"):
            Npz(path=str(npz)).entries()
        text = tmp_path / "text.npz"
        text.write_text("no archive")
        with pytest.raises(ValueError, match=r"is no \.npz file"):
            Npz(path=str(text)).entries()

    @pytest.mark.parametrize(
        ("name", "change", "message"),
        [
            ("n_atoms", lambda counts: counts.astype(float), "n_atoms of .* must be whole numbers, not float64"),
            ("n_atoms", lambda counts: counts.astype(int) * -1, "none below 0"),
            ("n_atoms", lambda counts: counts[None], "one count for each molecule"),
            ("smiles", lambda words: words[:3], r"smiles of .* has shape \(3,\) for 8 molecules"),
            ("pos", lambda places: places.astype(str), "pos of .* must be numbers"),
            ("z", lambda numbers: numbers.astype(np.float32), "z of .* must be whole numbers"),
        ],
    )
    def test_arrays_of_other_kinds_are_refused(self, npz, name, change, message):
        held = dict(np.load(npz))
        np.savez(npz, **(held | {name: change(held[name])}))
        with pytest.raises(ValueError, match=r"^source\.path: .*" + message):
            Npz(path=str(npz)).load()

    def test_pickled_arrays_are_refused(self, npz):
        np.savez(npz, **(dict(np.load(npz)) | {"smiles": np.array(["C", None], dtype=object)}))
        with pytest.raises(ValueError, match=r"^source\.path: "):
            Npz(path=str(npz)).entries()

    @pytest.mark.skipif(not SHARED.exists(), reason="no shared data")
    def test_qm9_geometries_all_find_their_bonds(self):
        loaded = Npz(path=str(SHARED / "qm9_20k.npz"), limit=600).load()
        assert len(loaded.rows) == 600
        assert loaded.skipped == {}


class TestSdf:
    def test_records_are_read_and_bad_ones_counted(self, tmp_path):
        path = tmp_path / "some.sdf"
        blocks = [Chem.MolToMolBlock(embedded(word)) for word in WORDS]
        bare = Chem.MolToMolBlock(Chem.RemoveHs(embedded("CCO")))
        path.write_text("$$$$\n".join([*blocks, bare, "broken\n\n\nnothing\nM  END\n"]) + "$$$$\n")
        loaded = Sdf(path=str(path)).load()
        assert set(loaded.rows.molecule.tolist()) == {identify(embedded(word)) for word in WORDS}
        assert loaded.skipped == {"hydrogens without coordinates": 1, "record does not parse": 1}

    @pytest.mark.parametrize("end", ["$$$$ \n", "$$$$\t\r\n", "$$$$\n"])
    def test_spaces_after_a_separator_lose_no_record(self, tmp_path, end):
        path = tmp_path / "some.sdf"
        path.write_bytes("".join(Chem.MolToMolBlock(embedded(word)) + end for word in WORDS).encode())
        loaded = Sdf(path=str(path)).load()
        assert len(loaded.rows) == len(WORDS)
        assert loaded.skipped == {}

    def test_what_is_no_conformer_and_what_was_there_before_are_counted(self, tmp_path):
        def changed(factors: tuple[float, float, float]) -> str:
            mol = embedded("CCO")
            conformer = mol.GetConformer()
            conformer.SetPositions(conformer.GetPositions() * np.array(factors))
            conformer.Set3D(True)
            return Chem.MolToMolBlock(mol)

        whole = changed((1, 1, 1))
        blocks = [whole] * 10 + [changed((0, 0, 0)), changed((10, 10, 10)), changed((1, 1, 0))]
        path = tmp_path / "some.sdf"
        path.write_text("".join(f"{block}$$$$\n" for block in blocks))
        loaded = Sdf(path=str(path)).load()
        assert len(loaded.rows) == 1
        assert loaded.skipped["repeated conformer"] == 9
        assert sum(loaded.skipped.values()) == 12
        assert loaded.skipped["bond lengths are not those of coordinates in ångström"] >= 2

    @pytest.mark.skipif(not SHARED.exists(), reason="no shared data")
    def test_a_published_file(self):
        loaded = Sdf(path=str(SHARED / "gdb1k.sdf"), limit=200).load()
        assert len(loaded.rows) == 200
        for n in range(50):
            assert identify(to_mol(loaded.rows.graph(n), [])) == loaded.rows.molecule[n]


@pytest.mark.skipif(importlib.util.find_spec("qm9pack") is None, reason="extra qm9 is not installed")
def test_qm9_by_its_package():
    source = Qm9(limit=30)
    loaded = source.load()
    assert len(loaded.rows) == 30
    assert source.identity() == Qm9(limit=30).identity() != Qm9(limit=31).identity()
    assert loaded.skipped == {}


class TestGeom:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "drugs").mkdir()
        index = {}
        for n, word in enumerate(WORDS):
            conformers = [
                {"rd_mol": embedded(word, seed), "boltzmannweight": weight}
                for seed, weight in ((1, 0.2), (2, 0.7), (3, 0.1))
            ]
            (tmp_path / "drugs" / f"{n}.pickle").write_bytes(pickle.dumps({"smiles": word, "conformers": conformers}))
            index[word] = {"pickle_path": f"drugs/{n}.pickle", "uniqueconfs": 3}
        (tmp_path / "summary_drugs.json").write_text(json.dumps(index))
        return tmp_path

    def test_pickles_are_refused_unless_allowed(self, folder):
        for ask in ("identity", "entries", "load"):
            with pytest.raises(ValueError, match=r"^source\.allow_pickle: .*can run any code"):
                getattr(GeomDrugs(path=str(folder)), ask)()

    def test_the_heaviest_conformers_are_taken(self, folder):
        source = GeomDrugs(path=str(folder), allow_pickle=True, conformers=2)
        rows = source.load().rows
        assert source.entries() * source.rows_each == len(rows) == 2 * len(WORDS)
        ethanol = np.flatnonzero(rows.molecule == identify(embedded("CCO")))
        best = embedded("CCO", 2).GetConformer().GetPositions()
        np.testing.assert_allclose(rows.place(ethanol[0]), best - best.mean(axis=0), atol=1e-5)

    def test_identity_follows_the_pickles(self, folder):
        source = GeomDrugs(path=str(folder), allow_pickle=True)
        before = source.identity()
        assert source.identity() == before
        (folder / "drugs" / "0.pickle").write_bytes(b"other")
        assert source.identity()["digest"] != before["digest"]

    def test_a_pickle_that_runs_code_is_not_run(self, folder):
        class Attack:
            def __reduce__(self):
                return os.mkdir, (str(folder / "owned"),)

        (folder / "drugs" / "0.pickle").write_bytes(pickle.dumps(Attack()))
        loaded = GeomDrugs(path=str(folder), allow_pickle=True).load()
        assert not (folder / "owned").exists()
        assert [reason for reason in loaded.skipped if reason.startswith("pickle names ")]

    def test_an_index_that_leaves_the_folder_is_refused(self, folder):
        (folder / "summary_drugs.json").write_text(json.dumps({"C": {"pickle_path": "../outside.pickle"}}))
        with pytest.raises(ValueError, match=r"points outside its folder"):
            GeomDrugs(path=str(folder), allow_pickle=True).load()


class TestHub:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A local dataset of the schema of the hub's QM9 copies."""
        from datasets import Dataset

        mols = [embedded(Chem.MolToSmiles(Chem.MolFromSmiles(word))) for word in WORDS]
        rows = {
            "smiles": [Chem.MolToSmiles(Chem.RemoveHs(m)) for m in mols],
            "atomic_numbers": [[a.GetAtomicNum() for a in m.GetAtoms()] for m in mols],
            "pos": [m.GetConformer().GetPositions().tolist() for m in mols],
        }
        (tmp_path / "qm9").mkdir()
        Dataset.from_dict(rows).to_parquet(str(tmp_path / "qm9" / "train.parquet"))
        return tmp_path / "qm9"

    def test_coordinates_by_column(self, folder):
        source = Hub(name=str(folder), atomic_numbers="atomic_numbers", positions="pos")
        assert source.entries() == len(source.load().rows) == len(WORDS)

    def test_identity_follows_the_rows(self, folder):
        from datasets import Dataset

        source = Hub(name=str(folder), atomic_numbers="atomic_numbers", positions="pos")
        before = source.identity()
        assert source.identity() == before
        rows = Dataset.from_parquet(str(folder / "train.parquet"), keep_in_memory=True)
        rows.select(range(4)).to_parquet(str(folder / "train.parquet"))
        assert source.identity()["digest"] != before["digest"]

    def test_conformers_of_smiles_alone(self, folder):
        loaded = Hub(name=str(folder), conformers=1, limit=3).load()
        assert len(loaded.rows) == 3

    def test_rows_without_coordinates_are_counted(self, folder):
        from datasets import Dataset

        rows = Dataset.from_parquet(str(folder / "train.parquet"), keep_in_memory=True).to_dict()
        rows["pos"][0], rows["atomic_numbers"][1] = None, None
        rows["pos"][2] = rows["pos"][2][:-1]
        rows["pos"][3][0] = [0.0, None, 0.0]
        rows["pos"][4][0] = [0.0, 0.0]
        Dataset.from_dict(rows).to_parquet(str(folder / "train.parquet"))
        loaded = Hub(name=str(folder), atomic_numbers="atomic_numbers", positions="pos").load()
        assert len(loaded.rows) == len(WORDS) - 5
        assert loaded.skipped == {
            "coordinates are not finite": 1,
            "coordinates are not three numbers for each atom": 2,
            "no coordinates": 2,
        }

    def test_a_missing_column_is_one_line(self, folder):
        with pytest.raises(
            ValueError, match=r"^source\.positions: no column 'xyz' .*columns: smiles, atomic_numbers, pos"
        ):
            Hub(name=str(folder), atomic_numbers="atomic_numbers", positions="xyz").entries()


def test_without_rdkit_the_default_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'^source: nci: needs rdkit, .*; pip install "collapse-sweep\[molecules\]"$'):
        DiffusionConfig().data_identity()
