"""What lies beside what in folders and archives of pictures: splits, classes, links, leftovers, and what is refused."""

import csv
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import trainables.sources.images.splits as splits
from trainables.sources.images import Images
from trainables.sources.images.files import Folder

SEED = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    splits._load.cache_clear()


def picture(value: int | None = None) -> bytes:
    pixels = SEED.integers(0, 256, (8, 8), dtype=np.uint8) if value is None else np.full((8, 8), value, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def some(folder: str, count: int) -> dict[str, bytes]:
    return {f"{folder}/{number:03}.png".lstrip("/"): picture() for number in range(count)}


def divided() -> dict[str, bytes]:
    train = some("train/a", 60) | some("train/b", 60)
    return train | some("test/a", 10) | some("test/b", 10)


def source(path: Path, **fields: Any) -> Folder:
    return Folder(path=str(path), size=8, channels=1, **{"validation": 0.2} | fields)


def load(path: Path, **fields: Any) -> Images:
    return splits.load(source(path, **fields))


def as_zip(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def as_tar(files: dict[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("folder", lambda files, path: write(path, files)),
        ("DATA.ZIP", as_zip),
        ("data.tar", as_tar),
        ("data.tar.gz", as_tar),
    ],
)
def test_what_train_and_test_folders_hold_out_stays_held_out(
    tmp_path: Path, name: str, make: Callable[[dict[str, bytes], Path], Path]
) -> None:
    files = {f"set/{name}": data for name, data in divided().items()}
    found = load(make(files, tmp_path / name))
    assert found.test.rows == 20
    assert found.train.rows + found.validation.rows == 120
    assert found.classes == 2
    tests = {Image.open(io.BytesIO(data)).tobytes() for name, data in files.items() if "/test/" in name}
    assert {row.tobytes() for row in found.test.pixels.array()} == tests


def test_parquet_files_and_saved_datasets_keep_their_splits(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})

    def table(count: int) -> datasets.Dataset:
        cells = [{"bytes": picture(), "path": None} for _ in range(count)]
        return datasets.Dataset.from_dict({"image": cells, "label": [n % 2 for n in range(count)]}, features=features)

    parts = datasets.DatasetDict(train=table(100), test=table(20), valid=table(10))
    parts.save_to_disk(tmp_path / "saved")
    (tmp_path / "hub" / "data").mkdir(parents=True)
    for split, rows in parts.items():
        rows.to_parquet(tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet")
    for name in ("saved", "hub"):
        found = load(tmp_path / name)
        assert (found.train.rows, found.test.rows, found.validation.rows, found.classes) == (100, 20, 10, 2)


def test_splits_beside_other_pictures_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "data", divided() | some("extra", 3) | some("", 1))
    with pytest.raises(
        ValueError, match=r"^source\.path: .* holds test, train and, of no split, extra, files at the top"
    ):
        load(root)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    root = write(tmp_path / "data", some("bus", 80) | some("train", 80))
    assert load(root).classes == 2


def test_pictures_at_the_top_leave_the_others_their_classes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = load(write(tmp_path / "data", some("a", 80) | some("b", 80) | some("", 20)))
    assert found.classes == 3
    assert "20 of 180 pictures have no class" in caplog.text


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_labels_file_that_covers_a_part_loses_no_picture(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    import pandas as pd

    files = some("", 200)
    names = list(files)[:150]
    frame = pd.DataFrame({"file_name": [*names, "gone.png"], "sex": [n % 2 for n in range(151)]})
    root = write(tmp_path / "data", files)
    {
        "csv": lambda path: frame.to_csv(path, index=False),
        "jsonl": lambda path: frame.to_json(path, orient="records", lines=True),
        "parquet": frame.to_parquet,
    }[suffix](root / f"metadata.{suffix}")
    found = load(root, label_column="sex")
    assert found.train.rows + found.test.rows + found.validation.rows == 200
    assert found.classes == 3
    assert found.skipped == {"corrupt": 0, "missing": 1, "repeated": 0}
    assert "50 of 200 pictures have no class" in caplog.text
    with pytest.raises(ValueError, match=r"^source\.label_column: no column 'age' in metadata\..*file_name, sex"):
        load(root, label_column="age")


def test_a_webdataset_has_its_classes(tmp_path: Path) -> None:
    files = {
        name: data
        for number in range(160)
        for name, data in ((f"{number:04}.png", picture()), (f"{number:04}.cls", str(number % 4).encode()))
    }
    assert load(as_tar(files, tmp_path / "shard.tar")).classes == 4


def test_links_to_class_folders_are_followed_once(tmp_path: Path) -> None:
    real = write(tmp_path / "real", some("a", 80) | some("b", 80))
    root = tmp_path / "data"
    root.mkdir()
    for name in "ab":
        (root / name).symlink_to(real / name)
    (root / "b" / "up").symlink_to(root)
    found = load(root)
    assert found.train.rows + found.test.rows + found.validation.rows == 160
    before = source(root).digest()
    write(real, {"a/000.png": picture()})
    assert source(root).digest() != before


def test_leftovers_of_desktops_are_no_part_of_the_data(tmp_path: Path) -> None:
    root = write(tmp_path / "data", some("a", 3))
    before = source(root).digest()
    write(root, {".DS_Store": b"x", "a/._000.png": b"y", "a/Thumbs.db": b"z", "__MACOSX/a/000.png": b"q"})
    assert source(root).digest() == before
    assert source(root).read()["all"].pixels.rows == 3
    write(root, {"a/new.png": picture()})
    assert source(root).digest() != before


def test_pictures_are_counted_by_the_reason_why_they_are_left_out(tmp_path: Path) -> None:
    import datasets

    whole = picture()
    cells = [
        *({"bytes": data, "path": None} for data in (whole, whole[:-40], b"text", b"", None)),
        *({"bytes": None, "path": place} for place in (str(tmp_path / "gone.png"), "http://127.0.0.1:9/x.png")),
    ]
    datasets.Dataset.from_dict({"image": cells}).to_parquet(tmp_path / "t.parquet")
    found = source(tmp_path / "t.parquet").read()["all"]
    assert found.pixels.rows == 1
    expected = {"corrupt": 2, "unknown_format": 1, "empty": 1, "missing": 1, "not_fetched": 1}
    assert found.left_out == expected


@pytest.mark.parametrize(
    ("cell", "rows"), [(list(range(196)) * 4, 1), ([0.5] * 784, 0), ([1] * 783, 0), ([[1, 2], [3]], 0), (7, 0)]
)
def test_columns_of_numbers_are_squares_or_counted(tmp_path: Path, cell: Any, rows: int) -> None:
    import datasets

    datasets.Dataset.from_dict({"image": [cell]}).to_parquet(tmp_path / "t.parquet")
    found = Folder(path=str(tmp_path / "t.parquet"), size=28, channels=1).read()["all"]
    assert (found.pixels.rows, found.left_out) == (rows, {} if rows else {"not_pixels": 1})
    if rows:
        assert found.pixels.array().ravel().tolist() == cell


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.png": b"x", "t.parquet": b"y"}, "holds 1 pictures and 1 Parquet files"),
        ({"a.tar": b"x", "b.tar": b"x", "c": b""}, r"no images can be read at .* \(file could not be opened"),
        ({"a.zip": b"x", "b.zip": b"x", "c": b""}, r"no pictures in .* \(it holds 2 × \.zip, 1 × no ending\)"),
        ({"a.tar": b"x", "b.zip": b"x", "c.png": b"x"}, r"holds 1 pictures and 2 archives \(a\.tar\); name the one or"),
        ({}, "no pictures in .*it holds nothing"),
    ],
)
def test_what_holds_no_pictures_says_what_it_holds(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(ValueError, match=r"^source\.path: .*" + message):
        source(write(tmp_path / "data", files)).read()


def test_files_that_are_something_else_are_one_line(tmp_path: Path) -> None:
    write(tmp_path, {"notes.txt": b"x", "a.zip": b"no zip", "a.tgz": b"no tar"})
    for name, message in (("notes.txt", "is neither"), ("a.zip", "not a zip"), ("a.tgz", "can be read at")):
        with pytest.raises(ValueError, match=rf"^source\.path: .*{message}"):
            source(tmp_path / name).read()


def test_labels_that_are_lists_are_refused(tmp_path: Path) -> None:
    import datasets

    rows = {"image": [{"bytes": picture(), "path": None}], "label": [[1, 2]]}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"^source\.label_column: 'label' holds lists or records"):
        source(tmp_path / "t.parquet").read()


def test_idx_is_cropped_and_has_no_columns(tmp_path: Path) -> None:
    pixels = np.zeros((3, 28, 28), np.uint8)
    pixels[:, 10:18, 10:18] = 9
    head = bytes([0, 0, 8, 3]) + np.array(pixels.shape, ">u4").tobytes()
    path = write(tmp_path, {"x-idx3-ubyte": head + pixels.tobytes()}) / "x-idx3-ubyte"
    assert (source(path, crop=8).read()["all"].pixels.array() == 9).all()
    with pytest.raises(ValueError, match=r"^source\.label_column: IDX has no columns"):
        source(path, label_column="label").read()


def test_metadata_without_names_is_refused(tmp_path: Path) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["name", "label"], ["a.png", "x"]])
    root = write(tmp_path / "data", {"a.png": picture(), "metadata.csv": text.getvalue().encode()})
    with pytest.raises(
        ValueError, match=r"^source\.path: metadata\.csv has no column 'file_name' \(columns: name, label\)"
    ):
        source(root).read()


def as_shards(parts: dict[str, dict[str, bytes]], folder: Path) -> Path:
    folder.mkdir()
    for name, files in parts.items():
        as_tar(files, folder / name)
    return folder


def samples(first: int, count: int) -> dict[str, bytes]:
    numbers = range(first, first + count)
    return {f"{n:05}.png": picture() for n in numbers} | {f"{n:05}.cls": f"{n % 3}".encode() for n in numbers}


def test_several_tars_of_a_folder_are_one_source(tmp_path: Path) -> None:
    parts = {f"{number:06}.tar": samples(40 * number, 40) for number in range(4)}
    found = load(as_shards(parts, tmp_path / "shards"))
    assert found.classes == 3
    assert found.train.rows + found.validation.rows + found.test.rows == 160
    whole = load(as_tar({name: data for files in parts.values() for name, data in files.items()}, tmp_path / "one.tar"))
    for split in ("train", "validation", "test"):
        ours, theirs = getattr(found, split), getattr(whole, split)
        rows = [sorted(pixels.tobytes() for pixels in part.pixels.array()) for part in (ours, theirs)]
        assert rows[0] == rows[1], split


def test_shards_say_what_is_held_out_and_folders_in_them_the_classes(tmp_path: Path) -> None:
    parts = {"train-0.tar": some("a", 30) | some("b", 30), "train-1.tar": some("a", 30), "val-0.tar.gz": some("b", 12)}
    found = load(as_shards(parts, tmp_path / "shards"), test=0.2)
    assert (found.classes, found.validation.rows) == (2, 12)
    assert found.train.rows + found.test.rows == 90


def test_one_tar_is_open_at_a_time(tmp_path: Path) -> None:
    import os

    from trainables.sources.images.archives import opened

    parts = {f"{number:06}.tar": some("", 2) for number in range(30)}
    folder, before = as_shards(parts, tmp_path / "shards"), len(os.listdir("/proc/self/fd"))
    with opened(str(folder)) as shelf:
        assert all(shelf.read(name) for name in shelf.sizes)
        assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert len(os.listdir("/proc/self/fd")) <= before + 1
