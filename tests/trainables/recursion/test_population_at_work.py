"""A population at work: what its records hold, what it shares; neither kills, order nor `gc` change anything."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest

from tests.support.crew import Crew, a_cell, undisturbed
from tests.support.toys import Counting
from trainables import Cell, CellFailed, run
from trainables.families import FAMILIES, Diverged, recorded
from trainables.families.closed_form.gaussian import Gaussian
from trainables.families.closed_form.linear import Linear
from trainables.policies import POLICIES
from trainables.recursion import Recursion, Steps, ancestry_of, collect
from trainables.store import MemoryStore, open_store
from trainables.testing import audit_adds_up

RING = {"models": 3, "graph": "ring", "shares": 0.4}
STAR = {"models": 3, "graph": "star"}
ANCHORED = {"models": 3, "graph": "ring", "anchor": {"kind": "fresh_mix"}, "real": "own"}


@pytest.fixture
def crew(tmp_path) -> Crew:
    return Crew(tmp_path)


def cell(policy="accumulate", population=RING, generations=3, **fields) -> Cell:
    policy = {"kind": policy} if isinstance(policy, str) else policy
    base = {"family": {"kind": "gaussian"}, "policy": policy, "rows": 20, "replicates": 12, "generations": generations}
    return Cell.model_validate(base | ({"population": population} if population else {}) | fields)


def told(of: Cell, store=None) -> list[dict]:
    recursion = Recursion(of, store or MemoryStore())
    return [recursion.record(n).model_dump(exclude={"seconds"}) for n in range(1, of.generations + 1)]


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"token_edit"}))
def test_every_policy_runs_by_name_and_its_audit_adds_up(policy):
    for population in (RING, ANCHORED):
        for record in run(cell(policy, population)):
            audit_adds_up(record)
            for own in record.composition["members"].values():
                assert sum(own["weight_by_member"].values()) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(set(FAMILIES) - {"gaussian", "diffusion"}))
def test_every_family_runs_in_a_population(kind):
    family, rows = FAMILIES.get(kind).tiny()
    fields = {"family": family.canonical(), "rows": rows, "replicates": 3 if family.vectorised else 1}
    store = MemoryStore()
    policies = ["replace", "token_edit"] if "edit" in family.abilities else ["replace"]
    for policy in policies:
        *_, last = run(cell(policy, {"models": 2, "graph": "ring", "shares": 0.3}, 2, **fields), store)
        audit_adds_up(last)
        assert last.test_loss == pytest.approx((last.metrics["test_loss_1"] + last.metrics["test_loss_2"]) / 2)
        assert ("disagreement" in last.metrics) == any(metric.name == "disagreement" for metric in recorded(kind))
        assert last.metrics.get("disagreement", 1.0) > 0


def test_shares_are_what_the_audit_finds():
    *_, last = run(cell("replace"))
    assert last.composition["members"]["1"]["weight_by_member"] == pytest.approx({"1": 0.6, "3": 0.4})
    *_, last = run(cell("accumulate"))
    weights = last.composition["members"]["2"]["weight_by_member"]
    assert weights == pytest.approx({"real": 1 / 3, "1": 0.4 * 2 / 3, "2": 0.6 * 2 / 3})


def test_a_record_pools_replicate_by_replicate():
    store = MemoryStore()
    *_, last = run(cell("replace"), store)
    held = store.get("record", Steps(cell("replace")).step(3).record)
    own = np.stack([held.tensors[f"test_loss_{member}"] for member in (1, 2, 3)])
    assert np.array_equal(held.tensors["test_loss"], own.mean(axis=0))
    assert last.test_loss == pytest.approx(own.mean())
    assert last.metrics["test_loss_se"] == pytest.approx(own.mean(axis=0).std(ddof=1) / np.sqrt(12))
    assert last.metrics["worst_loss"] == pytest.approx(own.max(axis=0).mean())
    assert last.metrics["loss_spread"] == pytest.approx((own.max(axis=0) - own.min(axis=0)).mean())


def test_disagreement_is_the_mean_squared_distance_of_pairs():
    store, of = MemoryStore(), cell("replace")
    *_, last = run(of, store)
    means = [store.get("model", steps.step(3).model).tensors["mean"] for steps in Steps(of).members]
    pairs = [((means[a] - means[b]) ** 2).sum(axis=1).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert last.metrics["disagreement"] == pytest.approx(np.mean(pairs))


def test_members_that_share_real_rows_begin_as_one_model_and_differ_from_then_on():
    first, second, _ = run(cell("replace"))
    assert first.metrics["disagreement"] == first.metrics["loss_spread"] == 0
    assert second.metrics["disagreement"] > 0
    apart, *_ = run(cell("replace", RING | {"real": "own"}))
    assert apart.metrics["disagreement"] > 0


@pytest.mark.parametrize("plain_first", [True, False])
def test_whoever_is_fed_by_nobody_is_a_plain_recursion_to_the_last_key(plain_first):
    """The centre of a star shares every model and record with a cell without a population, whoever computes them."""
    plain, star = cell("replace", None), cell("replace", STAR)
    hub = Steps(star)
    assert [hub.step(n).model for n in (1, 2, 3)] == [Steps(plain).step(n).model for n in (1, 2, 3)]
    expected = told(plain), told(star)
    store = Counting(MemoryStore())
    for of in (plain, star) if plain_first else (star, plain):
        assert told(of, store) == expected[of is star]
    assert len(store.computed) == len(set(store.computed))
    models = [name for name in store.computed if name.startswith("model/")]
    assert len(models) == 1 + 2 * 3


def test_equal_corpora_are_fitted_once():
    even = RING | {"graph": "complete", "shares": 2 / 3}
    steps = Steps(cell("replace", even)).members
    assert len({member.step(3).model for member in steps}) == 1
    assert len({member.batch(2).key for member in steps}) == 3, "they sample apart"


@pytest.mark.parametrize("population", [RING, STAR, ANCHORED])
def test_records_do_not_depend_on_the_order_in_which_they_are_asked_for(population):
    backwards = Recursion(cell("accumulate_subsample", population), MemoryStore())
    found = [backwards.record(n).model_dump(exclude={"seconds"}) for n in (3, 2, 1)]
    assert found[::-1] == told(cell("accumulate_subsample", population))


def test_a_longer_population_goes_on_with_a_shorter_one():
    store = Counting(MemoryStore())
    told(cell(), store)
    before = set(store.computed)
    assert told(cell(generations=4), store)[:3] == told(cell())
    new = set(store.computed) - before
    assert sorted(name.split("/")[0] for name in new) == ["batch"] * 3 + ["model"] * 3 + ["record"] * 4


@pytest.mark.parametrize("keep", ["last", "records"])
@pytest.mark.parametrize(("policy", "population"), [("accumulate", RING), ("replace", ANCHORED), ("replace", STAR)])
def test_gc_keeps_what_is_needed_and_records_in_any_case(tmp_path, keep, policy, population):
    store, one, longer = open_store(str(tmp_path)), cell(policy, population), cell(policy, population, 4)
    first = told(one, store)
    records = set(store.keys("record"))
    collect(store, keep, [one])
    assert set(store.keys("record")) == records
    assert not list(store.keys("model")) if keep == "records" else list(store.keys("model"))
    again = Counting(store)
    assert told(one, again) == first
    assert again.computed == []
    assert told(longer, again) == told(longer)
    if keep == "last":
        assert not {name for name in again.computed if name.split("/")[1] in _models(one)}


def _models(of: Cell) -> set[str]:
    return {steps.step(n).model for steps in Steps(of).members for n in range(1, of.generations + 1)}


def test_ancestry_leads_from_the_pooled_record_to_every_members_batches():
    store = MemoryStore()
    told(cell("replace"), store)
    nodes = list(ancestry_of(store, "record", Steps(cell("replace")).step(3).record))
    roles = {node.role for node in nodes}
    assert {"record 1", "model 3", "member 3 batch 2", "batch 2"} <= roles
    assert all(node.artifact is not None for node in nodes)


def test_a_member_that_diverges_ends_the_cell_and_is_named(monkeypatch):
    plain, store, asked = Gaussian.evaluate_each, MemoryStore(), cell("replace")
    first, second, third = (member.own_key(2) for member in Steps(asked).members)

    def third_fails(self, models, streams):
        if third in [stream.key for stream in streams]:
            raise Diverged("lost")
        return plain(self, models, streams)

    monkeypatch.setattr(Gaussian, "evaluate_each", third_fails)
    recursion = Recursion(asked, store)
    recursion.record(1)
    with pytest.raises(CellFailed, match=r"^generation 2: member 3: lost$"):
        recursion.record(2)
    with pytest.raises(CellFailed, match="member 3"):
        recursion.stored(2)
    assert ["failed" in store.get("record", key).meta for key in (first, second, third)] == [False, False, True]


@pytest.mark.parametrize("family", [{"kind": "gaussian", "dim": 2}, {"kind": "linear", "dim": 3}])
@pytest.mark.parametrize("population", [RING, ANCHORED, {"models": 2, "graph": "complete"}])
def test_models_judged_together_get_the_records_that_they_get_apart(monkeypatch, family, population):
    """To the last digit, members' own records included; and each model is judged once."""
    asked, kept = cell("accumulate", population, family=family), (MemoryStore(), MemoryStore())
    judged: list[str] = []
    work = {"gaussian": Gaussian, "linear": Linear}[family["kind"]]
    plain = work.evaluate_each

    def counted(self, models, streams):
        judged.extend(stream.key for stream in streams)
        return plain(self, models, streams)

    monkeypatch.setattr(work, "evaluate_each", counted)
    together = told(asked, kept[0])
    assert len(judged) == len(set(judged)) >= asked.generations
    monkeypatch.setattr(work, "judges_together", False)
    assert told(asked, kept[1]) == together
    for key in kept[0].keys("record"):
        one, other = (store.get("record", key) for store in kept)
        assert {**one.meta, "seconds": 0} == {**other.meta, "seconds": 0}
        assert all(np.array_equal(one.tensors[name], other.tensors[name]) for name in one.tensors | other.tensors)


@pytest.mark.slow
def test_three_linear_models_take_less_than_four_times_one():
    """In processor time, the best of three turns each."""

    def took(population, seed):
        fields = {"family": {"kind": "linear"}, "rows": 100, "replicates": 4000, "seed": seed}
        started = time.process_time()
        list(run(cell("accumulate", population, 12, **fields)))
        return time.process_time() - started

    took(RING | {"real": "own"}, 99)
    turns = [(took(None, seed), took(RING | {"real": "own"}, seed)) for seed in range(3)]
    assert min(three for _, three in turns) < 4 * min(one for one, _ in turns)


@pytest.mark.parametrize("place", ["fit", "sample"])
def test_a_killed_population_goes_on_where_it_was(crew: Crew, place: str):
    """kill -9 in the middle of a member's fit or batch: the same records, and that step alone is repeated."""
    cells = [a_cell("accumulate", population=RING)]
    status, _, _ = crew.run(cells, die={"at": place, "nth": 5})
    assert status == -signal.SIGKILL
    status, records, _ = crew.run(cells)
    assert (status, records) == (0, undisturbed(cells))
    assert crew.repeated == 1


OWN = {"models": 2, "graph": "alone", "real": "own"}
PROMPTED = {"width": 16, "layers": 1, "heads": 2, "context": 16, "vocabulary": 300, "steps": 1, "test_rows": 16}
PROMPTED |= {"kind": "language", "sample_rows": 4, "prompts": "prefix", "prompt_tokens": 5}
DENOISER = {"width": 8, "messages": 4, "layers": 1, "steps": 1, "timesteps": 20, "sampling_steps": 2, "beta_end": 0.5}
DENOISER |= {"kind": "diffusion", "noise_levels": 2, "judged_molecules": 2, "source": {"kind": "nci", "limit": 40}}
TABLE = {"kind": "glm", "source": {"kind": "breast_cancer"}, "penalty": 1.0}


def beginnings(batch) -> list:
    return [ids[:5] for ids in batch.table["input_ids"]]


def molecules(batch) -> list:
    return batch.table["molecule"]


def inputs(batch) -> list:
    return batch.meta["inputs"]


SLOW = pytest.mark.slow
GIVEN = [
    pytest.param(PROMPTED, beginnings, 1, id="language", marks=SLOW),
    pytest.param(PROMPTED, beginnings, 2, id="languages", marks=SLOW),
    pytest.param(DENOISER, molecules, 1, id="diffusion", marks=SLOW),
    pytest.param(DENOISER, molecules, 2, id="diffusions", marks=SLOW),
    pytest.param(TABLE, inputs, 2, id="glm"),
]


@pytest.mark.parametrize(("family", "given", "replicates"), GIVEN)
def test_samples_take_what_is_given_from_their_own_members_real_rows(family, given, replicates):
    """Beginnings, graphs and inputs of a member were member 1's, whose rows it has never seen."""
    fields = {"family": family, "rows": 60 if family is TABLE else 12, "replicates": replicates}
    first, second = Recursion(cell("replace", OWN, 2, **fields), MemoryStore()).members
    real, other = (given(one.batch(one.steps.batch(0))) for one in (second, first))
    sampled = given(second.batch(second.steps.batch(1)))
    assert list(sampled) == list(real) != list(other)
    assert second.family.real(0, 4).meta["rows"] == 4


def test_where_real_rows_are_shared_so_is_what_is_given():
    one, two = Recursion(cell("replace", OWN | {"real": "shared"}, 2, family=TABLE, rows=60), MemoryStore()).members
    assert two.family is one.family
    assert inputs(two.batch(two.steps.batch(1))) == ["base"]
