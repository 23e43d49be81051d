"""Files that are cut short or garbled: one line names the file, whatever packed it; damaged entries are counted."""

import bz2
import gzip
import io
import lzma
import pickle
import random
import struct
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from trainables.sources.damage import damage
from trainables.sources.images.archives import opened
from trainables.sources.images.files import Folder, read_idx
from trainables.sources.molecules.files import Npz, Sdf, from_coordinates
from trainables.sources.molecules.geom import GeomDrugs
from trainables.sources.molecules.graph import Collector, Unusable
from trainables.sources.molecules.smiles import Smiles
from trainables.sources.tables.files import TableFile
from trainables.sources.text.files import TextFile

PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
ROWS = "x,smiles,target\n" + "".join(
    f"{number**3 % 1009},C{'C' * (number % 7)}O,{number % 2}\n" for number in range(300)
)
READERS = {
    "table": lambda path: TableFile(path=path).read(),
    "text": lambda path: list(TextFile(path=path, separator="\n").read()["all"]),
    "smiles": lambda path: Smiles(path=path).words(),
    "sdf": lambda path: Sdf(path=path).entries(),
}


def garbled(data: bytes, seed: int) -> bytes:
    """Half of it, or all with three bytes changed."""
    rng, changed = random.Random(seed), bytearray(data)
    if seed % 2:
        return data[: len(data) // 2]
    for _ in range(3):
        changed[rng.randrange(len(data) // 4, len(data) - 8)] ^= 1 + rng.randrange(255)
    return bytes(changed)


def line_of(problem: pytest.ExceptionInfo[ValueError], path: Path) -> str:
    said = str(problem.value)
    assert said.startswith("source.path: ")
    assert repr(str(path)) in said
    assert "\n" not in said
    return said


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_packed_file_is_named_in_a_line(kind: str, ending: str, seed: int, tmp_path: Path) -> None:
    path = tmp_path / f"rows.csv.{ending}"
    path.write_bytes(garbled(PACKERS[ending](ROWS.encode()), seed))
    with pytest.raises(ValueError, match=r"^source\.path: ") as problem:
        READERS[kind](str(path))
    line_of(problem, path)


def test_zstandards_error_is_damage_where_it_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZstdError(Exception):
        pass

    assert ZstdError not in damage()
    monkeypatch.setitem(sys.modules, "zstandard", SimpleNamespace(ZstdError=ZstdError))
    assert issubclass(ZstdError, damage(ValueError))
    assert issubclass(ValueError, damage(ValueError))
    assert {OSError, EOFError, lzma.LZMAError} < set(damage())


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_packed_idx_file_is_named_in_a_line(seed: int, tmp_path: Path) -> None:
    path, pixels = tmp_path / "x-idx3-ubyte.gz", np.random.default_rng(0).integers(0, 9, (30, 8, 8), dtype=np.uint8)
    path.write_bytes(
        garbled(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 30, 8, 8) + pixels.tobytes()), seed)
    )
    with pytest.raises(ValueError, match=r"^source\.path: ") as problem:
        read_idx(str(path), 3)
    line_of(problem, path)


@pytest.mark.parametrize("shape", [(0, 28, 28), (3, 0, 8), (3, 8, 0)])
def test_an_idx_file_without_a_pixel_says_its_dimensions(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "x-idx3-ubyte"
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", *shape))
    with pytest.raises(ValueError, match=r"^source\.path: ") as problem:
        Folder(path=str(path), size=8).read()
    said = f"source.path: {str(path)!r} holds nothing: its dimensions are {shape[0]}, {shape[1]}, {shape[2]}"
    assert line_of(problem, path) == said


def arrays(pack: bool) -> bytes:
    data, rng = io.BytesIO(), np.random.default_rng(0)
    save = np.savez_compressed if pack else np.savez
    save(data, z=rng.integers(1, 9, 200), pos=rng.random((200, 3)), n_atoms=np.full(20, 10))
    return data.getvalue()


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_npz_file_is_named_in_a_line(seed: int, pack: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(garbled(arrays(pack), seed))
    with pytest.raises(ValueError, match=r"^source\.path: .* is no \.npz file of plain arrays \(") as problem:
        Npz(path=str(path)).entries()
    line_of(problem, path)


def test_a_lone_array_is_no_npz_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r" is no \.npz file of plain arrays \(") as problem:
        Npz(path=str(path)).entries()
    line_of(problem, path)


def test_parquet_whose_text_is_no_utf_8_is_named_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = pa.StringArray.from_buffers(2, pa.py_buffer(struct.pack("<3i", 0, 3, 6)), pa.py_buffer(b"one\xff\xfe\xfd"))
    parquet.write_table(pa.table({"text": texts}), path)
    with pytest.raises(ValueError, match=r"can't be read as parquet \('utf-8' codec can't decode byte 0xff") as problem:
        list(TextFile(path=str(path)).read()["all"])
    line_of(problem, path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_of_a_zip_is_empty_and_the_others_are_whole(packing: int, tmp_path: Path) -> None:
    files = {f"{number}.png": random.Random(number).randbytes(400) for number in range(3)}
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, held in files.items():
            archive.writestr(name, held)
        start = archive.infolist()[1].header_offset
    data = bytearray(path.read_bytes())
    for place in range(start + 60, start + 120):
        data[place] ^= 0x5A
    path.write_bytes(data)
    with opened(str(path)) as shelf:
        assert {name: shelf.read(name) for name in shelf.sizes} == files | {"1.png": b""}


@pytest.mark.parametrize("ending", ["tar", "tgz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_tar_loses_pictures_or_is_named_in_a_line(ending: str, seed: int, tmp_path: Path) -> None:
    modes = {"tar": "w", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}
    path, held = tmp_path / f"a.{ending}", random.Random(0).randbytes(400)
    with tarfile.open(path, modes[ending]) as archive:
        for number in range(6):
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(held)
            archive.addfile(member, io.BytesIO(held))
    path.write_bytes(garbled(path.read_bytes(), seed))
    (told,) = Folder(path=str(path), size=8).notes()
    assert told.startswith(f"source.path: no images can be read at {str(path)!r} (") or "pictures looked at" in told
    assert "\n" not in told


def ethanol() -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    return mol


def added(data: bytes) -> str:
    """Why GEOM's reader leaves an entry out; empty where it does not."""
    try:
        GeomDrugs(path="x", allow_pickle=True)._add(Collector(), data)
    except Unusable as reason:
        return str(reason)
    return ""


@pytest.mark.filterwarnings("ignore")
def test_a_pickle_of_which_bytes_are_changed_is_counted_whatever_it_raises() -> None:
    """Overflows, memory errors, calls of texts, attributes of numbers: bytes of a pickle are a program."""
    data = pickle.dumps({"smiles": "CCO", "conformers": [{"rd_mol": ethanol(), "boltzmannweight": 0.3}]})
    assert added(data) == ""
    rng, reasons = random.Random(0), set()
    for _ in range(250):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(min(len(data), 120))] = rng.randrange(256)
        reasons.add(added(bytes(changed)))
    assert {"damaged pickle", "pickle without conformers"} < reasons


@pytest.mark.parametrize(
    "held",
    [None, [3], [{}], [{"rd_mol": None}], [{"rd_mol": ethanol(), "boltzmannweight": None}], [{"rd_mol": "CCO"}]],
)
def test_a_record_whose_conformers_are_none_is_counted(held: object) -> None:
    assert added(pickle.dumps({"conformers": held})) == "pickle without conformers"
    assert added(pickle.dumps({"conformers": [{"rd_mol": Chem.MolFromSmiles("CC")}]})) == "pickle without conformers"


@pytest.mark.parametrize("number", [-1, 0, 119, 300])
def test_a_number_that_no_element_has_is_counted(number: int) -> None:
    mol = ethanol()
    z = np.array([number, *(atom.GetAtomicNum() for atom in mol.GetAtoms())][: mol.GetNumAtoms()])
    place = mol.GetConformer().GetPositions().astype(np.float32)
    for smiles in ("CCO", None):
        loaded = from_coordinates([(z, place, smiles)], None)
        assert loaded.skipped == {"no such atomic number": 1}
        assert len(loaded.rows) == 0
