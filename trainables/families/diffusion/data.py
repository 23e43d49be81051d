"""Real rows: loaded once by content, molecules split by their hash."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from trainables.families.diffusion.config import DiffusionConfig
from trainables.lineage import make_key
from trainables.sources.molecules import Conformers, Loaded, read
from trainables.store import Payload, Store

_KEPT = 2
_loaded: OrderedDict[str, Payload] = OrderedDict()
"""Sources of this process by identity, so that cells that follow one another load and embed once."""


@dataclass(frozen=True)
class Data:
    """A source's rows, no molecule on both sides.

    Attributes:
        train: rows of training molecules, by molecule number.
        validation: rows of the molecules held out for tuning.
        test: rows of the held-out molecules.
        skipped: entries of the source that could not be used, by reason.
    """

    train: Conformers
    validation: Conformers
    test: Conformers
    skipped: dict[str, int]


def prepare(config: DiffusionConfig, store: Store) -> Data:
    """The rows of a config's source, from the store where they were prepared before.

    Raises:
        ValueError: the source can't be read, or holds too few molecules.
    """
    key = make_key("molecules", source=config.source.identity())
    held = store.once("source", key, lambda: _load(config, key))
    rows = read(held)
    numbers = np.unique(rows.molecule)
    tested, tuned = config.held_out(len(numbers))
    if not tested:
        raise ValueError(
            f"source: {config.source.kind} holds {len(numbers)} usable molecules, too few to hold any out; "
            f"skipped: {held.meta['skipped'] or 'none'}"
        )
    if tested < config.test_molecules:
        logging.getLogger(__name__).warning(
            "%s holds %d molecules: %d are held out, not test_molecules: %d",
            *(config.source.kind, len(numbers), tested, config.test_molecules),
        )
    # numbers are hashes, so the smallest are a random choice that every seed and every study shares
    parts = (numbers[tested + tuned :], numbers[tested : tested + tuned], numbers[:tested])
    train, validation, test = (rows.take(np.flatnonzero(np.isin(rows.molecule, part))) for part in parts)
    return Data(train, validation, test, dict(held.meta["skipped"]))


def _load(config: DiffusionConfig, key: str) -> Payload:
    if key not in _loaded:
        found: Loaded = config.source.load()
        _loaded[key] = found.rows.payload(skipped=found.skipped)
        while len(_loaded) > _KEPT:
            _loaded.popitem(last=False)
    return _loaded[key]
