"""Generators of torch that every bit of a seed decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.lineage import Stream, make_key
from trainables.runtime import generators, isolated, seeded


def drawn(generator: torch.Generator) -> list[float]:
    return torch.rand(4, generator=generator).tolist()


def test_torch_alone_uses_the_lower_half_of_a_seed_on_a_cpu() -> None:
    """The guess was that 64-bit seeds which differ give streams that differ (torch 2.13.0)."""
    assert drawn(torch.Generator().manual_seed(5)) == drawn(torch.Generator().manual_seed(5 + 2**32))


@pytest.mark.parametrize("bit", [0, 31, 32, 40, 62, 200])
def test_every_bit_of_a_seed_counts(bit: int) -> None:
    assert drawn(seeded(5)) == drawn(seeded(5))
    assert drawn(seeded(5)) != drawn(seeded(5 ^ 2**bit))


def test_words_are_those_of_numpys_twister() -> None:
    words = np.random.MT19937(np.random.SeedSequence(7 + 2**50))
    words.random_raw()  # numpy starts at the last word of the seed, torch behind it
    low = torch.randint(0, 2**16, (2000,), generator=seeded(7 + 2**50)).numpy()
    np.testing.assert_array_equal(low, words.random_raw(2000) % 2**16)


def test_isolated_work_depends_on_the_whole_seed_and_leaves_no_trace() -> None:
    def inside(seed: int) -> list[float]:
        with isolated(seed):
            return torch.randn(20).tolist()

    before = torch.get_rng_state()
    assert inside(3) == inside(3)
    assert inside(3) != inside(3 + 2**32)
    assert torch.equal(torch.get_rng_state(), before)


def test_streams_that_torch_would_confuse_differ() -> None:
    stream = Stream(make_key("x", a=1))
    lower: dict[int, int] = {}
    for number in range(300_000):
        seed = stream.integer(str(number))
        twin = lower.setdefault(seed % 2**32, seed)
        if twin != seed:
            assert drawn(torch.Generator().manual_seed(seed)) == drawn(torch.Generator().manual_seed(twin))
            assert drawn(seeded(seed)) != drawn(seeded(twin))
            return
    pytest.fail("300,000 streams hold ten pairs with equal lower halves on average")


def test_another_form_of_state_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    generators._fresh_state.cache_clear()
    monkeypatch.setattr(generators, "FIRST", 32)
    with pytest.raises(RuntimeError, match="another form"):
        seeded(0)
    generators._fresh_state.cache_clear()
