"""Image sources: what they read, how they split, what they count, and what names them."""

import gzip
import io
import os
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import trainables.sources.images.splits as splits
from trainables.sources.images import IMAGE_SOURCES, Digits, Pixels
from trainables.sources.images.decode import Unreadable, decode, square
from trainables.sources.images.embedded import Mnist5k
from trainables.sources.images.files import Folder, read_idx
from trainables.sources.images.hub import CelebA, Hub

DATA = Path(os.environ.get("COLLAPSE_SWEEP_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")) / "images"
needs_mnist = pytest.mark.skipif(not DATA.exists(), reason="no real data at COLLAPSE_SWEEP_DATA")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """Decoded images and read sources are kept per test."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    splits._load.cache_clear()


def pictures(count, side=8, channels=1, seed=0):
    """Random images and their labels."""
    rng = np.random.default_rng(seed)
    shape = (count, side, side) if channels == 1 else (count, side, side, channels)
    return rng.integers(0, 256, shape, dtype=np.uint8), np.arange(count) % 3


def encoded(image, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(image).save(file, format=form)
    return file.getvalue()


def write_folder(root, images, labels):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        (root / str(label) / f"{number:04}.png").write_bytes(encoded(image))
    return root


def contents(images):
    """The set of every split's images, by content."""
    return {name: {row.tobytes() for row in getattr(images, name).pixels.array()} for name in splits.SPLITS}


@pytest.mark.parametrize(("source", "rows", "side"), [(Digits(), 1797, 8), (Mnist5k(), 5000, 28)])
def test_embedded_sources_hold_all_their_images_once(source, rows, side):
    images = splits.load(source)
    parts = contents(images)
    assert sum(map(len, parts.values())) == rows
    assert len(set.union(*parts.values())) == rows
    assert images.train.pixels.shape == (side, side, 1)
    assert images.classes == 10
    assert images.skipped == {"corrupt": 0, "repeated": 0}
    assert len(parts["test"]) / rows == pytest.approx(0.1, abs=0.03)
    assert len(parts["validation"]) / rows == pytest.approx(0.05, abs=0.02)


def test_embedded_identity_needs_no_reading(monkeypatch):
    monkeypatch.setattr(Digits, "arrays", lambda self: pytest.fail("read"))
    assert Digits().identity() != Digits(size=16).identity() != Digits(channels=3).identity()


def test_embedded_data_that_changed_is_refused(monkeypatch):
    monkeypatch.setattr(Digits, "arrays", lambda self: pictures(50))
    with pytest.raises(ValueError, match=r"^source: digits as installed has digest"):
        splits.load(Digits())


def test_digits_can_be_resized_and_coloured():
    images = splits.load(Digits(size=16, channels=3))
    assert images.train.pixels.shape == (16, 16, 3)


def test_folder_counts_corrupt_and_repeated_images_and_says_so(tmp_path, caplog):
    images, labels = pictures(200)
    root = write_folder(tmp_path / "data", images, labels)
    whole = encoded(images[0])
    (root / "0" / "nonsense.png").write_bytes(b"no picture")
    (root / "1" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "1" / "empty.png").write_bytes(b"")
    (root / "2" / "copy.png").write_bytes(whole)
    (root / "notes.txt").write_text("not an image")
    found = splits.load(Folder(path=str(root), size=8, channels=1))
    assert found.skipped == {"corrupt": 2, "unknown_format": 1, "repeated": 1}
    assert found.train.rows + found.validation.rows + found.test.rows == 200
    assert found.classes == 3
    assert "2 corrupt and 1 unknown format and 1 repeated" in caplog.text


def test_folder_zip_parquet_and_saved_dataset_hold_the_same_images(tmp_path):
    import datasets

    images, labels = pictures(150)
    root = write_folder(tmp_path / "data", images, labels)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, file.relative_to(root))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    cells = [{"bytes": encoded(image), "path": None} for image in images]
    table = datasets.Dataset.from_dict({"image": cells, "label": labels}, features=features)
    table.to_parquet(tmp_path / "data.parquet")
    table.save_to_disk(tmp_path / "saved")
    paths = [root, tmp_path / "data.zip", tmp_path / "data.parquet", tmp_path / "saved"]
    found = [splits.load(Folder(path=str(path), size=8, channels=1)) for path in paths]
    assert all(contents(other) == contents(found[0]) for other in found)
    assert all(other.classes == 3 for other in found)


def test_identity_is_the_content_wherever_it_lies(tmp_path):
    root = write_folder(tmp_path / "one", *pictures(5))
    shutil.copytree(root, tmp_path / "two")
    one, two = (Folder(path=str(tmp_path / name), size=8, channels=1) for name in ("one", "two"))
    assert one.identity() == two.identity()
    assert str(tmp_path) not in str(one.identity())
    (tmp_path / "two" / "0" / "0000.png").write_bytes(encoded(pictures(1, seed=9)[0][0]))
    assert one.identity() != two.identity()
    assert one.identity() != Folder(path=str(root), size=16, channels=1).identity()


def test_a_damaged_zip_member_is_a_corrupt_image(tmp_path):
    images, _ = pictures(150)
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, image in enumerate(images):
            archive.writestr(f"{number}.png", encoded(image))
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    assert splits.load(Folder(path=str(path), size=8, channels=1)).skipped["corrupt"] == 1


def celeba(root, count=60):
    """A local dataset of CelebA's schema (image 178×218, celeb_id, attributes) and splits."""
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "celeb_id": datasets.Value("int64"), "Eyeglasses": datasets.Value("bool")}
    )

    def part(seed, rows):
        rng = np.random.default_rng(seed)
        faces = rng.integers(0, 256, (rows, 218, 178, 3), dtype=np.uint8)
        cells = [{"bytes": encoded(face, "JPEG"), "path": None} for face in faces]
        columns = {"image": cells, "celeb_id": list(range(rows)), "Eyeglasses": [n % 5 == 0 for n in range(rows)]}
        return datasets.Dataset.from_dict(columns, features=features)

    train = part(0, count)
    leaking = datasets.concatenate_datasets([part(1, 10), train.select([3])])
    datasets.DatasetDict({"train": train, "valid": part(2, 10), "test": leaking}).save_to_disk(root)
    return str(root)


def test_celeba_keeps_its_splits_and_drops_training_images_that_are_held_out(tmp_path):
    found = splits.load(CelebA(name=celeba(tmp_path / "celeba")))
    assert (found.train.rows, found.validation.rows, found.test.rows) == (59, 10, 11)
    assert found.skipped == {"corrupt": 0, "repeated": 1}
    assert found.train.pixels.shape == (64, 64, 3)
    assert found.classes == 2
    parts = contents(found)
    assert not parts["train"] & (parts["test"] | parts["validation"])


def test_hub_takes_any_column_and_carves_missing_splits(tmp_path):
    name = celeba(tmp_path / "faces", count=250)
    found = splits.load(Hub(name=name, size=16, channels=1, label_column=None, crop=100))
    assert found.train.rows + found.validation.rows + found.test.rows == 250
    assert found.classes == 0
    assert found.train.labels is None


def test_a_remote_dataset_is_named_by_revision_without_a_look_at_it():
    one, other = Hub(name="owner/set", revision="a"), Hub(name="owner/set", revision="b")
    assert one.identity() != other.identity()
    assert CelebA().known_rows() == 162_770


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Folder(path="/no/such/place"), r"^source\.path: no such file or folder: '/no/such/place'"),
        (Hub(name="owner/set"), r"^source\.name: split 'train' of 'owner/set' can't be read"),
    ],
)
def test_what_is_not_there_is_named(source, message):
    with pytest.raises(ValueError, match=message):
        splits.load(source)


def test_too_few_images_are_refused_with_the_count(tmp_path):
    root = write_folder(tmp_path / "few", *pictures(20))
    with pytest.raises(ValueError, match=r"^source: folder gives .* at least 8 must be held out for each"):
        splits.load(Folder(path=str(root), size=8, channels=1))


def test_a_missing_column_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match="no column 'Hat' among image, celeb_id, Eyeglasses"):
        splits.load(Hub(name=celeba(tmp_path / "faces"), label_column="Hat"))


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_idx_files_gzipped_or_not(tmp_path):
    images, labels = pictures(150)
    (tmp_path / "images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (tmp_path / "labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))
    both = [
        splits.load(Folder(path=str(tmp_path / name), labels=str(tmp_path / "labels-idx1-ubyte"), size=8, channels=1))
        for name in ("images-idx3-ubyte", "images-idx3-ubyte.gz")
    ]
    assert contents(both[0]) == contents(both[1])
    assert both[0].classes == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00\x00\x08\x01\x00\x00\x00\x02ab", "no IDX file of unsigned bytes with 3 dimensions"),
        (idx(np.zeros((4, 8, 8), np.uint8))[:-1], "holds 255 bytes of data, not 256"),
        (b"", "no IDX file"),
    ],
)
def test_a_broken_idx_file_is_refused(tmp_path, data, message):
    path = tmp_path / "x-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_idx(str(path), dimensions=3)


def test_idx_labels_must_match_the_images(tmp_path):
    (tmp_path / "a-idx3-ubyte").write_bytes(idx(pictures(30)[0]))
    (tmp_path / "b-idx1-ubyte").write_bytes(idx(np.zeros(29, np.uint8)))
    source = Folder(path=str(tmp_path / "a-idx3-ubyte"), labels=str(tmp_path / "b-idx1-ubyte"), size=8, channels=1)
    with pytest.raises(ValueError, match=r"^source\.labels: 29 labels for 30 images"):
        splits.load(source)


@needs_mnist
def test_mnist_test_images_from_their_own_files():
    source = Folder(
        path=str(DATA / "mnist_t10k-images-idx3-ubyte.gz"),
        labels=str(DATA / "mnist_t10k-labels-idx1-ubyte.gz"),
        size=28,
        channels=1,
    )
    found = splits.load(source)
    assert found.train.rows + found.validation.rows + found.test.rows == 10_000
    assert found.classes == 10


def test_the_centre_is_cropped_and_resized():
    image = np.zeros((40, 60), np.uint8)
    image[10:30, 20:40] = 255
    assert square(Image.fromarray(image), 10, 1, crop=20).min() == 255
    whole = square(Image.fromarray(image), 40, 3)
    assert whole.shape == (40, 40, 3)
    assert np.array_equal(whole[..., 0], image[:, 10:50])


def test_sixteen_bit_greys_are_scaled():
    image = Image.fromarray(np.full((8, 8), 65535, np.uint16))
    assert square(image, 8, 1).min() == 255


@given(data=st.data(), form=st.sampled_from(["PNG", "JPEG", "GIF", "BMP"]))
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_never_raise(data, form):
    """Pillow's own warnings about damage aside, a damaged file is an image or unreadable."""
    whole = bytearray(encoded(pictures(1, side=16)[0][0], form))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        found = decode(bytes(whole[:cut]), 8, 1, None)
    except Unreadable:
        return
    assert found.shape == (8, 8, 1)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_pixels_are_taken_and_joined_like_arrays(sizes, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.integers(0, 256, (size, 2, 2, 1), dtype=np.uint8) for size in sizes]
    whole = np.concatenate(arrays)
    joined = Pixels.join([Pixels.of(array) for array in arrays])
    index = rng.integers(0, max(len(whole), 1), 7 if len(whole) else 0)
    again = rng.permutation(len(index))
    assert np.array_equal(joined.array(), whole)
    assert np.array_equal(joined.take(index).gather(again), whole[index][again])
    assert np.array_equal(Pixels.from_table(joined.take(index).table(), (2, 2, 1)).array(), whole[index])


def test_every_registered_source_is_a_source():
    for kind in IMAGE_SOURCES:
        assert IMAGE_SOURCES.get(kind).model_fields["kind"].default == kind


def drawing(shade: int, size: int = 12) -> Image.Image:
    return Image.fromarray(np.full((size, size, 3), shade, np.uint8))


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tiff", "webp", "ppm", "tga", "ico", "pcx", "avif"])
def test_pictures_of_every_format_are_read(ending: str, tmp_path: Path) -> None:
    """Pillow 13 knows no format "MPO" when it opens: named among those to try, it ends every other in a KeyError."""
    for number, shade in enumerate((10, 90, 170)):
        drawing(shade, 16).save(tmp_path / f"{number}.{ending}")
    found = Folder(path=str(tmp_path), size=8).read()["all"]
    assert (found.pixels.rows, found.left_out) == (3, {})
    shades = sorted(float(row.mean()) for row in found.pixels.gather(np.arange(3)))
    assert np.allclose(shades, [10, 90, 170], atol=4)


def test_a_transparent_picture_lies_on_white(tmp_path: Path) -> None:
    """A black drawing on a transparent ground, whose hidden colour is black as well."""
    alpha = np.zeros((8, 8, 4), np.uint8)
    alpha[2:4, 2:4, 3] = 255
    Image.fromarray(alpha).save(tmp_path / "a.png")
    Image.fromarray(alpha).convert("LA").save(tmp_path / "b.png")
    for row in Folder(path=str(tmp_path), size=8, channels=1).read()["all"].pixels.gather(np.arange(2)):
        assert (row[2:4, 2:4] == 0).all()
        assert (row[5:] == 255).all()


def extracted(folder: Path, shade: int) -> Folder:
    """A folder as unpacking an archive leaves it: times of modification are the archive's, not today's."""
    folder.mkdir(exist_ok=True)
    for number in range(3):
        drawing(shade).save(folder / f"{number}.bmp")  # of equal size whatever it shows
        os.utime(folder / f"{number}.bmp", (1_600_000_000, 1_600_000_000))
    return Folder(path=str(folder), size=8)


def test_other_content_at_the_same_place_is_decoded_again(tmp_path: Path) -> None:
    before = extracted(tmp_path / "a", 10)
    one, digest = before.read()["all"].pixels.gather(np.arange(3)), before.digest()
    after = extracted(tmp_path / "a", 200)
    assert after.digest() != digest
    assert (one == 10).all()
    assert (after.read()["all"].pixels.gather(np.arange(3)) == 200).all()


def test_a_table_replaced_by_another_is_read_again(tmp_path: Path) -> None:
    import datasets

    path = tmp_path / "a.parquet"
    for shade in (10, 200):
        rows = [{"bytes": as_bytes(drawing(shade)), "path": "x"}] * 3
        datasets.Dataset.from_dict({"image": rows}).to_parquet(path)
        os.utime(path, (1_600_000_000, 1_600_000_000))
        found = Folder(path=str(path), size=8).read()["all"].pixels.gather(np.arange(3))
        assert (found == shade).all()


def test_a_mended_decoder_makes_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = extracted(tmp_path / "a", 10)
    before = source.identity()
    monkeypatch.setattr("trainables.sources.images.files.VERSION", 99)
    assert source.identity() != before


def as_bytes(picture: Image.Image) -> bytes:
    held = io.BytesIO()
    picture.save(held, "bmp")
    return held.getvalue()
