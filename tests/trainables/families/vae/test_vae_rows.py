"""Images on their way: scaling and rounding, evenly spread rows, weights, memory, and the picture of a grid."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.vae import corrector
from trainables.families.vae.picture import grid
from trainables.families.vae.rows import Feed, gather, labels_of, payload, pixels_of, scaled, spread, to_bytes
from trainables.lineage import Stream
from trainables.sources.images import Pixels
from trainables.store import Payload

RNG = np.random.default_rng(0)


def images(rows, shape=(2, 3, 3)):
    return RNG.integers(0, 256, (rows, *shape), dtype=np.uint8)


def draw(number, batch, weight=1.0, index=None):
    return RealisedDraw((Batch(number, str(number), batch.rows, lambda: batch),), index, weight)


@pytest.mark.parametrize(
    ("count", "rows", "found"),
    [(3, 10, [0, 4, 9]), (4, 10, [0, 3, 6, 9]), (20, 5, [0, 1, 2, 3, 4]), (5, 5, [0, 1, 2, 3, 4]), (1, 9, [0])],
)
def test_rows_are_spread_from_the_first_to_the_last(count, rows, found):
    assert spread(count, rows).tolist() == found


def test_bytes_go_to_the_unit_range_channels_first_and_back():
    every = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    x = scaled(torch.from_numpy(every))
    assert x.shape == (4, 1, 8, 8)
    assert (float(x.min()), float(x.max())) == (0, 1)
    assert np.array_equal(to_bytes(x), every)
    colours = images(5)
    x = scaled(torch.from_numpy(colours))
    assert float(x[3, 2, 1, 0]) == pytest.approx(colours[3, 1, 0, 2] / 255)
    assert np.array_equal(to_bytes(x), colours)


def test_a_byte_is_the_nearest_one():
    x = torch.tensor([100.4, 100.6, 254.7, 0.3]).view(1, 1, 2, 2) / 255
    assert to_bytes(x).ravel().tolist() == [100, 101, 255, 0]


def test_a_batch_keeps_its_images_classes_and_what_it_is_told():
    pixels, labels = images(6), np.array([0, 2, 1, 1, 0, 2])
    batch = payload(Pixels.of(pixels), labels, moved=0.5)
    assert batch.meta == {"rows": 6, "shape": [2, 3, 3], "moved": 0.5}
    assert np.array_equal(pixels_of(batch).array(), pixels)
    assert labels_of(batch).tolist() == labels.tolist()
    assert labels_of(payload(Pixels.of(pixels))) is None


def test_weights_of_a_corpus_have_a_mean_of_one():
    """Two rows of weight 1 and one of 4 have a mean of 2."""
    one, other = payload(Pixels.of(images(2))), payload(Pixels.of(images(1)))
    pixels, weight = gather(Corpus((draw(0, one), draw(1, other, 4.0))))
    assert weight.tolist() == [0.5, 0.5, 2.0]
    assert weight.dtype == np.float32
    assert np.array_equal(pixels.array(), np.concatenate([pixels_of(b).array() for b in (one, other)]))


def test_equal_weights_are_none():
    batches = [payload(Pixels.of(images(2))) for _ in range(2)]
    assert gather(Corpus(tuple(draw(n, b, 3.0) for n, b in enumerate(batches))))[1] is None


@pytest.mark.parametrize("limit", [0, 90, 89])
def test_images_stay_on_the_device_up_to_a_limit_and_are_the_same_beyond(limit):
    """Five images of 18 bytes are 90."""
    pixels = images(5)
    feed = Feed.of(Pixels.of(pixels), limit)
    assert (feed.resident is None) == (limit < 90)
    assert feed.rows == 5
    found = feed.batch(torch.tensor([4, 0, 4]))
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), pixels[[4, 0, 4]] / 255, rtol=1e-6)


def test_what_stays_is_all_of_a_corpus_larger_than_a_piece():
    pixels = images(1030, (2, 2, 1))
    feed = Feed.of(Pixels.of(pixels))
    assert np.array_equal(feed.resident.numpy(), pixels)


@pytest.mark.parametrize(("channels", "shape"), [(1, (2, 3, 1)), (3, (2, 3, 3))])
def test_a_grid_shows_each_image_at_its_place_eight_in_a_row(channels, shape):
    """Ten images of 2 × 3 pixels: a canvas of 7 × 33 with grey lines of one pixel, enlarged 15 times."""
    pixels = images(10, shape)
    picture = np.asarray(Image.open(io.BytesIO(grid(pixels)))).reshape(7 * 15, 33 * 15, channels)
    small = picture[::15, ::15]
    assert np.array_equal(small.repeat(15, 0).repeat(15, 1), picture)
    for number, image in enumerate(pixels):
        top, left = 1 + 3 * (number // 8), 1 + 4 * (number % 8)
        assert np.array_equal(small[top : top + 2, left : left + 3], image)
    assert (small[::3] == 128).all()
    assert (small[:, ::4] == 128).all()
    assert (small[4:6, 9:] == 128).all(), "places without an image"


def test_images_wider_than_the_grid_are_not_enlarged():
    large = Image.open(io.BytesIO(grid(images(2, (9, 80, 1)))))
    assert large.size == (8 * 81 + 1, 11)


@pytest.mark.parametrize(
    ("rows", "classes", "centres"), [(20, 10, 20), (100, 2, 32), (200, 0, 160), (15, 1, 15), (17, 1, 16)]
)
def test_a_class_has_sixteen_centres_and_unlabelled_images_count_as_ten_classes(rows, classes, centres):
    found = corrector.fit(Pixels.of(images(rows, (2, 2, 1))), classes, Stream("c")).tensors["centres"]
    assert found.shape == (centres, 4)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1


def test_every_centre_is_the_mean_of_the_images_nearest_to_it():
    pixels = Pixels.of(images(60, (2, 2, 1)))
    centres = corrector.fit(pixels, 1, Stream("c")).tensors["centres"]
    x = pixels.array().reshape(60, 4) / 255
    nearest = ((x[:, None] - centres) ** 2).sum(-1).argmin(1)
    for number, centre in enumerate(centres):
        np.testing.assert_allclose(centre, x[nearest == number].mean(axis=0), atol=1e-6)
    again = corrector.fit(pixels, 1, Stream("c")).tensors["centres"]
    assert np.array_equal(again, centres)
    assert not np.array_equal(corrector.fit(pixels, 1, Stream("d")).tensors["centres"], centres)


CENTRES = Payload(tensors={"centres": np.array([[0, 1], [1, 1]], np.float32)})


@pytest.mark.parametrize(("way", "bytes_", "moved"), [(0.0, [0, 51], 0.0), (0.5, [0, 153], 0.4), (1.0, [0, 255], 0.8)])
def test_an_image_goes_part_of_the_way_to_its_nearest_centre(way, bytes_, moved):
    """(0, 0.2) is 0.8 from (0, 1) and further from (1, 1): half the way is (0, 0.6)."""
    image = np.array([0, 51], np.uint8).reshape(1, 1, 2, 1)
    found, distance = corrector.corrected(Pixels.of(image), CENTRES, way)
    assert found.array().ravel().tolist() == bytes_
    assert distance == pytest.approx(moved, abs=1e-7)


def test_the_distance_moved_is_a_root_mean_square_over_images():
    """One image moves by 0.8, the other, which is a centre, not at all: √(0.64/2)."""
    image = np.array([0, 51, 255, 255], np.uint8).reshape(2, 1, 2, 1)
    assert corrector.corrected(Pixels.of(image), CENTRES, 1.0)[1] == pytest.approx(0.32**0.5)
