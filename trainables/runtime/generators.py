"""Random generators of torch that every bit of a seed decides.

`torch.Generator.manual_seed` takes 64 bits, and on a CPU uses the lower 32 (torch 2.13: seeds 5 and 5 + 2**32 give the
same numbers). Among 80,000 streams, as many as 2,000 recursions of 40 generations have, two would then be equal with a
chance of one half. Here numpy turns the whole seed into the 624 words of a Mersenne Twister, which torch goes on from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from trainables.runtime.device import pick_device

if TYPE_CHECKING:
    import torch

FIRST, WORDS = 24, 624
"""Where the words lie in the state of a generator, in bytes, and how many they are, each in eight bytes."""


def seeded(seed: int) -> torch.Generator:
    """A generator for a CPU; seeds of any size, at least 0, that differ anywhere give streams that differ.

    Raises:
        RuntimeError: this version of torch keeps a generator's state in another form.
    """
    import torch

    state = _fresh_state().clone()
    words = np.random.MT19937(np.random.SeedSequence(seed)).state["state"]["key"]
    state[FIRST : FIRST + 8 * WORDS] = torch.from_numpy(words.astype("<u8").view(np.uint8))
    made = torch.Generator()
    made.set_state(state)
    return made


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """What is drawn from torch's own generators inside depends on the seed alone and changes nothing outside."""
    import torch

    where = pick_device()
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        torch.manual_seed(seed)
        torch.set_rng_state(seeded(seed).get_state())
        yield


@cache
def _fresh_state() -> torch.Tensor:
    """The state of a generator that has drawn nothing, whose words are known to be where they are looked for."""
    import torch

    state = torch.Generator().manual_seed(0).get_state()
    words = state[FIRST : FIRST + 8 * WORDS].numpy().tobytes()
    if words != np.random.RandomState(0).get_state(legacy=False)["state"]["key"].astype("<u8").tobytes():
        raise RuntimeError(f"torch {torch.__version__} keeps the state of a generator in another form than 2.13 does")
    return state
