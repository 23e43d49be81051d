"""Autoencoders and classifiers as on a card: updates recorded, nothing refused, convolutions that repeat exactly."""

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from tests.support.pretend_card import Card
from tests.support.pretend_cuda import on_a_cpu
from trainables.families.vae import classifier, network, objective, training
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.rows import RESIDENT, Feed
from trainables.lineage import Stream
from trainables.sources.images import Pixels, load

UPDATES = 12


def config(**fields: Any) -> VaeConfig:
    return VaeConfig.model_validate({"width": 4, "latent": 2, "steps": UPDATES, "precision": "float32"} | fields)


def images(rows: int = 60) -> Pixels:
    return load(config().source).train.pixels.take(np.arange(rows))


def fitted(given: VaeConfig, rows: Pixels, **more: Any) -> tuple[dict[str, np.ndarray], float]:
    weight = np.linspace(0.5, 1.5, rows.rows, dtype=np.float32)
    found, loss = objective.fit(given, rows, weight, Stream("fit"), **more)
    return network.weights(found), loss


@pytest.mark.parametrize("fields", [{}, {"observation": "gaussian", "clip": 0.5}, {"observation": "logistic"}], ids=str)
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_fits_are_a_cpus(card: Card, fields: dict[str, Any], precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, start, found = config(precision=precision, **fields), None, []
    for rows in (images(), images(30)):
        start, loss = fitted(given, rows, start=start)
        found.append((start, loss))
    assert card.replays == 2 * (UPDATES - 3)
    start = None
    for rows, (weights, loss) in zip((images(), images(30)), found, strict=True):
        with on_a_cpu(monkeypatch):
            start, expected = fitted(given, rows, start=start)
        assert loss == pytest.approx(expected, rel=1e-4 if precision == "float32" else 0.02)
        if precision == "float32":
            for name, value in start.items():
                np.testing.assert_allclose(weights[name], value, atol=2e-3, err_msg=name)


def test_images_that_do_not_fit_are_sent_batch_by_batch(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    resident, _ = fitted(config(), images())
    card.replays = 0
    monkeypatch.setitem(RESIDENT, "cuda", 0)
    sent, _ = fitted(config(), images())
    assert card.replays == 0
    for name, value in resident.items():
        np.testing.assert_allclose(sent[name], value, atol=1e-4, err_msg=name)


def test_fits_wait_for_the_card_seldom(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row numbers and latents are sent ahead; losses are looked at every so often."""
    every = 8
    monkeypatch.setattr(training, "CHECK_EVERY", every)
    fitted(config(), images())
    waits = {place: count for place, count in card.waits.items() if "vae/training.py" in place}
    sent = sum(count for place, count in waits.items() if place.startswith("sent ahead"))
    looks = sum(count for place, count in waits.items() if place.startswith("_local_scalar_dense"))
    assert (sent, looks) == (2 * UPDATES, -(-UPDATES // every) + 1)
    assert sum(waits.values()) == sent + looks + 2, "and the first of both made there"


def test_images_leave_the_card_with_their_fit(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: memory of a card does not wait for Python to look for cycles."""
    plain, held = Feed.of, []

    def seen(pixels: Pixels) -> Feed:
        found = plain(pixels)
        held.append(StorageWeakRef(found.resident.inner.untyped_storage()))
        return found

    monkeypatch.setattr(Feed, "of", seen)
    gc.disable()
    try:
        fitted(config(), images())
        assert [some.expired() for some in held] == [True]
    finally:
        gc.enable()


@pytest.fixture
def convolutions(card: Card, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, set[tuple[bool, bool]]]]:
    """Of each operation, whether it repeats exactly and whether its single precision may be rounded to TF32."""
    seen: dict[str, set[tuple[bool, bool]]] = {}
    before = card.before

    def looked(name: str, device: torch.device) -> None:
        if "convolution" in name:
            flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
            seen.setdefault(name, set()).add(flags)
        before(name, device)

    monkeypatch.setattr(card, "before", looked)
    yield seen
    assert set(seen) <= {"convolution", "convolution_backward"}
    assert all(flags == {(True, False)} for flags in seen.values())


def test_convolutions_of_fits_and_judgements_are_exact(convolutions: dict[str, Any]) -> None:
    """Gradients as well, which are taken outside of what takes the loss."""
    for precision in ("float32", "auto"):
        given, rows = config(precision=precision), images()
        model, _ = objective.fit(given, rows, None, Stream("fit"))
        objective.judge(given, model, rows, Stream("judge"))
        objective.sample(given, model, 8, Stream("sample"))
    made = classifier.fit(rows, np.arange(rows.rows) % 3, 3, 5, Stream("classifier"))
    classifier.features_and_log_probabilities(classifier.load(made), rows)
    assert set(convolutions) == {"convolution", "convolution_backward"}
