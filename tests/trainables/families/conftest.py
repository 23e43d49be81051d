"""A pretended card that families work on."""

import gc
from collections.abc import Iterator

import pytest

from tests.support.pretend_card import Card
from tests.support.pretend_cuda import pretend_card
from trainables.runtime import DEVICE


@pytest.fixture
def lasting() -> Iterator[None]:
    """What is loaded is no garbage of this test: collections, which every make of a model asks for, look past it."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def card(lasting: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    """The first of two, on which nothing may be done that a card would not do."""
    with pretend_card(monkeypatch, count=2) as card:
        monkeypatch.setenv(DEVICE, "cuda")
        yield card
        monkeypatch.setenv(DEVICE, "cpu")
    assert not card.faults
