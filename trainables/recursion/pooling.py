"""A population's record, pooled from its members' records; and the corpus of a member, in the order of batches."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trainables.corpus import RealisedDraw
from trainables.families.closed_form import summarise
from trainables.population import Feed
from trainables.store import Payload

SPLIT = ("rows_by_batch", "weight_by_batch", "rejected")
"""Parts of a composition that are tables by name."""


def by_age(parts: Iterable[RealisedDraw]) -> tuple[RealisedDraw, ...]:
    """Whole batches one by one, oldest first, so that a pool that grows only grows at its end; then drawn rows."""
    parts = list(parts)
    entire = (part for part in parts if part.index is None)
    whole = [RealisedDraw((batch,), None, part.weight) for part in entire for batch in part.batches]
    return (*sorted(whole, key=lambda part: part.batches[0].number), *(p for p in parts if p.index is not None))


def weight_by_member(draws: Iterable[tuple[Feed, Mapping[int, float]]]) -> dict[str, float]:
    """Share of the loss by whose rows carry it, `real` and member numbers; sums to 1.

    Args:
        draws: of a corpus, each with the rows that it came to, by batch number.
    """
    found: dict[str, float] = {}
    for draw, held in draws:
        source, weight = str(draw.source), draw.weight
        for number, rows in held.items():
            whose = "real" if number <= 0 else source
            found[whose] = found.get(whose, 0.0) + rows * weight
    total = sum(found.values())
    return {whose: weight / total for whose, weight in sorted(found.items())}


def lost(records: Sequence[Payload]) -> Payload:
    """The record's payload of a population of whose members one has failed, the first of these."""
    number, meta = next((n, record.meta) for n, record in enumerate(records, 1) if "failed" in record.meta)
    return Payload(meta={"failed": f"member {number}: {meta['failed']}", "generation": meta["generation"]})


def pool(
    records: Sequence[Payload], carried: Sequence[Mapping[str, float]], apart: Mapping[str, np.ndarray], models: str
) -> Payload:
    """The record's payload of a population.

    `test_loss` and every metric that all members have are means over members; `worst_loss` is the largest loss,
    `loss_spread` the largest less the least, `test_loss_1` … each member's own. With replicates, these are taken within
    each and then summarised, so that standard errors allow for what members have in common. Rows are of all members
    together.

    Args:
        records: of the members, in order.
        carried: whose rows carry the loss of each member's corpus.
        apart: how their models differ, by metric, one value a replicate.
        models: names them.
    """
    values = _means([record.tensors for record in records]) | _losses(records) | dict(apart)
    found = summarise(values, spread=_spread(records))
    held = [record.meta["composition"] | {"weight_by_member": by} for record, by in zip(records, carried, strict=True)]
    composition = _composition(held)
    seconds = [record.meta["seconds"] for record in records]
    meta = {
        "test_loss": found.test_loss,
        "corpus_rows": composition["rows"],
        "real_fraction": composition["real_fraction"],
        "metrics": finite({**_shared([record.meta["metrics"] for record in records], found.metrics), **found.metrics}),
        "model": models,
        "composition": composition,
        "seconds": {name: sum(each[name] for each in seconds) for name in ("fit", "evaluate")},
    }
    kept = values if records[0].tensors else {}
    return Payload(meta=meta, tensors=kept, files=_files(records))


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that are numbers; one that is not finite is absent."""
    return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}


def _losses(records: Sequence[Payload]) -> dict[str, np.ndarray]:
    """Losses of the members and what they come to, [replicates]."""
    each = np.stack([record.tensors.get("test_loss", np.array([record.meta["test_loss"]])) for record in records])
    found = {f"test_loss_{number}": loss for number, loss in enumerate(each, 1)}
    worst = each.max(axis=0)
    return found | {"test_loss": each.mean(axis=0), "worst_loss": worst, "loss_spread": worst - each.min(axis=0)}


def _means(tensors: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Means over members of what all of them have, replicate by replicate."""
    names = [name for name in tensors[0] if all(name in other for other in tensors)]
    means = np.mean([[held[name] for held in tensors] for name in names], axis=1) if names else ()
    return dict(zip(names, means, strict=True))


def _shared(metrics: Sequence[Mapping[str, float]], but: Collection[str]) -> dict[str, float]:
    """Means over members of the metrics that all of them have, `but` some."""
    names = [name for name in metrics[0] if name not in but and all(name in other for other in metrics)]
    means = np.mean([[held[name] for held in metrics] for name in names], axis=1) if names else np.empty(0)
    return dict(zip(names, means.tolist(), strict=True))


def _spread(records: Sequence[Payload]) -> set[str]:
    """The metrics whose quantiles the family reports."""
    named = {name for name in records[0].tensors if f"{name}_median" in records[0].meta["metrics"]}
    return named | {"test_loss", "worst_loss"}


def _composition(held: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The audit of all corpora together; each member's own under `members`."""
    rows = sum(one["rows"] for one in held)
    split = {name: _added([one[name] for one in held]) for name in SPLIT}
    split["weight_by_batch"] = {name: weight / len(held) for name, weight in split["weight_by_batch"].items()}
    sums = {name: sum(one[name] for one in held) for name in ("effective_rows", "duplicates", "below_bar")}
    return {
        "rows": rows,
        "real_fraction": sum(one["rows"] * one["real_fraction"] for one in held) / rows,
        **split,
        **sums,
        "members": {str(number): dict(one) for number, one in enumerate(held, 1)},
    }


def _added(tables: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for table in tables:
        for name, value in table.items():
            total[name] = total.get(name, 0.0) + value
    return total


def _files(records: Sequence[Payload]) -> dict[str, bytes]:
    """Member 1's under their own names, the others' with the member's number before it."""
    numbered = [(number, name, data) for number, record in enumerate(records, 1) for name, data in record.files.items()]
    return {name if number == 1 else f"member-{number}-{name}": data for number, name, data in numbered}
