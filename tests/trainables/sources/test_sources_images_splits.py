"""Which image is held out, what repeats, which classes there are: by hashes and hand, on a source that holds arrays."""

import hashlib
from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

import trainables.sources.images.splits as splits
from trainables.sources.images.base import ImageSource, Labelled
from trainables.sources.images.layout import bare, by_split, classes, is_leftover, is_picture
from trainables.sources.images.pixels import Pixels

NUMBER = count()


class Held(ImageSource):
    """Arrays in memory."""

    kind: Literal["held"] = "held"
    parts: ClassVar[dict[str, Mapping[str, Labelled]]] = {}
    name: str

    def digest(self) -> str:
        return self.name

    def read(self) -> Mapping[str, Labelled]:
        return self.parts[self.name]


def held(test_share: float = 0.1, validation_share: float = 0.05, **parts: Labelled) -> Held:
    name = str(next(NUMBER))
    Held.parts[name] = parts
    return Held(name=name, size=8, channels=1, test=test_share, validation=validation_share)


def images(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, 8, 8, 1), dtype=np.uint8)


def part(pixels: np.ndarray, labels: Any = None, **left_out: int) -> Labelled:
    return Labelled(Pixels.of(pixels), None if labels is None else np.array(labels), left_out)


def share(image: np.ndarray) -> float:
    return int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], "big") / 2**64


def rows_of(split: splits.Split) -> list[bytes]:
    return [row.tobytes() for row in split.pixels.array()]


def test_an_image_is_held_out_by_the_hash_of_its_pixels() -> None:
    pixels = images(200)
    found = splits.load(held(0.3, 0.2, all=part(pixels)))
    places = [share(image) for image in pixels]
    sides = {
        "test": [p < 0.3 for p in places],
        "validation": [0.3 <= p < 0.5 for p in places],
        "train": [p >= 0.5 for p in places],
    }
    for name, side in sides.items():
        assert rows_of(getattr(found, name)) == [row.tobytes() for row in pixels[side]], name


def test_a_split_of_its_own_is_kept_whole_and_no_share_is_taken_for_it() -> None:
    train, test = images(150), images(12, seed=1)
    found = splits.load(held(validation_share=0.2, train=part(train), test=part(test)))
    assert rows_of(found.test) == [row.tobytes() for row in test]
    places = np.array([share(image) for image in train])
    assert rows_of(found.validation) == [row.tobytes() for row in train[places < 0.2]]
    assert found.train.rows == (places >= 0.2).sum()


def test_of_equal_images_the_test_one_stays_then_that_to_validate_on_and_the_first_of_its_split() -> None:
    test, validation, train = images(10, 1), images(10, 2), images(20, 3)
    source = held(
        train=part(np.concatenate([train, test[:2], validation[:3], train[:1]]), np.arange(26)),
        validation=part(np.concatenate([validation, test[:1]]), np.arange(11)),
        test=part(np.concatenate([test, test[:4]]), np.arange(14)),
    )
    found = splits.load(source)
    assert (found.train.rows, found.validation.rows, found.test.rows) == (20, 10, 10)
    assert found.skipped == {"corrupt": 0, "repeated": 2 + 3 + 1 + 1 + 4}
    assert found.train.labels.tolist() == list(range(20))


def test_what_was_left_out_is_summed_over_splits_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    source = held(
        train=part(images(10), corrupt=1, too_large=2),
        test=part(images(10, 1), corrupt=2),
        validation=part(images(10, 2), empty=1),
    )
    assert splits.load(source).skipped == {"corrupt": 3, "too_large": 2, "empty": 1, "repeated": 0}
    assert "held: 3 corrupt and 2 too large and 1 empty images are left out" in caplog.text


def three(labels: Mapping[str, Any]) -> Held:
    return held(**{name: part(images(len(labels[name]), seed), labels[name]) for seed, name in enumerate(labels)})


def test_classes_are_numbered_in_their_order_alike_in_all_splits() -> None:
    """ "dog" is in no training image, and still the second of three."""
    found = splits.load(three({"test": ["dog", "cat"] * 4, "validation": ["fox"] * 8, "train": ["fox", "cat"] * 5}))
    assert found.classes == 3
    assert found.test.labels.tolist() == [1, 0] * 4
    assert found.validation.labels.tolist() == [2] * 8
    assert found.train.labels.tolist() == [2, 0] * 5


def test_labels_of_some_splits_alone_are_none() -> None:
    source = held(train=part(images(9)), test=part(images(9, 1), [1] * 9), validation=part(images(9, 2), [1] * 9))
    found = splits.load(source)
    assert found.classes == 0
    assert found.train.labels is found.test.labels is found.validation.labels is None


def test_a_thousand_classes_are_the_most() -> None:
    few, many = (three({"test": range(8), "validation": range(8), "train": range(n)}) for n in (1000, 1001))
    assert splits.load(few).classes == 1000
    with pytest.raises(ValueError, match=r"^source: held has 1001 labels; classes number 1000 at most$"):
        splits.load(many)


@pytest.mark.parametrize(("rows", "refused"), [((1, 8, 8), False), ((1, 7, 8), True), ((1, 8, 7), True)])
def test_eight_images_are_the_fewest_that_are_held_out(rows: tuple[int, int, int], refused: bool) -> None:
    names = ("train", "validation", "test")
    parts = {name: part(images(n, seed)) for seed, (name, n) in enumerate(zip(names, rows, strict=True))}
    source = held(**parts)
    if not refused:
        assert splits.load(source).train.rows == 1
        return
    with pytest.raises(ValueError, match=r"^source: held gives ") as problem:
        splits.load(source)
    assert str(problem.value) == (
        f"source: held gives 1 for train, {rows[1]} for validation, {rows[2]} for test (none left out); at least 8 "
        "must be held out for each"
    )


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a.png", True),
        ("deep/er/A.JPeG", True),
        ("a.heic", True),
        ("a.png.txt", False),
        ("a.", False),
        (".a.png", False),
        ("._a/b.png", False),
        ("__MACOSX/a.png", False),
        ("Thumbs.db", False),
        ("../a.png", True),
    ],
)
def test_a_picture_is_one_by_its_ending_and_where_it_lies(name: str, picture: bool) -> None:
    assert is_picture(name) == picture


def test_leftovers_are_hidden_or_a_desktops_at_any_depth() -> None:
    assert all(map(is_leftover, (".x", "a/.x/b", "a/Desktop.INI", "ehthumbs.db", "__macosx/a")))
    assert not any(map(is_leftover, ("a", "./a", "a/thumbs.db.png", "..")))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["x/y/a", "x/y/b"], ["a", "b"]),
        (["x/y/a", "x/z/b"], ["y/a", "z/b"]),
        (["x/a", "b"], ["x/a", "b"]),
        (["x/a"], ["a"]),
        (["x/xy/a", "x/xz/b"], ["xy/a", "xz/b"]),
        ([], []),
    ],
)
def test_folders_that_all_names_share_tell_nothing(names: list[str], found: list[str]) -> None:
    assert list(bare(names).values()) == found


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["train/a", "val/b", "TRAIN/c"], {"train": ["train/a", "TRAIN/c"], "validation": ["val/b"]}),
        (["x/training/a", "x/testing/b"], {"train": ["x/training/a"], "test": ["x/testing/b"]}),
        (["train/a", "dev/b", "test/c"], {"test": ["test/c"], "train": ["train/a"], "validation": ["dev/b"]}),
        (["test/a", "val/b"], {"all": ["test/a", "val/b"]}),
        (["train/a", "bus/b"], {"all": ["train/a", "bus/b"]}),
        (["a", "b"], {"all": ["a", "b"]}),
    ],
)
def test_folders_tell_splits_where_one_of_several_is_to_train_on(names: list[str], found: dict[str, list[str]]) -> None:
    assert by_split(names, "p") == found


def test_tables_at_the_top_tell_splits_by_their_first_word() -> None:
    names = ["train-00000.parquet", "TEST_1.parquet", "train2.parquet"]
    assert by_split(names, "p", tables=True) == {"test": names[1:2], "train": [names[0], names[2]]}
    assert by_split(names, "p") == {"all": names}
    with pytest.raises(ValueError, match=r"^source\.path: 'p' holds ") as problem:
        by_split([*names, "trains.parquet", "b/c/d", "1.parquet"], "p", tables=True)
    assert str(problem.value) == (
        "source.path: 'p' holds test, train and, of no split, b, files at the top, trains; move these away, or into "
        "a split"
    )


def test_a_class_is_the_folder_inside_a_split() -> None:
    assert classes({"all": ["x/a/1", "x/b/c/2", "x/3"]}) == {"x/a/1": "a", "x/b/c/2": "b/c", "x/3": None}
    divided = {"train": ["train/a/1", "train/b/2"], "test": ["test/a/3"]}
    assert classes(divided) == {"train/a/1": "a", "train/b/2": "b", "test/a/3": "a"}
    assert classes({"all": ["a/1", "a/2"]}) == {}
    assert classes({"train": ["train/1"], "test": ["test/2"]}) == {}
