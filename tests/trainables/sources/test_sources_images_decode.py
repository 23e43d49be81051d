"""From a cell to square pixels: crops by hand, every kind of cell, why one is none, and Pillow as the peer."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainables.sources.images.decode import Unreadable, decode, resize, square
from trainables.sources.images.files import read_idx

RNG = np.random.default_rng(0)


def grey(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width), dtype=np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("height", "width", "crop", "rows", "columns"),
    [
        (8, 12, None, (0, 8), (2, 10)),
        (13, 8, None, (2, 10), (0, 8)),
        (15, 8, None, (3, 11), (0, 8)),
        (9, 11, None, (0, 9), (1, 10)),
        (12, 12, 6, (3, 9), (3, 9)),
        (11, 14, 6, (2, 8), (4, 10)),
        (7, 9, 100, (0, 7), (1, 8)),
        (9, 20, 10, (0, 9), (5, 14)),
    ],
)
def test_the_centre_square_is_kept_an_odd_pixel_more_on_the_far_side(
    height: int, width: int, crop: int | None, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    pixels = grey(height, width)
    side = rows[1] - rows[0]
    found = square(Image.fromarray(pixels), side, 1, crop)
    assert np.array_equal(found[..., 0], pixels[slice(*rows), slice(*columns)])


def test_another_size_is_pillows_bicubic() -> None:
    pixels = grey(20, 20)
    expected = Image.fromarray(pixels).resize((8, 8), Image.Resampling.BICUBIC)
    assert np.array_equal(square(Image.fromarray(pixels), 8, 1)[..., 0], np.asarray(expected))


def test_colours_become_luma_of_itu_r_601_and_greys_three_equal_channels() -> None:
    """0.299 R + 0.587 G + 0.114 B."""
    colour = np.broadcast_to(np.array([200, 100, 50], np.uint8), (8, 8, 3))
    found = square(Image.fromarray(np.ascontiguousarray(colour)), 8, 1)
    assert set(found.ravel().tolist()) == {round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)}
    pixels = grey(8, 8)
    assert all(np.array_equal(square(Image.fromarray(pixels), 8, 3)[..., c], pixels) for c in range(3))


def test_sixteen_bits_go_to_eight_by_257_rounded() -> None:
    """257 · 255 = 65535; 128 lies nearer 0 than 257 does to 2."""
    values = np.array([0, 128, 129, 257, 385, 386, 65535, 32768], np.uint16)
    image = Image.fromarray(np.tile(values, (8, 1)))
    assert square(image, 8, 1)[0, :, 0].tolist() == [0, 0, 1, 1, 1, 2, 255, 128]


def test_half_transparent_black_on_white_is_grey() -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert set(square(image, 8, 3).ravel().tolist()) == {127}
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0] * 256)
    assert square(palette, 8, 1).max() == 0
    palette.info["transparency"] = 0
    assert square(palette, 8, 1).min() == 255


def test_a_picture_is_turned_upright_as_its_camera_says() -> None:
    """Orientation 6: the right side of what is stored is the bottom of what was seen."""
    pixels = grey(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(pixels), exif=exif)
    assert np.array_equal(decode(data, 8, 1, None)[..., 0], np.rot90(pixels, -1))


PIXELS = grey(8, 8)


@pytest.mark.parametrize(
    "cell",
    [
        encoded(Image.fromarray(PIXELS)),
        {"bytes": encoded(Image.fromarray(PIXELS)), "path": None},
        {"bytes": encoded(Image.fromarray(PIXELS)), "path": "http://nowhere/x.png"},
        PIXELS.tolist(),
        PIXELS.ravel().tolist(),
        PIXELS[..., None].tolist(),
        PIXELS[None].tolist(),
        PIXELS.astype(np.int64),
    ],
)
def test_a_picture_is_bytes_a_mapping_or_an_array_of_bytes(cell: Any) -> None:
    assert np.array_equal(decode(cell, 8, 1, None)[..., 0], PIXELS)


@pytest.mark.parametrize("layout", [(0, 1, 2), (2, 0, 1)])
def test_channels_come_last_or_first(layout: tuple[int, int, int]) -> None:
    colour = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(decode(colour.transpose(layout), 8, 3, None), colour)


def test_of_three_rows_of_pictures_three_wide_channels_are_the_last() -> None:
    colour = RNG.integers(0, 256, (3, 9, 3), dtype=np.uint8)
    assert np.array_equal(decode(colour, 3, 3, None), colour[:, 3:6])


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "empty"),
        ({"bytes": None, "path": None}, "empty"),
        (b"", "corrupt"),
        ({"bytes": b"", "path": "x.png"}, "corrupt"),
        (b"no picture at all", "unknown_format"),
        (encoded(Image.fromarray(PIXELS))[:-30], "corrupt"),
        ({"bytes": None, "path": "no/such/place.png"}, "missing"),
        ({"bytes": None, "path": "http://127.0.0.1/x.png"}, "not_fetched"),
        ({"bytes": None, "path": "ftp://127.0.0.1/x.png"}, "not_fetched"),
        ({"bytes": None, "path": "zip://a.png::b.zip"}, "not_fetched"),
        ({"bytes": None, "path": "simplecache::b.png"}, "not_fetched"),
        ([1, 2, 3], "not_pixels"),
        ([[-1, 2], [3, 4]], "not_pixels"),
        ([[256, 2], [3, 4]], "not_pixels"),
        ([[0.5, 2], [3, 4]], "not_pixels"),
        ([], "not_pixels"),
        (np.zeros((2, 2, 2, 2), np.uint8), "not_pixels"),
        ("text", "not_pixels"),
        (7, "not_pixels"),
    ],
)
def test_a_cell_that_gives_no_picture_says_why(cell: Any, reason: str) -> None:
    with pytest.raises(Unreadable) as problem:
        decode(cell, 8, 1, None)
    assert str(problem.value) == reason


def test_documents_are_no_pictures() -> None:
    """EPS is a program, which Pillow would hand to another: never opened."""
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(Unreadable, match=r"^unknown_format$"):
        decode(postscript, 8, 1, None)


def test_a_picture_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("L", (40, 40)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with pytest.raises(Unreadable, match=r"^too_large$"):
        decode(data, 8, 1, None)


def test_a_table_may_name_files_here_or_by_a_file_url(tmp_path: Path) -> None:
    place = tmp_path / "a.png"
    place.write_bytes(encoded(Image.fromarray(PIXELS)))
    for path in (str(place), f"file://{place}"):
        assert np.array_equal(decode({"bytes": None, "path": path}, 8, 1, None)[..., 0], PIXELS)


def test_arrays_of_the_size_asked_for_are_not_touched_unless_they_are_cropped() -> None:
    images = RNG.integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    assert resize(images, 8, 1) is images
    assert resize(images, 8, 1, crop=8) is images
    cropped = resize(images, 8, 1, crop=4)
    for image, found in zip(images, cropped, strict=True):
        middle = Image.fromarray(np.ascontiguousarray(image[2:6, 2:6, 0]))
        assert np.array_equal(found[..., 0], np.asarray(middle.resize((8, 8), Image.Resampling.BICUBIC)))
    assert resize(images, 8, 3).shape == (3, 8, 8, 3)


def idx(kind: int, *dimensions: int, data: bytes) -> bytes:
    return bytes([0, 0, kind, len(dimensions)]) + b"".join(n.to_bytes(4, "big") for n in dimensions) + data


def test_an_idx_file_is_big_endian_and_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "x.idx"
    path.write_bytes(idx(8, 2, 1, 3, data=bytes([1, 2, 3, 250, 251, 252])))
    assert read_idx(str(path), 3).tolist() == [[[1, 2, 3]], [[250, 251, 252]]]
    path.write_bytes(idx(8, 4, data=bytes([9, 8, 7, 6])))
    assert read_idx(str(path), 1).tolist() == [9, 8, 7, 6]


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (idx(9, 2, 1, 3, data=b"123456"), "is no IDX file of unsigned bytes with 3 dimensions"),
        (idx(8, 6, data=b"123456"), "is no IDX file of unsigned bytes with 3 dimensions"),
        (idx(8, 2, 1, 3, data=b"12345"), "holds 5 bytes of data, not 6"),
        (idx(8, 2, 1, 3, data=b"1234567"), "holds more bytes of data, not 6"),
        (idx(8, 0, 1, 3, data=b""), "holds nothing: its dimensions are 0, 1, 3"),
    ],
)
def test_an_idx_file_of_something_else_is_refused_in_a_line(held: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.idx"
    path.write_bytes(held)
    with pytest.raises(ValueError, match=r"^source\.path: ") as problem:
        read_idx(str(path), 3)
    assert str(problem.value) == f"source.path: {str(path)!r} {said}"
