"""What nodes have and how they are told, with sums and places counted by hand."""

import pytest

from sweep.resources import ClusterCapacity, NodeType
from sweep.resources.capacity import GIB

CPUS = NodeType({"CPU": 4.0, "memory": 8 * GIB}, count=3)
TYPE = "accelerator_type:"


def cards(name, count=1, gpus=1.0, known=None):
    return NodeType({"CPU": 16.0, "GPU": gpus, f"{TYPE}{name}": 1.0}, count, known)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (CPUS, "3 × (CPU 4, memory 8GiB)"),
        (cards("H100", gpus=8.0), "1 × (CPU 16, GPU 8, H100)"),
        (NodeType({"CPU": 0.5, "object_store_memory": 1e9}), "1 × (CPU 0.5)"),
        (NodeType({"memory": 1610612736.0}), "1 × (memory 1.5GiB)"),
        (NodeType({"node:10.0.0.1": 1.0}, 2), "2 × (nothing for trials)"),
    ],
)
def test_a_kind_of_nodes_is_told_by_what_trials_can_use(shape, text):
    assert str(shape) == text


def test_nodes_are_told_together_where_they_are_alike():
    present = [NodeType({"CPU": 4.0}), NodeType({"CPU": 4.0}, gpu_bytes=GIB), NodeType({"CPU": 8.0})]
    assert str(ClusterCapacity(present)) == "2 × (CPU 4), 1 × (CPU 8)"
    possible = [NodeType({"CPU": 2.0}, 5, name="small"), NodeType({"CPU": 9.0}, 0, name="none")]
    assert str(ClusterCapacity(present[:1], possible)) == "1 × (CPU 4), up to 5 × (CPU 2) of type small"
    assert str(ClusterCapacity([])) == "no nodes"


def test_a_trial_fits_on_one_node_or_on_none():
    pool = ClusterCapacity([CPUS, cards("T4")])
    assert pool.holds({"CPU": 4.0, "memory": 8 * GIB})
    assert pool.holds({"CPU": 16.0, "GPU": 1.0, f"{TYPE}T4": 0.001})
    assert not pool.holds({"CPU": 4.0, "memory": 8 * GIB + 1})
    assert not pool.holds({"CPU": 4.0, "GPU": 1.0, "memory": GIB}), "memory is on other nodes than the card"
    assert not pool.holds({"CPU": 1.0, f"{TYPE}A100": 0.001}), "a sliver of what is not there"
    assert not ClusterCapacity([NodeType({"CPU": 4.0}, count=0)]).holds({"CPU": 1.0})


@pytest.mark.parametrize(
    ("bundle", "places"),
    [
        ({"CPU": 1.0}, 3 * 4 + 2 * 16),
        ({"CPU": 3.0}, 3 * 1 + 2 * 5),
        ({"CPU": 1.0, "memory": 3 * GIB}, 3 * 2),
        ({"CPU": 1.0, "GPU": 0.125}, 2 * 8),
        ({"CPU": 1.0, "GPU": 0.3333}, 2 * 3),
        ({"CPU": 5.0, "GPU": 0.125}, 2 * 3),
        ({"CPU": 1.0, "GPU": 1.0, f"{TYPE}A100": 0.001}, 0),
    ],
)
def test_places_are_counted_by_the_scarcest_of_what_a_trial_takes(bundle, places):
    assert ClusterCapacity([CPUS, cards("H100", 2)]).slots(bundle) == places


def test_a_share_of_a_card_that_decimals_can_not_hold_is_no_place_less():
    """1/10 three times is more than 3/10 in binary."""
    assert ClusterCapacity([NodeType({"CPU": 0.3})]).slots({"CPU": 0.1}) == 3


def test_a_growing_pool_is_counted_at_its_largest_and_not_twice():
    pool = ClusterCapacity([NodeType({"CPU": 8.0}, 2)], [NodeType({"CPU": 8.0, "GPU": 1.0}, 4, name="worker")])
    assert pool.grows
    assert pool.totals() == {"CPU": 32.0, "GPU": 4.0}
    assert pool.slots({"CPU": 2.0}) == 16
    whole = ClusterCapacity([CPUS, CPUS])
    assert not whole.grows
    assert whole.totals() == {"CPU": 24.0, "memory": 48 * GIB}


@pytest.mark.parametrize(
    ("pool", "asked", "size"),
    [
        (ClusterCapacity([CPUS]), None, None),
        (ClusterCapacity([cards("H100")]), None, 80 * GIB),  # of the smallest variant, where nobody has looked
        (ClusterCapacity([cards("H100", known=94 * GIB)]), None, 94 * GIB),
        (ClusterCapacity([cards("H100"), cards("T4")]), None, 16 * GIB),
        (ClusterCapacity([cards("H100"), cards("T4")]), "H100", 80 * GIB),
        (ClusterCapacity([cards("H100"), cards("Mine")]), None, None),
        (ClusterCapacity([cards("H100"), cards("Mine")]), "H100", 80 * GIB),
        (ClusterCapacity([cards("H100")]), "A100", None),
        (ClusterCapacity([CPUS], [cards("L4", 3)]), None, 24 * GIB),
        (ClusterCapacity([cards("H100")], [cards("Mine", 0)]), None, 80 * GIB),  # of which there is never one
    ],
)
def test_memory_is_that_of_the_smallest_card_that_a_trial_may_get(pool, asked, size):
    assert pool.gpu_bytes(asked) == size


def test_cards_are_there_or_may_be():
    assert ClusterCapacity([cards("T4")]).gpus
    assert ClusterCapacity([CPUS], [cards("T4", 2)]).gpus
    assert not ClusterCapacity([CPUS], [cards("T4", 0)]).gpus
    assert not ClusterCapacity([CPUS]).gpus
