"""One bench per family, shared by every check, so that a model is fitted once."""

from __future__ import annotations

from functools import cache

import pytest

pytest.register_assert_rewrite(
    "trainables.testing.abilities",
    "trainables.testing.bench",
    "trainables.testing.families",
    "trainables.testing.keys",
    "trainables.testing.policies",
    "trainables.testing.sources",
    "trainables.testing.stores",
    "analysis.testing.definitions",
)

from trainables.testing import Bench  # noqa: E402 - after the rewriting is set up


@cache
def shared_bench(kind: str) -> Bench:
    """The family's bench."""
    return Bench(kind)


@pytest.fixture
def bench(family: str) -> Bench:
    """The bench of the family that the test is parametrised by."""
    return shared_bench(family)
