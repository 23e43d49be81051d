"""The contracts of families and sources catch what `tests/contract` has no example of: each clause of each promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ConfigDict

from trainables.families.closed_form.gaussian import Gaussian, GaussianConfig
from trainables.families.config import Cost
from trainables.sources.text import TextSource
from trainables.store import Payload
from trainables.testing import FAMILY_CHECKS, SOURCE_CHECKS, Bench, SourceBench, family_payloads_survive_the_store
from trainables.testing.bench import content, difference, row_digests
from trainables.testing.keys import variants

FAMILY: dict[str, Callable[[Any], None]] = {check.__name__: check for check in FAMILY_CHECKS}
SOURCE: dict[str, Callable[[SourceBench], None]] = {check.__name__: check for check in SOURCE_CHECKS}
Caught = (AssertionError, pytest.fail.Exception)
COST = Cost(5, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("check", "name", "value"),
    [
        ("family_is_plain_data", "model_config", ConfigDict(frozen=True, extra="ignore")),
        ("family_is_plain_data", "data_fields", frozenset({"dim", "size"})),
        ("family_is_plain_data", "data_fields", frozenset({"dim", "kind"})),
        ("family_is_plain_data", "judge_fields", frozenset({"dim"})),
        ("family_is_plain_data", "abilities", frozenset({"sing"})),
        ("family_states_its_cost", "cost", lambda self, rows: replace(COST, parameters=0)),
        ("family_states_its_cost", "cost", lambda self, rows: replace(COST, fit_flops=0.0)),
        ("family_states_its_cost", "cost", lambda self, rows: replace(COST, sample_flops=float("inf"))),
        ("family_states_its_cost", "cost", lambda self, rows: replace(COST, row_bytes=-1.0)),
        ("family_states_its_cost", "cost", lambda self, rows: replace(COST, tokens_per_row=0.0)),
        ("family_refuses_what_it_cannot_run", "vectorised", False),
        ("family_refuses_what_it_cannot_run", "available_rows", lambda self: 79),
        ("family_declares_its_metrics", "loss_unit", ""),
        ("family_declares_its_metrics", "metrics", GaussianConfig.metrics[:-1]),
        ("family_declares_its_metrics", "metrics", (*GaussianConfig.metrics, GaussianConfig.metrics[0])),
        ("family_keys_follow_roles", "fit_identity", lambda self: {"kind": "gaussian"}),
        ("family_keys_follow_roles", "data_identity", lambda self: {"kind": "gaussian"}),
    ],
)
def test_a_config_that_breaks_a_promise_is_caught(
    monkeypatch: pytest.MonkeyPatch, check: str, name: str, value: Any
) -> None:
    FAMILY[check](Bench("gaussian"))
    if name == "model_config":
        lenient = type("Lenient", (GaussianConfig,), {"model_config": value, "__module__": __name__})
        made = Bench("gaussian")
        bench: Any = SimpleNamespace(kind="gaussian", cell=made.cell.model_copy(update={"family": lenient(dim=2)}))
    else:
        monkeypatch.setattr(GaussianConfig, name, value)
        if name == "vectorised":
            monkeypatch.setattr(GaussianConfig, "check", lambda self, rows, replicates: None)
        bench = Bench("gaussian")
    with pytest.raises((*Caught, ValueError)):
        FAMILY[check](bench)


@pytest.mark.parametrize(
    ("name", "broken", "check"),
    [
        (
            "real",
            lambda old: lambda self, start, rows: old(Bench("gaussian").family, start, rows),
            "family_depends_on_seed_and_stream",
        ),
        (
            "sample",
            lambda old: lambda self, model, rows, stream, bias=1.0: old(self, model, rows, type(stream)("k"), bias),
            "family_depends_on_seed_and_stream",
        ),
        (
            "sample",
            lambda old: lambda self, model, rows, stream, bias=1.0: old(self, model, rows + 1, stream, bias),
            "family_counts_rows",
        ),
        (
            "fit",
            lambda old: (
                lambda self, corpus, stream: old(
                    self,
                    replace(corpus, parts=tuple(replace(part, weight=part.weight + 1) for part in corpus.parts)),
                    stream,
                )
            ),
            "family_ignores_the_scale_of_weights",
        ),
        (
            "score",
            lambda old: lambda self, kind, judge, batch, stream: old(self, kind, judge, batch, stream)[..., :-1],
            "family_scores_rows",
        ),
        (
            "score",
            lambda old: lambda self, kind, judge, batch, stream: old(self, kind, judge, batch, stream) * np.nan,
            "family_scores_rows",
        ),
        (
            "score",
            lambda old: (
                lambda self, kind, judge, batch, stream: (
                    old(self, kind, judge, batch, stream) + 2 * (kind == "detector")
                )
            ),
            "family_scores_rows",
        ),
        (
            "evaluate_each",
            lambda old: (
                lambda self, models, streams: [
                    replace(found, metrics=found.metrics | {"Bad Name": 1.0}) for found in old(self, models, streams)
                ]
            ),
            "family_evaluates_cleanly",
        ),
        (
            "evaluate_each",
            lambda old: (
                lambda self, models, streams: [
                    replace(found, replicates={n: v[:-1] for n, v in found.replicates.items()})
                    for found in old(self, models, streams)
                ]
            ),
            "family_evaluates_cleanly",
        ),
        (
            "evaluate_each",
            lambda old: (
                lambda self, models, streams: [
                    replace(found, metrics=found.metrics | {"nll": float("inf")})
                    for found in old(self, models, streams)
                ]
            ),
            "family_evaluates_cleanly",
        ),
    ],
)
def test_a_family_that_breaks_a_promise_is_caught(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: Any, check: str
) -> None:
    FAMILY[check](Bench("gaussian"))
    monkeypatch.setattr(Gaussian, name, broken(getattr(Gaussian, name)))
    with pytest.raises((*Caught, ValueError, TypeError)):
        FAMILY[check](Bench("gaussian"))


def bench_of(held_out: list[list[float]], real: Callable[[int, int], np.ndarray]) -> Any:
    """A bench whose family holds rows out, of one recursion with four real rows."""
    family = SimpleNamespace(
        held_out=lambda: Payload({"rows": len(held_out)}, {"x": np.array(held_out)}),
        real=lambda start, rows: Payload({"rows": rows}, {"x": real(start, rows)}),
    )
    return SimpleNamespace(cell=SimpleNamespace(rows=4, replicates=1), family=family)


def numbered(start: int, rows: int) -> np.ndarray:
    return np.arange(start, start + rows, dtype=float)[:, None]


@pytest.mark.parametrize(
    ("held_out", "real", "said"),
    [
        ([[99.0]], numbered, ""),
        ([[99.0], [3.0]], numbered, "a held-out row is in batch 0"),
        ([[99.0], [4.0]], numbered, "a held-out row is in the reserve"),
        ([[99.0], [11.0]], numbered, "a held-out row is in the reserve"),
        ([[99.0], [12.0]], numbered, ""),
        ([[99.0]], lambda start, rows: numbered(0, rows), "a row of batch 0 is in the reserve"),
    ],
)
def test_a_row_on_both_sides_of_the_split_is_caught(held_out: Any, real: Any, said: str) -> None:
    """Batch 0 is rows 0 to 3; the reserve that is looked at, 4 to 11."""
    check = FAMILY["family_holds_rows_out"]
    if said:
        with pytest.raises(AssertionError, match=said):
            check(bench_of(held_out, real))
    else:
        check(bench_of(held_out, real))


def editor(change: Callable[[np.ndarray, float], np.ndarray]) -> Any:
    """A bench whose family edits rows of text."""
    real = Payload({"rows": 3}, {"tokens": np.arange(6).reshape(3, 2)})

    def take(batch: Payload, index: np.ndarray) -> Payload:
        return Payload({"rows": len(index)}, {"tokens": batch.tensors["tokens"][index]})

    def edit(model: Any, batch: Payload, threshold: float, stream: Any) -> Payload:
        tokens = change(batch.tensors["tokens"], threshold)
        return Payload({"rows": len(tokens)}, {"tokens": tokens})

    family = SimpleNamespace(take=take, edit=edit)
    config = SimpleNamespace(abilities={"edit"})
    cell = SimpleNamespace(rows=3, replicates=1, family=config)
    return SimpleNamespace(cell=cell, family=family, real=real, model=None, stream=lambda name: None)


@pytest.mark.parametrize(
    ("change", "sound"),
    [
        (lambda tokens, threshold: tokens if threshold == 1 else tokens + 9, True),
        (lambda tokens, threshold: tokens, False),
        (lambda tokens, threshold: tokens + 9, False),
        (lambda tokens, threshold: tokens if threshold == 1 else tokens[:2], False),
        (lambda tokens, threshold: tokens if threshold < 1 else tokens + 9, False),
    ],
    ids=["sound", "edits nothing", "edits everything", "loses rows", "the wrong way round"],
)
def test_an_editor_that_breaks_its_promise_is_caught(change: Any, sound: bool) -> None:
    check = FAMILY["family_edits_rows"]
    if sound:
        check(editor(change))
    else:
        with pytest.raises(AssertionError):
            check(editor(change))


def test_a_model_that_a_store_would_not_keep_is_caught(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a fit leaves out of its payload is gone where the model is read again."""
    family_payloads_survive_the_store(Bench("gaussian"), str(tmp_path / "a"))
    old = Gaussian.sample
    order: dict[int, int] = {}

    def sample(self: Any, model: Payload, rows: int, stream: Any, bias: float = 1.0) -> Payload:
        return old(self, model, rows, stream, bias * 0.9 ** order.setdefault(id(model), len(order)))

    monkeypatch.setattr(Gaussian, "sample", sample)
    with pytest.raises(AssertionError):
        family_payloads_survive_the_store(Bench("gaussian"), str(tmp_path / "b"))


def test_a_start_that_changes_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of linear models by gradient steps; fine-tuning that fits afresh is no start."""
    bench = Bench("linear")
    fields = bench.cell.family.canonical() | {"estimator": "gradient_descent", "steps": 3}
    cell = bench.cell.model_copy(update={"family": type(bench.cell.family).model_validate(fields)})
    steps = Bench("linear")
    steps.__dict__["cell"] = cell
    FAMILY["family_starts_where_told"](steps)
    monkeypatch.setattr(type(steps.family), "fine_tune", lambda self, start, corpus, stream: self.fit(corpus, stream))
    again = Bench("linear")
    again.__dict__["cell"] = cell
    with pytest.raises(AssertionError):
        FAMILY["family_starts_where_told"](again)


def test_payloads_that_differ_are_told_by_what_differs() -> None:
    one = Payload({"rows": 2}, {"x": np.array([1.0, np.nan]), "k": np.array([1, 2])}, files={"a": b"1"})
    assert difference(one, one) == ""
    assert difference(one, replace(one, meta={"rows": 3})) == "meta: {'rows': 2} and {'rows': 3}"
    assert difference(one, replace(one, tensors={"x": one.tensors["x"]})) == "tensors ['k', 'x'] and ['x']"
    narrow = {**one.tensors, "x": one.tensors["x"].astype(np.float32)}
    assert difference(one, replace(one, tensors=narrow)) == "tensor x"
    assert difference(one, replace(one, files={"a": b"2"})) == "files"
    moved = {**one.tensors, "k": np.array([1, 3])}
    assert difference(one, replace(one, tensors=moved)) == "tensor k"
    assert content(one) == content(replace(one, meta={"rows": 9})), "rows or weights alone"
    assert content(one) != content(replace(one, tensors=moved))


def test_rows_are_told_by_all_their_columns_of_every_replicate() -> None:
    flat = Payload({"rows": 2}, {"a": np.array([[1, 2], [1, 2]]), "b": np.array([5, 6]), "model": np.ones(7)})
    assert len(set(row_digests(flat))) == 2, "equal in a, not in b"
    deep = Payload({"rows": 2}, {"a": np.array([[[1], [2]], [[2], [3]], [[1], [1]]])})
    found = row_digests(deep)
    assert len(found) == 6
    assert [found.index(one) for one in found] == [0, 1, 1, 3, 0, 0]


def test_a_field_is_changed_to_another_value_that_is_valid() -> None:
    bench = Bench("gaussian")
    found = dict(variants(bench.cell))
    assert set(found) == set(GaussianConfig.model_fields) - {"kind"}
    for name, cell in found.items():
        assert getattr(cell.family, name) != getattr(bench.cell.family, name)
        same = cell.family.canonical() | {name: getattr(bench.cell.family, name)}
        assert same == bench.cell.family.canonical(), "one field at a time"


class Words(TextSource):
    """Texts that are told by what they hold."""

    kind: str = "words"
    words: tuple[str, ...] = ("a", "b")

    def read(self) -> dict[str, Any]:
        return {"train": list(self.words)}

    def identity(self) -> dict[str, Any]:
        return {"words": list(self.words)}

    def digest(self) -> str:
        return "-".join(self.words)


class Loose(Words):
    model_config = ConfigDict(frozen=False, extra="forbid")


class Generous(Words):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Drawing(Words):
    def read(self) -> dict[str, Any]:
        return {"train": [*self.words, str(np.random.default_rng().random())]}


class Unwritten(Words):
    def identity(self) -> dict[str, Any]:
        return {"words": self.words}


class Changing(Words):
    def identity(self) -> dict[str, Any]:
        return {"words": str(np.random.default_rng().random())}


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Loose, "source_is_plain_data"),
        (Generous, "source_is_plain_data"),
        (Drawing, "source_reads_the_same_again"),
        (Changing, "source_reads_the_same_again"),
        (Unwritten, "source_identity_has_a_json_form"),
    ],
)
def test_a_source_that_breaks_a_promise_is_caught(kind: type[Words], check: str) -> None:
    for one in SOURCE.values():
        one(SourceBench(Words(), others=(Words(words=("a",)),)))
    with pytest.raises(Caught):
        SOURCE[check](SourceBench(kind()))


def test_a_bench_whose_others_read_the_same_tests_nothing_and_says_so() -> None:
    with pytest.raises(AssertionError, match="reads nothing else: it tests nothing"):
        SOURCE["source_tells_apart_what_differs"](SourceBench(Words(), others=(Words(),)))
    with pytest.raises(AssertionError):
        SOURCE["source_is_told_by_content"](SourceBench(Words(), moved=Words()))
