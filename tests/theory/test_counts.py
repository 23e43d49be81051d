"""Coins and counts beside their exact laws: 2,000 replicates within four standard errors.

Settings, chosen beforehand: 20 rows, coins of 0.3 and counts of 0.8, ten generations.
"""

import pytest

from trainables import Cell, run

FAMILIES = {"bernoulli": 0.3, "poisson": 0.8}
POLICIES = ("replace", "accumulate", "replace_multiple", "accumulate_subsample", "sliding_window", "weighted_fresh")


def records(kind, policy, generations=10):
    fields = {"family": {"kind": kind, "mean": FAMILIES[kind]}, "policy": {"kind": policy}, "rows": 20}
    return list(run(Cell.model_validate(fields | {"generations": generations, "replicates": 2000})))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", FAMILIES)
def test_recursions_are_as_predicted(kind, policy):
    known = ["test_loss", "variance_ratio"] if (kind, policy) != ("poisson", "accumulate_subsample") else []
    known += ["absorbed"] if policy == "replace" else []
    for record in records(kind, policy):
        values = {"test_loss": record.test_loss} | record.metrics
        assert {name for name in values if name.startswith("theory_")} == {f"theory_{name}" for name in known}
        for name in known:
            gap = abs(values[name] - values[f"theory_{name}"])
            assert gap < 4 * values[f"{name}_se"] + 2e-3 * (name == "absorbed"), (name, record.generation)


@pytest.mark.parametrize("kind", FAMILIES)
def test_replacing_forgets_for_certain(kind):
    """After 300 generations most recursions have one value left, and stay there."""
    last = records(kind, "replace", 300)[-1]
    assert last.metrics["absorbed"] > 0.8
    assert last.metrics["variance_ratio_median"] == 0
