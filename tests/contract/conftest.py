"""One bench per family, shared by every check, so that a model is fitted once."""

from __future__ import annotations

from functools import cache

import pytest

from trainables.testing import Bench


@cache
def shared_bench(kind: str) -> Bench:
    """The family's bench."""
    return Bench(kind)


@pytest.fixture
def bench(family: str) -> Bench:
    """The bench of the family that the test is parametrised by."""
    return shared_bench(family)
