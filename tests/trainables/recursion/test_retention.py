"""What is kept of a study, what goes, what that costs; and an artifact's ancestry before and after."""

from __future__ import annotations

import pytest

from trainables import Cell, run
from trainables.families import FAMILIES
from trainables.policies import POLICIES
from trainables.recursion import Recursion, Steps, ancestry_of, collect, find, readable
from trainables.store import MemoryStore, open_store


@pytest.fixture(params=["memory", "disk"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else open_store(str(tmp_path))


def cell(policy: str, generations: int = 4, **more) -> Cell:
    family = {"kind": "gaussian"}
    return Cell.model_validate(
        {"family": family, "policy": {"kind": policy}, "generations": generations, "replicates": 60} | more
    )


def told(of: Cell, store) -> list[dict]:
    return [record.model_dump(exclude={"seconds"}) for record in run(of, store)]


def held(store, kind: str) -> set[str]:
    return set(store.keys(kind))


def test_all_keeps_everything(store):
    one = cell("replace")
    told(one, store)
    assert collect(store, "all", [one]).removals == ()


@pytest.mark.parametrize("keep", ["last", "records"])
@pytest.mark.parametrize("policy", ["replace", "accumulate", "accumulate_subsample"])
def test_records_stay_and_a_longer_cell_is_the_same_whatever_was_removed(store, keep, policy):
    one, longer = cell(policy), cell(policy, 6)
    first = told(one, store)
    expected = told(longer, None)
    shown = collect(store, keep, [one], dry_run=True)
    assert held(store, "model") == {Steps(one).step(n).model for n in range(1, 5)}
    done = collect(store, keep, [one])
    assert (done.removals, done.dry_run) == (shown.removals, False)
    assert done.size > 0
    assert done.seconds > 0
    assert not any(store.has(gone.kind, gone.key) for gone in done.removals)
    assert told(one, store) == first
    assert told(longer, store) == expected


def test_last_keeps_what_one_more_generation_needs_and_no_more(store):
    for policy, batches in {"replace": set(), "accumulate": {0, 1, 2, 3}}.items():
        one = cell(policy)
        told(one, store)
        collect(store, "last", [one])
        steps = Steps(one)
        assert held(store, "model") == {steps.step(4).model}
        assert held(store, "batch") == {steps.batch(n).key for n in batches}
        fitted = set(held(store, "model"))
        told(cell(policy, 5), store)
        assert held(store, "model") - fitted == {steps.step(5).model}
        collect(store, "records", [cell(policy, 5)])


def test_records_keeps_nothing_else_of_a_finished_cell(store):
    one = cell("accumulate")
    told(one, store)
    collect(store, "records", [one])
    assert set(store.kinds()) - {"provenance", "collected"} <= {"record", "model", "batch"}
    assert held(store, "model") == held(store, "batch") == set()
    assert len(held(store, "record")) == 4


def test_what_an_unfinished_cell_needs_stays(store):
    done, running = cell("accumulate", 3), cell("accumulate", 8)
    told(done, store)
    collect(store, "records", [done, running])
    steps = Steps(running)
    assert held(store, "model") == {steps.step(3).model}
    assert held(store, "batch") == {steps.batch(n).key for n in range(3)}
    before = held(store, "model")
    Recursion(running, store).record(4)
    assert held(store, "model") - before == {steps.step(4).model}


def test_what_no_given_cell_names_stays(store):
    mine, other = cell("accumulate"), cell("accumulate", seed=5)
    told(mine, store)
    told(other, store)
    collect(store, "records", [mine])
    assert held(store, "model") == {Steps(other).step(n).model for n in range(1, 5)}


def test_an_unknown_word_is_refused():
    with pytest.raises(ValueError, match=r"^keep: 'none' is none of all, last, records"):
        collect(MemoryStore(), "none", [])  # type: ignore[arg-type]


def test_ancestry_leads_to_the_real_rows_with_sizes_and_losses(store):
    one = cell("accumulate", 3)
    records = told(one, store)
    steps = Steps(one)
    nodes = list(ancestry_of(store, "record", steps.step(3).record))
    assert {(node.kind, node.key) for node in nodes} == (
        {("record", steps.step(3).record)}
        | {("model", steps.step(n).model) for n in (1, 2, 3)}
        | {("batch", steps.batch(n).key) for n in (0, 1, 2)}
    )
    losses = {node.key: node.loss for node in nodes if node.kind == "model"}
    assert losses == {steps.step(n).model: records[n - 1]["test_loss"] for n in (1, 2, 3)}
    assert nodes[0].loss == records[2]["test_loss"]
    whole = [node.key for node in nodes if not node.repeated and node.artifact and node.artifact.parents]
    assert len(whole) == len(set(whole))
    drawn = [str(node) for node in nodes]
    assert drawn[0].startswith(f"record {steps.step(3).record}, ")
    assert drawn[1].startswith(f"└─ model {steps.step(3).model}, ")
    assert [line.lstrip("│ ")[3:].partition(": ")[0] for line in drawn if ": batch" in line][:2] == [
        "batch 0",
        "batch 1",
    ]


def test_ancestry_is_known_after_collecting(store):
    one = cell("replace", 3)
    told(one, store)
    key = Steps(one).step(3).record
    before = [(node.kind, node.key, node.loss, node.branch) for node in ancestry_of(store, "record", key)]
    collect(store, "records", [one])
    after = list(ancestry_of(store, "record", key))
    assert [(node.kind, node.key, node.loss, node.branch) for node in after] == before
    assert all(node.collected and "collected, was" in node.title for node in after[1:])


def test_ancestry_of_what_is_lost_says_so(store):
    one = cell("replace", 2)
    told(one, store)
    store.delete("model", Steps(one).step(2).model)
    nodes = list(ancestry_of(store, "record", Steps(one).step(2).record))
    assert [node.title for node in nodes[1:]] == [
        f"model {Steps(one).step(2).model}, not in the store, test loss {nodes[0].loss:.6g}"
    ]


def test_a_key_is_found_by_its_first_digits(store):
    one = cell("replace", 2)
    told(one, store)
    steps = Steps(one)
    assert find(store, steps.step(2).model[:10]) == [("model", steps.step(2).model)]
    assert find(store, steps.batch(0).key) == [("batch", steps.batch(0).key)]
    assert find(store, "0" * 20) == []


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (7e15, "7e+03 TB")]
)
def test_sizes_are_readable(size, text):
    assert readable(size) == text


SUPPORTED = [kind for kind in POLICIES if POLICIES.get(kind)().requires() <= FAMILIES.get("gaussian").abilities]


@pytest.mark.parametrize("policy", SUPPORTED)
def test_whatever_the_policy_parents_are_there_and_collecting_leaves_records_alone(policy):
    one, store = cell(policy, 3), MemoryStore()
    told(one, store)
    made = [artifact for kind in store.kinds() for artifact in store.walk(kind)]
    assert {name for artifact in made for name in artifact.parents.values()} <= {artifact.name for artifact in made}
    collect(store, "records", [one])
    assert set(store.kinds()) == {"record", "collected"}
