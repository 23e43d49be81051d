"""Language recursions end to end: every kind of architecture, what the literature says, and honest failure."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import Cell, CellFailed, Record, run
from trainables.families.batches import shuffled
from trainables.families.language.config import LanguageConfig
from trainables.families.language.data import prepare
from trainables.families.language.evaluate import row_losses
from trainables.families.language.fit import fit, rate
from trainables.families.language.token_rows import Rows
from trainables.families.metrics import plain
from trainables.lineage import Stream
from trainables.population import Population
from trainables.recursion import Recursion, reported
from trainables.store import open_store

TINY: dict[str, Any] = LanguageConfig.tiny()[0].canonical()


def cell(policy: str, generations: int, rows: int = 32, seed: int = 0, **family: Any) -> Cell:
    return Cell.model_validate(
        {
            "family": TINY | family,
            "policy": {"kind": policy},
            "rows": rows,
            "generations": generations,
            "seed": seed,
        }
    )


def losses(records: Iterator[Record]) -> list[float]:
    return [record.test_loss for record in records]


@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox", "qwen3", "mamba", "bloom"])
def test_every_kind_of_architecture_runs_a_recursion(name: str) -> None:
    records = list(run(cell("replace", 2, architecture=name)))
    assert [record.generation for record in records] == [1, 2]
    assert records[0].metrics["uniform_loss"] == pytest.approx(np.log(300))
    assert all(record.test_loss < 1.2 * np.log(300) for record in records)


def test_documents_run_a_recursion() -> None:
    records = list(run(cell("accumulate", 2, sequences="documents")))
    assert records[1].corpus_rows == 64


def test_weights_shift_the_model_towards_the_heavy_rows() -> None:
    config = LanguageConfig.model_validate(TINY | {"epochs": 20})
    one, other = (np.full((16, 24), token, np.uint16) for token in (10, 20))
    tokens, starts = np.concatenate([one, other]).ravel(), np.arange(33) * 24
    heavy = fit(config, Rows(tokens, starts, np.repeat([1.9, 0.1], 16)), Stream("w"))
    found = row_losses(config, heavy, Rows(tokens, starts))
    assert found[:16].mean() < found[16:].mean() - 0.5


def test_equal_steps_do_not_depend_on_the_corpus() -> None:
    config = LanguageConfig.model_validate(TINY | {"steps": 7})
    assert config.updates(10) == config.updates(10_000) == 7
    assert config.cost(100).fit_flops * 100 == pytest.approx(config.cost(400).fit_flops * 400)


def test_updates_see_every_row_once_per_pass() -> None:
    batches = shuffled(10, 4, np.random.default_rng(0))
    seen = np.concatenate([next(batches) for _ in range(5)])
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))


def test_the_schedule_warms_up_and_comes_down() -> None:
    config = LanguageConfig(warmup=0.1, final_learning_rate=0.1)
    rates = [rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_divergence_fails_the_cell_at_its_generation() -> None:
    with pytest.raises(CellFailed, match=r"^generation 1: .*not finite"):
        list(run(cell("replace", 2, learning_rate=1e30, clip=1e30)))


def test_skipped_documents_are_reported(tmp_path: Path) -> None:
    sentences = [f"the {a} {b} saw the other {c}" for a in ("old", "red") for b in ("fox", "cat") for c in range(90)]
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join([*sentences, "", " ", sentences[0]]))
    found = next(iter(run(cell("replace", 1, source={"kind": "text", "path": str(path)}))))
    assert found.metrics["source_empty"] == 2
    assert found.metrics["source_repeated"] == 1


def test_too_few_rows_are_refused_before_training() -> None:
    available = prepare(LanguageConfig.model_validate(TINY)).train.rows
    with pytest.raises(ValueError, match=f"rows: {available + 1} real rows"):
        next(iter(run(cell("replace", 2, rows=available + 1))))


@pytest.mark.slow
def test_replace_rises_and_accumulate_does_not() -> None:
    fields = {"kind": "language", "width": 32, "layers": 2, "heads": 2, "context": 48, "vocabulary": 400}
    family = fields | {"epochs": 4, "batch": 4, "test_rows": 128, "sample_rows": 0}
    base = {"family": family, "rows": 150, "generations": 3}
    rises, curves = [], []
    for seed in (0, 1, 2):
        replaced, kept = (
            losses(run(Cell.model_validate(base | {"policy": {"kind": kind}, "seed": seed})))
            for kind in ("replace", "accumulate")
        )
        assert replaced[0] == kept[0]
        assert replaced[0] + 0.15 < min(replaced[1:])
        rises.append(max(kept) - kept[0])
        curves.append(replaced)
    assert np.mean(rises) < 0.05, "single seeds of so small a model scatter by 0.04 nats"
    assert (np.diff(np.mean(curves, axis=0)) > 0).all(), "and so their mean is asked to rise in every generation"


@pytest.mark.slow
def test_a_low_temperature_collapses_faster() -> None:
    """Gerstgrasser et al. 2024, table 2: temperature 0.3 is worse than 1.0 under replace."""
    fields = {"kind": "language", "width": 32, "layers": 2, "heads": 2, "context": 48, "vocabulary": 400}
    found = {}
    for temperature in (0.3, 1.0):
        family = fields | {"batch": 4, "test_rows": 128, "sample_rows": 32, "temperature": temperature}
        base = {"family": family, "policy": {"kind": "replace"}, "rows": 150, "generations": 3}
        found[temperature] = list(run(Cell.model_validate(base)))
    assert found[0.3][0].test_loss == found[1.0][0].test_loss
    assert found[0.3][-1].test_loss > found[1.0][-1].test_loss + 0.1
    assert found[0.3][-1].metrics["entropy"] < found[1.0][-1].metrics["entropy"]


@pytest.mark.parametrize("replicates", [1, 2])
def test_what_samples_do_not_have_is_absent_whenever_the_record_was_written(replicates: int) -> None:
    """Rows of three tokens have no 4-grams, one row alone no others; records held 1 and 0 in their place."""
    asked = cell("replace", 1, rows=64, context=3, sample_rows=1).model_copy(update={"replicates": replicates})
    store = open_store(None)
    (record,) = run(asked, store)
    absent = {"repetition", "self_bleu"}
    assert not absent & {plain(name) for name in record.metrics}
    assert record.metrics["distinct_3"] == 1.0
    key = Recursion(asked, store).steps.step(1).record
    held = store.get("record", key)
    assert held is not None
    old = {"repetition": 1.0, "repetition_se": 0.0, "self_bleu": 0.0}
    each = {"repetition": np.array([1.0, 0.25]), "self_bleu": np.zeros(2)} if replicates > 1 else {}
    older = replace(held, meta={**held.meta, "metrics": held.meta["metrics"] | old}, tensors={**held.tensors, **each})
    again = open_store(None)
    again.once("record", key, lambda: older)
    assert next(iter(run(asked, again))).metrics == record.metrics


def test_a_population_is_pooled_without_what_its_members_records_do_not_have() -> None:
    asked = cell("replace", 1, rows=32, context=3).model_copy(update={"population": Population(models=2, real="own")})
    store, again = open_store(None), open_store(None)
    (record,) = run(asked, store)
    assert "repetition" not in record.metrics
    steps = Recursion(asked, store).steps
    for member in steps.members:
        key = member.step(1).own_record
        held = store.get("record", key)
        assert held is not None
        older = replace(held, meta={**held.meta, "metrics": held.meta["metrics"] | {"repetition": 1.0}})
        again.once("record", key, lambda older=older: older)
    assert next(iter(run(asked, again))).metrics == record.metrics


@pytest.mark.parametrize("replicates", [1, 2])
@pytest.mark.parametrize(
    ("first", "kept"), [("wrong", False), ("absent", False), ("high", True)], ids=["of 1", "absent", "really high"]
)
def test_a_pooled_record_of_an_earlier_build_is_read_without_what_a_member_lacks(
    first: str, kept: bool, replicates: int
) -> None:
    """A mean over members of which one alone had no 4-grams, and held 1 for it: (1 + 0.25) / 2."""
    population = Population(models=2, real="own")
    asked = cell("replace", 1, rows=32, context=8).model_copy(
        update={"population": population, "replicates": replicates}
    )
    made, store = open_store(None), open_store(None)
    list(run(asked, made))
    steps = Recursion(asked, made).steps
    figures = {"wrong": 1.0, "absent": None, "high": 0.97}[first], 0.25

    def changed(key: str, value: float | None) -> None:
        held = made.get("record", key)
        assert held is not None
        bare = {name: v for name, v in held.meta["metrics"].items() if plain(name) != "repetition"}
        tensors = {name: v for name, v in held.tensors.items() if plain(name) != "repetition"}
        if value is not None:
            bare |= {"repetition": value}
            tensors |= {"repetition": np.array([value, 0.25])} if replicates > 1 else {}
        store.put("record", key, replace(held, meta=held.meta | {"metrics": bare}, tensors=tensors))

    for member, figure in zip(steps.members, figures, strict=True):
        changed(member.own_key(1), figure)
    changed(steps.step(1).record, ((figures[0] or 1.0) + figures[1]) / 2)
    read = Recursion(asked, store).stored(1)
    assert read is not None
    assert ("repetition" in read.metrics) == kept
    assert "distinct_1" in read.metrics
    pooled = store.get("record", steps.step(1).record)
    assert pooled is not None
    assert ("repetition" in reported(pooled, steps, 1, store).tensors) == (kept and replicates > 1)
