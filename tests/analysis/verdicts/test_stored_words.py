"""The words of a stored set of curves: what makes verdicts faster changes none of them."""

import json
from pathlib import Path

import numpy as np

from analysis.verdicts.robustness import assess
from tests.support import simulated

STORED = json.loads(Path(__file__).with_name("stored_words.json").read_text())
"""By title: curves of known truths, [seeds, generations], their word in a table of all, and their word alone."""


def test_words_of_stored_curves_are_as_they_were() -> None:
    curves = {
        (title, "replace", seed): np.array(values)
        for title, held in STORED.items()
        for seed, values in enumerate(held["values"])
    }
    found = assess(simulated.study(curves)).set_index("size")[["verdict", "verdict_alone"]]
    assert {title: tuple(row) for title, row in zip(found.index, found.to_numpy(), strict=True)} == {
        title: (held["word"], held["alone"]) for title, held in STORED.items()
    }
    assert len(set(found["verdict_alone"])) >= 5
