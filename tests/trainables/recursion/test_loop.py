"""The generation loop: records, failures, sharing, the audit."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from trainables import Cell, CellFailed, run
from trainables.errors import NotInstalled
from trainables.families import Diverged, Evaluation
from trainables.families.closed_form.gaussian import Gaussian
from trainables.recursion import Recursion
from trainables.recursion.loop import _annotators
from trainables.store import Busy, MemoryStore
from trainables.store.base import Holder


def cell(policy="replace", **fields):
    policy = {"kind": policy} if isinstance(policy, str) else policy
    base = {"family": {"kind": "gaussian"}, "policy": policy, "rows": 20, "generations": 4, "replicates": 5}
    return Cell.model_validate(base | fields)


def plain(record):
    """A record without its wall times."""
    return record.model_dump(exclude={"seconds"})


def measured(record):
    """A record without its closed forms, which are the policy's."""
    return record | {"metrics": {n: v for n, v in record["metrics"].items() if not n.startswith("theory_")}}


@pytest.fixture
def calls(monkeypatch):
    """How often the family was asked for what."""
    counted = Counter()
    for name in ("fit", "sample", "evaluate", "real", "judge", "score"):
        original = getattr(Gaussian, name)

        def counting(self, *args, _name=name, _original=original, **kwargs):
            counted[_name] += 1
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(Gaussian, name, counting)
    return counted


def test_records_come_one_a_generation():
    records = list(run(cell("accumulate")))
    assert [record.generation for record in records] == [1, 2, 3, 4]
    assert [record.corpus_rows for record in records] == [20, 40, 60, 80]
    assert [record.real_fraction for record in records] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])


def test_nothing_is_computed_before_it_is_asked_for(calls):
    records = run(cell())
    next(records)
    assert calls == {"real": 1, "fit": 1, "evaluate": 1}


def test_a_finished_recursion_is_not_computed_again(calls):
    store = MemoryStore()
    first = list(run(cell(), store))
    calls.clear()
    assert list(run(cell(), store)) == first
    assert not calls


def test_a_longer_recursion_computes_the_new_generations_alone(calls):
    store = MemoryStore()
    list(run(cell(generations=3), store))
    calls.clear()
    list(run(cell(generations=5), store))
    assert calls == {"fit": 2, "evaluate": 2, "sample": 2}


def test_two_policies_compute_what_they_share_once(calls):
    store = MemoryStore()
    window = list(run(cell({"kind": "sliding_window", "window": 2}, generations=2), store))
    calls.clear()
    accumulate = list(run(cell("accumulate", generations=2), store))
    assert not calls
    assert accumulate == window


def test_a_shared_step_has_one_record_whoever_came_first():
    alone = {kind: [plain(r) for r in run(cell(kind))] for kind in ("replace", "accumulate")}
    store = MemoryStore()
    together = {kind: [plain(r) for r in run(cell(kind), store)] for kind in ("accumulate", "replace")}
    assert together == alone
    first, other = (measured(together[kind][0]) for kind in ("replace", "accumulate"))
    assert first == other


def test_records_may_be_asked_in_any_order():
    forwards = [plain(record) for record in run(cell("accumulate"))]
    recursion = Recursion(cell("accumulate"), MemoryStore())
    assert [plain(recursion.record(n)) for n in (4, 2, 3, 1)] == [forwards[n - 1] for n in (4, 2, 3, 1)]


def test_a_fork_shares_what_came_before_it(calls):
    store = MemoryStore()
    before = list(run(cell("accumulate", generations=4), store))
    calls.clear()
    forked = list(run(cell("accumulate", generations=4, fork={"generation": 2, "policy": {"kind": "replace"}}), store))
    assert forked[:2] == before[:2]
    assert [record.corpus_rows for record in forked] == [20, 40, 20, 20]
    assert calls["fit"] == 2


def failing(monkeypatch, name, at):
    """Let the family's method diverge at its call number `at`; returns the counter of calls."""
    original, count = getattr(Gaussian, name), Counter()

    def method(self, *args, **kwargs):
        count["calls"] += 1
        if count["calls"] == at:
            raise Diverged("weights are not finite")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Gaussian, name, method)
    return count


@pytest.mark.parametrize(
    ("name", "call", "reason"),
    [
        ("fit", 3, "weights are not finite"),
        ("evaluate", 3, "weights are not finite"),
        ("sample", 2, "sampling from model 2: weights are not finite"),
    ],
)
def test_a_divergence_ends_the_recursion_and_keeps_what_came_before(monkeypatch, name, call, reason):
    count = failing(monkeypatch, name, call)
    store, records = MemoryStore(), []
    with pytest.raises(CellFailed, match=f"^generation 3: {reason}$"):
        records.extend(run(cell(), store))
    assert [plain(record) for record in records] == [plain(record) for record in run(cell(generations=2))]
    spent, again = count["calls"], []
    with pytest.raises(CellFailed, match=f"^generation 3: {reason}$"):
        again.extend(run(cell(), store))
    assert again == records
    assert count["calls"] == spent, "a failed step was tried again"


def test_a_failure_names_the_generation_that_diverged(monkeypatch):
    """Asked for a later generation first, the failure is still the earlier one's."""
    failing(monkeypatch, "fit", 2)
    with pytest.raises(CellFailed, match=r"^generation 2: "):
        Recursion(cell(), MemoryStore()).record(4)


def test_a_failure_travels_between_processes():
    import pickle

    failure = CellFailed(3, "weights are not finite")
    assert str(pickle.loads(pickle.dumps(failure))) == str(failure)  # noqa: S301 - our own bytes


def test_a_loss_that_is_no_number_is_a_failure(monkeypatch):
    monkeypatch.setattr(Gaussian, "evaluate", lambda self, model, stream: Evaluation(float("inf")))
    with pytest.raises(CellFailed, match="generation 1: the held-out loss is inf"):
        next(run(cell()))


def test_a_metric_that_is_no_number_is_absent(monkeypatch):
    metrics = {"good": 1.0, "bad": float("nan"), "worse": float("inf")}
    monkeypatch.setattr(Gaussian, "evaluate", lambda self, model, stream: Evaluation(0.5, metrics))
    record = next(run(cell()))
    assert {name for name in record.metrics if not name.startswith("theory_")} == {"good"}


def test_closed_forms_stand_beside_the_measurement(monkeypatch):
    """A curve that is shorter than the recursion, or not finite, is absent there."""
    curves = {"test_loss": [1.0, float("inf"), 3.0]}
    monkeypatch.setattr("trainables.recursion.loop._annotators", lambda: (lambda cell: curves,))
    found = [record.metrics.get("theory_test_loss") for record in run(cell())]
    assert found == [1.0, None, 3.0, None]


def test_records_without_closed_forms_are_refused_not_made(monkeypatch):
    """A copy of the source without its metadata has no entry points: records would lack theory without a word."""
    monkeypatch.setattr("trainables.recursion.loop.entry_points", lambda group: ())
    monkeypatch.setattr("trainables.recursion.loop._annotators", _annotators.__wrapped__)
    with pytest.raises(NotInstalled, match=r"no closed forms are installed .* pip install"):
        next(run(cell()))


def test_closed_forms_are_evaluated_once_a_recursion(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "trainables.recursion.loop._annotators", lambda: (lambda cell: asked.append(cell) or {"test_loss": [1.0] * 4},)
    )
    assert len(list(run(cell()))) == 4
    assert len(asked) == 1


def test_fresh_rows_are_in_no_other_corpus():
    store = MemoryStore()
    recursion = Recursion(cell("fresh_mix"), store)
    starts = [
        (b.start, b.rows)
        for n in range(2, 5)
        for d in recursion.steps.step(n).draws[:1]
        for b in recursion.steps.drawn(d)
    ]
    assert starts == [(20, 10), (30, 10), (40, 10)]


def test_the_audit_says_what_the_corpus_holds():
    held = [record.composition for record in run(cell({"kind": "weighted_fresh", "weight": 0.7}))]
    assert held[2]["rows_by_batch"] == {"-1": 10, "2": 10}
    assert held[2]["weight_by_batch"] == pytest.approx({"-1": 0.7, "2": 0.3})
    assert held[2]["effective_rows"] == pytest.approx(1 / (0.7**2 / 10 + 0.3**2 / 10))
    assert held[2]["duplicates"] == 0
    assert held[2]["rejected"] == {}


def test_a_subsample_is_audited_over_replicates():
    last = list(run(cell("accumulate_subsample", replicates=400, generations=4)))[-1]
    assert sum(last.composition["rows_by_batch"].values()) == pytest.approx(20)
    assert last.real_fraction == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 20 / 400))


def test_a_batch_that_no_corpus_draws_on_is_never_sampled(calls):
    list(run(cell({"kind": "ratio_mix", "ratio": 0})))
    assert calls["sample"] == 0
    assert calls["fit"] == 1


def test_a_judge_is_fitted_once_for_the_whole_recursion(calls):
    """One score for the bar that real rows set, and one for each generation's candidates."""
    list(run(cell("verified")))
    assert (calls["judge"], calls["score"]) == (1, 4)


def test_a_judge_is_shared_by_policies(calls):
    store = MemoryStore()
    list(run(cell("verified"), store))
    list(run(cell("curated"), store))
    assert calls["judge"] == 1


def test_model_one_judges_without_being_fitted_again(calls):
    list(run(cell("self_verified")))
    assert (calls["judge"], calls["fit"]) == (0, 4)


def test_a_pool_is_scored_once_a_batch(calls):
    """Four generations draw on 2, 3 and 4 batches by score: nine in all, of which four are different."""
    list(run(cell("detector_weighted")))
    assert (calls["judge"], calls["score"]) == (1, 4)


def test_rejections_are_counted_with_their_reason():
    first, *later = list(run(cell({"kind": "verified", "candidates": 3})))
    assert first.composition["rejected"] == {}
    for record in later:
        rejected = record.composition["rejected"]
        assert rejected["accept_reference"] + rejected["surplus"] == pytest.approx(40)
        assert record.composition["below_bar"] == 0
    best = list(run(cell({"kind": "verified", "candidates": 3, "rule": "top"})))[-1]
    assert best.composition["rejected"] == {"top_reference": 40}


def test_what_a_family_rejects_is_kept_beside_it(monkeypatch):
    original = Gaussian.sample

    def sample(self, *args, **kwargs):
        made = original(self, *args, **kwargs)
        return replace(made, meta={**made.meta, "rejected": {"not_valid": 2}})

    monkeypatch.setattr(Gaussian, "sample", sample)
    assert list(run(cell(generations=2)))[-1].composition["rejected"] == {"not_valid": 2}


def test_scores_that_are_no_numbers_end_the_recursion(monkeypatch):
    monkeypatch.setattr(Gaussian, "score", lambda self, kind, judge, batch, stream: np.full((5, batch.rows), np.nan))
    with pytest.raises(CellFailed, match="generation 2: sampling from model 1: 100 scores of the reference judge"):
        list(run(cell("verified")))


class Occupied(MemoryStore):
    """A store in which another process is computing every judge."""

    def once(self, kind, key, compute, parents=None):
        if kind == "judge":
            raise Busy(kind, key, Holder("elsewhere", 1))
        return super().once(kind, key, compute, parents)


@pytest.mark.parametrize("policy", ["verified", "curated"])
def test_a_judge_that_another_process_computes_costs_no_sample(calls, policy):
    records = run(cell(policy), Occupied())
    next(records)
    with pytest.raises(Busy):
        next(records)
    assert calls["sample"] == 0
