"""Keys that stores in use hold: a change of the code must find every model, batch and record of theirs again.

`stored_keys.json` was written by version 0.1.0 before its packages were laid out anew: for every family under every
policy that it supports, the keys of four generations and a digest of what each is derived from and how long it lives.
A policy that came later stands there as it came, and so may a family, once stores hold it. A key may change only with a
family's `fit_version`, and CHANGELOG says so.
"""

import hashlib
import json
from pathlib import Path

import pytest

from trainables import Cell
from trainables.families import FAMILIES
from trainables.policies import POLICIES
from trainables.recursion import Graph, Steps, last_uses

STORED = json.loads((Path(__file__).parent / "stored_keys.json").read_text())
DATA = {"stated": "rows that this file names, not a source's"}


def name(entry):
    return f"{entry['cell']['family']['kind']}-{entry['cell']['policy']['kind']}"


def graph(steps, generations):
    """What each step is derived from, and the last generation that needs it."""
    whole, above = Graph(steps), []
    for n in range(1, generations + 1):
        nodes = {"model": whole.model(n), "record": whole.record(n), "batch": whole.batch(steps.batch(n - 1))}
        above.append({kind: node.provenance for kind, node in nodes.items()})
    last, further = (
        {f"{kind}/{key}": n for (kind, key), n in last_uses(steps, more).items()} for more in (False, True)
    )
    return {"above": above, "last": last, "last_further": further}


KNOWN = {"linear", "gaussian", "discrete", "kde", "bernoulli", "poisson", "mixture", "glm", "random_features"}
KNOWN |= {"diffusion", "language", "vae"}
"""Families that stores hold."""


def test_every_family_and_policy_is_among_them():
    kinds = {(entry["cell"]["family"]["kind"], entry["cell"]["policy"]["kind"]) for entry in STORED}
    assert KNOWN <= {family for family, _ in kinds} <= set(FAMILIES)
    assert {policy for _, policy in kinds} == set(POLICIES)
    assert len(kinds) >= 30


@pytest.mark.parametrize("entry", STORED, ids=name)
def test_keys_are_those_that_stores_hold(entry):
    steps = Steps(Cell.model_validate(entry["cell"]), data=DATA)
    generations = range(1, len(entry["models"]) + 1)
    assert [steps.step(n).model for n in generations] == entry["models"]
    assert [steps.step(n).record for n in generations] == entry["records"]
    assert [steps.batch(n - 1).key for n in generations] == entry["batches"]
    digest = hashlib.sha256(json.dumps(graph(steps, len(entry["models"])), sort_keys=True).encode()).hexdigest()
    assert digest[:16] == entry["graph"]
