"""What every registered family must do: deterministic, leak-free, faithful through the store."""

from __future__ import annotations

import json
import math
import random
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from trainables.cell import Cell
from trainables.families import Diverged, Evaluation, Family, undeclared
from trainables.lineage import Stream, make_key
from trainables.recursion import Recursion, check_data, run
from trainables.store import MemoryStore, Payload, open_store
from trainables.testing.abilities import ABILITY_CHECKS
from trainables.testing.bench import Bench, content, difference, row_digests
from trainables.testing.keys import family_keys_follow_roles, family_results_follow_roles


def family_is_plain_data(bench: Bench) -> None:
    """The config is frozen, refuses unknown keys, survives JSON, and gives every field one role."""
    config = bench.cell.family
    assert type(config).model_validate_json(json.dumps(config.canonical(), allow_nan=False)) == config
    assert type(config).model_validate({}).kind == bench.kind
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(config).model_validate(config.canonical() | {"no_such_key": 1})
    roles = [config.data_fields, config.sampling_fields, config.evaluation_fields, config.judge_fields]
    roles.append(config.start_fields)
    assert frozenset().union(*roles) <= type(config).model_fields.keys() - {"kind"}
    assert sum(map(len, roles)) == len(frozenset().union(*roles)), "a field has two roles"
    assert config.abilities <= {"bias", "correct", "edit", "score"}


def family_states_its_cost(bench: Bench) -> None:
    """Costs are finite and positive, from the config alone."""
    cost = bench.cell.family.cost(bench.cell.rows)
    assert cost.parameters > 0
    for figure in (cost.fit_flops, cost.sample_flops, cost.row_bytes, cost.tokens_per_row):
        assert math.isfinite(figure)
        assert figure > 0


def family_refuses_what_it_cannot_run(bench: Bench) -> None:
    """Replicates on an unvectorised family are refused, naming the field; so are more rows than there are."""
    if not bench.cell.family.vectorised:
        with pytest.raises(ValueError, match=r"^replicates: "):
            bench.cell.family.check(bench.cell.rows, 2)
    available = bench.cell.family.available_rows()
    if available is not None:
        assert available >= 4 * bench.cell.rows, "tiny() must leave a reserve of three times its rows"
        with pytest.raises(ValueError, match=f"rows: {available + 1} real rows"):
            check_data(bench.cell.model_copy(update={"rows": available + 1}))


def family_declares_its_metrics(bench: Bench) -> None:
    """Every figure of a record is declared, and every declared one is recorded unless its declaration says when it is;
    what has a verdict has a worse direction, and a family declares a disagreement if it tells one."""
    declared = bench.cell.family.recorded()
    figures = bench.recursion.record(2).metrics
    names = [metric.name for metric in declared]
    assert len(set(names)) == len(names)
    assert not undeclared(list(figures), declared)
    lacking = {metric.name for metric in declared if not metric.when} - set(figures) - {"test_loss"}
    assert not lacking, f"declared and never recorded: {sorted(lacking)}"
    assert all(metric.label for metric in declared)
    assert all(metric.worse for metric in declared if metric.judged or metric.role not in (None, "uninformed"))
    assert declared[0].unit, "loss_unit is empty"
    tells = type(bench.family).disagree is not Family.disagree
    assert ("disagreement" in names) == tells


def family_is_deterministic(bench: Bench) -> None:
    """Real rows, model, batch and evaluation repeat to the last bit, in any order of calls."""
    twin = Bench(bench.kind, bench.seed)
    again = twin.recursion.record(2)
    first = bench.recursion.record(2)
    assert again.model_dump(exclude={"seconds"}) == first.model_dump(exclude={"seconds"})
    assert not difference(twin.real, bench.real)
    assert content(twin.model) == content(bench.model)
    assert content(twin.synthetic) == content(bench.synthetic)


def family_depends_on_seed_and_stream(bench: Bench) -> None:
    """Another seed gives other real rows and another model; another stream gives other samples."""
    other = Bench(bench.kind, bench.seed + 1)
    assert content(other.real) != content(bench.real)
    assert content(other.model) != content(bench.model)
    samples = [bench.family.sample(bench.model, bench.cell.rows, bench.stream(name)) for name in ("a", "b")]
    assert content(samples[0]) != content(samples[1])


def family_starts_where_told(bench: Bench) -> None:
    """From its predecessor, a fit gives another model than a fresh one, whoever asks; generation 1 is shared. A config
    may refuse a start that changes nothing, by name."""
    if "start" not in bench.cell.family.start_fields:
        return
    cell = _going_on(bench.cell)
    if cell is None:
        return
    one, other = (Recursion(cell, MemoryStore()) for _ in range(2))
    assert content(one.model(1)) == content(bench.model)
    assert content(one.model(2)) != content(bench.recursion.model(2))
    assert content(other.model(2)) == content(one.model(2))


def _going_on(cell: Cell) -> Cell | None:
    """The cell, each generation from the last; None where its family refuses that."""
    family = cell.family.canonical() | {"start": "previous"}
    try:
        return Cell.model_validate(cell.canonical() | {"family": family})
    except ValidationError as problem:
        if "start: " not in str(problem):
            raise
        return None


def family_touches_no_global_generator(bench: Bench) -> None:
    """Building, fitting, sampling and judging leave the global generators as they were."""
    bench.recursion.record(1)  # imports done here may seed what they like
    before = _global_generators()
    list(run(bench.cell.model_copy(update={"seed": bench.seed + 2})))
    assert _global_generators() == before


def _global_generators() -> list[Any]:
    states: list[Any] = [random.getstate(), str(np.random.get_state())]  # noqa: NPY002 - the global one is the point
    torch = sys.modules.get("torch")
    return [*states, torch.get_rng_state().tolist()] if torch else states


def family_holds_rows_out(bench: Bench) -> None:
    """Batch 0, the reserve and the held-out rows have no row in common, in none of the replicates."""
    held_out = bench.family.held_out()
    if held_out is None:
        return
    rows = bench.cell.rows
    held = set(row_digests(held_out))
    assert held
    for first, reserve in zip(_by_replicate(bench, 0, rows), _by_replicate(bench, rows, 2 * rows), strict=True):
        assert not held & first, "a held-out row is in batch 0"
        assert not held & reserve, "a held-out row is in the reserve"
        assert not first & reserve, "a row of batch 0 is in the reserve"


def _by_replicate(bench: Bench, start: int, rows: int) -> list[set[str]]:
    """Digests of each replicate's real rows, or of those that all share."""
    found = row_digests(bench.family.real(start, rows))
    return [set(found[first : first + rows]) for first in range(0, len(found), rows)]


def family_counts_rows(bench: Bench) -> None:
    """Batches hold as many rows as asked, and say so."""
    rows = bench.cell.rows
    assert bench.real.rows == rows
    assert bench.family.real(rows, 5).rows == 5
    assert bench.synthetic.rows == rows
    assert bench.family.sample(bench.model, 3, bench.stream("three")).rows == 3


def family_payloads_survive_the_store(bench: Bench, folder: str) -> None:
    """What was written to disk and read back is equal to the last bit, and works as well."""
    disk = open_store(folder)
    for kind, payload in {"batch": bench.real, "model": bench.model, "judge": bench.synthetic}.items():
        disk.put(kind, make_key(kind), payload)
        found = open_store(folder).get(kind, make_key(kind))
        assert found is not None
        assert not difference(found, payload)
    read = open_store(folder).get("model", make_key("model"))
    assert read is not None
    one, other = (bench.family.evaluate(model, bench.stream("store")) for model in (read, bench.model))
    assert one.test_loss == other.test_loss
    batches = [bench.family.sample(model, 4, bench.stream("store")) for model in (read, bench.model)]
    assert content(batches[0]) == content(batches[1])


def family_fits_any_corpus(bench: Bench) -> None:
    """Subsamples, repeats, weights and several batches are all fitted, and weights matter."""
    rows = bench.cell.rows
    half = bench.index("half", max(rows // 2, 1), replace=False)
    repeats = bench.index("repeats", rows, replace=True)
    even = bench.fit((bench.real, half, 1.0), (bench.synthetic, repeats, 1.0))
    uneven = bench.fit((bench.real, half, 1.0), (bench.synthetic, repeats, 0.1))
    _check_evaluation(bench.family.evaluate(even, bench.stream("even")), bench.cell.replicates)
    _check_evaluation(bench.family.evaluate(uneven, bench.stream("even")), bench.cell.replicates)
    assert content(even) != content(uneven), "row weights are ignored"


def family_ignores_the_scale_of_weights(bench: Bench) -> None:
    """Weights count relative to each other alone."""
    one = bench.fit((bench.real, None, 1.0), (bench.synthetic, None, 0.5))
    twice = bench.fit((bench.real, None, 2.0), (bench.synthetic, None, 1.0))
    losses = [bench.family.evaluate(model, bench.stream("scale")).test_loss for model in (one, twice)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def family_evaluates_cleanly(bench: Bench) -> None:
    """Losses and metrics are finite, names are snake_case, replicates come one value each."""
    for model in (bench.model, bench.recursion.model(3)):
        _check_evaluation(bench.family.evaluate(model, bench.stream("evaluate")), bench.cell.replicates)


def _check_evaluation(found: Evaluation, replicates: int) -> None:
    assert math.isfinite(found.test_loss)
    for name, value in found.metrics.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
        assert math.isfinite(value), name
    for name, values in found.replicates.items():
        assert values.shape == (replicates,), name


def family_judges_alike_together(bench: Bench) -> None:
    """Models judged side by side get what each gets alone, to the last digit."""
    family = bench.family
    assert family.judges_together == (type(family).evaluate_each is not Family.evaluate_each)
    if not family.judges_together:
        return
    models, streams = [bench.recursion.model(n) for n in (1, 2)], [Stream("judged", (str(n),)) for n in (1, 2)]
    together = family.evaluate_each(models, streams)
    for model, stream, found in zip(models, streams, together, strict=True):
        alone = family.evaluate(model, stream)
        assert (found.test_loss, found.metrics, found.files) == (alone.test_loss, alone.metrics, alone.files)
        assert found.replicates.keys() == alone.replicates.keys()
        assert all(np.array_equal(found.replicates[name], alone.replicates[name]) for name in alone.replicates)


def family_reports_divergence(bench: Bench) -> None:
    """A model that is not finite raises `Diverged`, never a number."""
    tensors = {n: np.full_like(v, np.nan) if v.dtype.kind == "f" else v for n, v in bench.model.tensors.items()}
    broken = Payload(bench.model.meta, tensors, bench.model.table, bench.model.files)
    if any(value.dtype.kind == "f" for value in tensors.values()):
        with pytest.raises(Diverged):
            bench.family.evaluate(broken, bench.stream("broken"))


FAMILY_CHECKS: tuple[Callable[[Bench], None], ...] = (
    family_is_plain_data,
    family_states_its_cost,
    family_refuses_what_it_cannot_run,
    family_declares_its_metrics,
    family_is_deterministic,
    family_depends_on_seed_and_stream,
    family_starts_where_told,
    family_touches_no_global_generator,
    family_holds_rows_out,
    family_counts_rows,
    family_fits_any_corpus,
    family_ignores_the_scale_of_weights,
    family_evaluates_cleanly,
    family_judges_alike_together,
    family_reports_divergence,
    *ABILITY_CHECKS,
    family_keys_follow_roles,
    family_results_follow_roles,
)
