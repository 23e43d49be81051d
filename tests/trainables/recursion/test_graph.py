"""The graph of a cell against a recursion at work: an artifact is made of its parents, all of them, and of nothing
else; and each is needed for as long as the graph says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from trainables import Cell
from trainables.families import FAMILIES
from trainables.policies import POLICIES
from trainables.recursion import Graph, Recursion, Steps, last_uses, run
from trainables.recursion.graph import Name, Node
from trainables.store import MemoryStore, Payload

ROWS, GENERATIONS = 12, 4
COMPOSED: dict[str, dict[str, Any]] = {
    "own judge": {"kind": "compose", "sample": {"times": 2}, "keep": {"rule": "top", "judge": "own"}},
    "accepting": {"kind": "compose", "sample": {"times": 2}, "keep": {"rule": "accept", "judge": "reference"}},
    "reserve": {"kind": "compose", "corpus": [{"source": "fresh", "times": 0.5}, {"source": "synthetic", "window": 2}]},
    "scored": {"kind": "detector_weighted"},
    "corrected": {"kind": "self_corrected"},
}
ABLE = FAMILIES.get("gaussian").abilities
NAMED = {kind: {"kind": kind} for kind in POLICIES if kind != "compose" and POLICIES.get(kind)().requires() <= ABLE}
CELLS: dict[str, dict[str, Any]] = {
    **{name: {"policy": policy} for name, policy in (NAMED | COMPOSED).items()},
    "fork": {"policy": {"kind": "accumulate"}, "fork": {"generation": 2, "policy": {"kind": "fresh_mix"}}},
    "ring": {"policy": {"kind": "accumulate"}, "population": {"models": 2, "graph": "ring", "real": "own"}},
    "anchored star": {
        "policy": {"kind": "replace"},
        "population": {"models": 3, "graph": "star", "anchor": {"kind": "fresh_mix"}},
    },
}


def cell(name: str) -> Cell:
    base = {"family": {"kind": "gaussian"}, "rows": ROWS, "generations": GENERATIONS}
    return Cell.model_validate(base | CELLS[name])


class Recording(MemoryStore):
    """Says what was asked of it, and what was made."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Name] = []
        self.made: list[Name] = []

    def once(
        self, kind: str, key: str, compute: Callable[[], Payload], parents: Mapping[str, str] | None = None
    ) -> Payload:
        self.asked.append((kind, key))

        def counted() -> Payload:
            self.made.append((kind, key))
            return compute()

        return super().once(kind, key, counted, parents)


def whole(graph: Graph, made: Cell) -> dict[Name, Node]:
    """Every node above the cell's records."""
    found: dict[Name, Node] = {}
    pending = [graph.record(generation) for generation in range(1, made.generations + 1)]
    while pending:
        node = pending.pop()
        if node.name not in found:
            found[node.name] = node
            pending += node.parents.values()
    return found


@pytest.fixture(scope="module")
def runs() -> dict[str, Recording]:
    """A store for each cell in which it was run to its end."""
    stores: dict[str, Recording] = {}
    for name in CELLS:
        stores[name] = Recording()
        list(run(cell(name), stores[name]))
    return stores


@pytest.mark.parametrize("name", list(CELLS))
def test_what_is_in_the_store_is_what_the_graph_names_with_the_parents_it_names(
    name: str, runs: dict[str, Recording]
) -> None:
    nodes, store = whole(Graph(Steps(cell(name))), cell(name)), runs[name]
    assert set(store.made) == set(nodes)
    assert len(store.made) == len(nodes), "each once"
    for (kind, key), node in nodes.items():
        about = store.describe(kind, key)
        assert about is not None
        assert about.parents == node.provenance


@pytest.mark.parametrize("name", list(CELLS))
def test_an_artifact_is_made_of_its_parents_all_of_them_and_of_nothing_else(
    name: str, runs: dict[str, Recording]
) -> None:
    """In a store that holds its parents alone, it is computed without anything else being made or asked for."""
    held = runs[name]
    for node in whole(Graph(Steps(cell(name))), cell(name)).values():
        store = Recording()
        for parent in node.parents.values():
            found = held.get(*parent.name)
            assert found is not None
            store.put(*parent.name, found)
        _make(Recursion(cell(name), store), node)
        assert store.made == [node.name]
        assert set(store.asked) - {node.name} == {parent.name for parent in node.parents.values()}, node.kind


def _make(recursion: Recursion, wanted: Node) -> None:
    """Ask a recursion that has done nothing yet for one artifact."""
    for node, make in _artifacts(recursion):
        if node.name == wanted.name:
            make()
            return
    pytest.fail(f"nobody makes {wanted.name}")


def _artifacts(recursion: Recursion) -> Iterator[tuple[Node, Callable[[], Any]]]:
    """Whatever a recursion can be asked for, and how it is asked."""
    for number in range(1, recursion.cell.generations + 1):
        yield recursion.graph.record(number), partial(recursion.record, number)
    for member in recursion.members:
        graph, steps = member.graph, member.steps
        for number in range(1, recursion.cell.generations + 1):
            yield graph.own_record(number), partial(member.own_record, number)
            yield graph.model(number), partial(member.model, number)
            drawn = [batch for draw in steps.step(number).draws for batch in steps.drawn(draw)]
            for batch in (steps.batch(number - 1), *drawn):
                yield graph.batch(batch), partial(member.batch, batch)
                for judge in ("reference", "detector", "first"):
                    yield graph.scores(batch, judge), partial(member.judges.kept_scores, judge, batch)
        for judge in ("reference", "detector", "corrector"):
            yield graph.judge(judge), partial(member.judges.model, judge)


@pytest.mark.parametrize("name", list(CELLS))
def test_an_artifact_is_needed_up_to_the_last_generation_that_asks_for_it(name: str) -> None:
    """By brute force: a recursion that begins anew at every generation, as after a restart, asks for all it needs."""
    made, store = cell(name), Recording()
    latest: dict[Name, int] = {}
    for generation in range(1, GENERATIONS + 1):
        store.asked.clear()
        Recursion(made, store).record(generation)
        latest |= dict.fromkeys(store.asked, generation)
    found = last_uses(Steps(made))
    assert found == {name: generation for name, generation in latest.items() if name[0] != "record"}


@pytest.mark.parametrize("name", list(CELLS))
def test_what_is_dropped_after_its_last_use_is_never_made_again(name: str) -> None:
    made, store = cell(name), Recording()
    uses = last_uses(Steps(made), further=True)
    for generation in range(1, GENERATIONS + 1):
        Recursion(made, store).record(generation)
        for (kind, key), last in uses.items():
            if last <= generation:
                store.delete(kind, key)
    longer = made.model_copy(update={"generations": GENERATIONS + 1})
    Recursion(longer, store).record(GENERATIONS + 1)
    assert len(store.made) == len(set(store.made))


def test_batches_and_models_are_told_by_their_numbers() -> None:
    made = cell("accumulate")
    steps = Steps(made)
    graph = Graph(steps)
    assert graph.record(3).provenance == {"model": f"model/{steps.step(3).model}"}
    assert graph.model(3).provenance == {f"batch {n}": f"batch/{steps.batch(n).key}" for n in range(3)}
    assert graph.batch(steps.batch(2)).provenance == {"model": f"model/{steps.step(2).model}"}
    assert graph.batch(steps.batch(0)).provenance == {}
    later = graph.model(2).provenance_later
    assert (dict(later), len(later), later["batch 1"]) == (graph.model(2).provenance, 2, f"batch/{steps.batch(1).key}")


def test_fresh_rows_and_other_members_batches_are_told_apart() -> None:
    star = Steps(cell("anchored star"))
    roles = set(Graph(star.members[1]).model(2).parents)
    assert roles == {"batch 1", "member 1 batch 1"}
    anchored = Graph(star).model(2).parents
    assert set(anchored) == {"fresh rows 12", "batch 1"}
    pooled = Graph(star).record(2).parents
    assert list(pooled) == ["record 1", "model 1", "record 2", "model 2", "record 3", "model 3"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("replace", {"batch": [1, 2, 3, 4], "model": [2, 3, 4, 4]}),
        ("accumulate", {"batch": [4, 4, 4, 4], "model": [2, 3, 4, 4]}),
    ],
)
def test_under_replace_a_batch_is_read_once_and_under_accumulate_to_the_end(
    policy: str, expected: dict[str, list[int]]
) -> None:
    """By hand, of four generations: batches 0 to 3 and models 1 to 4; model n is judged at n and sampled at n + 1."""
    steps = Steps(cell(policy))
    found = last_uses(steps)
    assert [found["batch", steps.batch(n).key] for n in range(4)] == expected["batch"]
    assert [found["model", steps.step(n).model] for n in range(1, 5)] == expected["model"]
    further = last_uses(steps, further=True)
    assert further["model", steps.step(4).model] == 5, "the next batch is sampled from it"
    assert ("model", steps.step(5).model) not in further
    assert further["batch", steps.batch(0).key] == (1 if policy == "replace" else 5)


def test_seconds_are_between_two_looks_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by one second a look: each fit, judgement and sample took one."""
    clock = SimpleNamespace(perf_counter=count(100.0).__next__)
    monkeypatch.setattr("trainables.recursion.loop.time", clock)
    store = MemoryStore()
    records = list(run(cell("replace"), store))
    assert [record.seconds for record in records] == [{"fit": 1.0, "evaluate": 1.0}] * GENERATIONS
    steps = Steps(cell("replace"))
    found = [store.describe("batch", steps.batch(number).key) for number in range(GENERATIONS)]
    assert [about.meta.get("sample_seconds") for about in found if about] == [None, 1.0, 1.0, 1.0]


def test_a_record_that_is_not_stored_is_none_and_nothing_is_computed_for_it() -> None:
    store = Recording()
    recursion = Recursion(cell("replace"), store)
    assert recursion.stored(1) is None
    assert (store.made, store.asked) == ([], [])
    assert recursion.record(1) == recursion.stored(1)
