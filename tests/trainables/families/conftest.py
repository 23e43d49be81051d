"""A pretended card that families work on."""

from collections.abc import Iterator

import pytest

from tests.support.pretend_card import Card
from tests.support.pretend_cuda import pretend_card
from trainables.runtime import DEVICE


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    """The first of two, on which nothing may be done that a card would not do."""
    with pretend_card(monkeypatch, count=2) as card:
        monkeypatch.setenv(DEVICE, "cuda")
        yield card
        monkeypatch.setenv(DEVICE, "cpu")
    assert not card.faults
