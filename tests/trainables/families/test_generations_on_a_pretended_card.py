"""Whole generations of each family as on a card: nothing refused, and a CPU's losses."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.support.pretend_card import Card
from tests.support.pretend_cuda import on_a_cpu
from trainables import Cell
from trainables.cell import Record
from trainables.families import FAMILIES
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.vae import network
from trainables.recursion import Recursion
from trainables.runtime import DEVICE
from trainables.store import MemoryStore

FIELDS: dict[str, dict[str, Any]] = {
    "language": {"layers": 2, "steps": 6, "sequences": "documents"},
    "vae": {"width": 4, "latent": 2, "judged": 64, "feature_steps": 6, "steps": 6, "clip": 1.0},
    "diffusion": {"layers": 2, "steps": 10},
}
SINGLE: dict[str, dict[str, Any]] = {
    "language": {"precision": "float32", "sampling_precision": "float32", "architecture": "llama"},
    "vae": {"precision": "float32"},
    "diffusion": {},
}
LOOKING = [
    *("language.fit", "language.replicates.training", "diffusion.fit", "diffusion.replicates.training"),
    *("vae.training", "vae.replicates.batched"),
]
"""Modules that look at losses every so many updates."""

POLICIES: list[dict[str, Any]] = [
    {"kind": "accumulate"},
    {"kind": "curated", "judge": "reference"},
    {"kind": "curated", "judge": "detector"},
    {"kind": "self_corrected"},
]
CASES = [
    pytest.param(kind, policy, 3 if policy["kind"] == "accumulate" else 1, id="-".join([kind, *policy.values()]))
    for kind in FIELDS
    for policy in POLICIES
    if (kind, policy["kind"]) != ("language", "self_corrected")  # nothing to move tokens towards
]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses of fits of few updates are looked at on the way too."""
    for where in LOOKING:
        monkeypatch.setattr(f"trainables.families.{where}.CHECK_EVERY", 4)


def records(kind: str, fields: dict[str, Any], policy: dict[str, Any], replicates: int, start: str) -> list[Record]:
    tiny, rows = FAMILIES.get(kind).tiny()
    family = tiny.canonical() | FIELDS[kind] | fields | {"start": start}
    cell = {"family": family, "policy": policy, "generations": 2, "rows": rows, "replicates": replicates}
    recursion = Recursion(Cell.model_validate(cell), MemoryStore())
    return [recursion.record(number) for number in (1, 2)]


@pytest.mark.parametrize(("replicates", "start", "device"), [(1, "previous", "cuda:1"), (3, "fresh", "cuda")])
@pytest.mark.parametrize("kind", FIELDS)
def test_losses_are_a_cpus(
    card: Card, kind: str, replicates: int, start: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In single precision, up to rounding and the rows that it leads elsewhere; on the current card or another."""
    monkeypatch.setenv(DEVICE, device)
    found = records(kind, SINGLE[kind], {"kind": "replace"}, replicates, start)
    alone = card.replays
    with on_a_cpu(monkeypatch):
        expected = records(kind, SINGLE[kind], {"kind": "replace"}, replicates, start)
    assert alone > 0 or (kind == "vae" and replicates > 1), "something was recorded"
    assert found[0].test_loss == pytest.approx(expected[0].test_loss, rel=2e-4)
    assert found[1].test_loss == pytest.approx(expected[1].test_loss, rel=0.02)
    assert found[0].metrics.keys() == expected[0].metrics.keys()


@pytest.mark.parametrize(("kind", "policy", "replicates"), CASES)
def test_generations_in_halves(card: Card, kind: str, policy: dict[str, Any], replicates: int) -> None:
    """As a card takes them, judged and corrected on it."""
    for record in records(kind, {}, policy, replicates, "fresh"):
        assert np.isfinite(record.test_loss)


def test_a_card_that_only_emulates_halves_takes_single_precision(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards before Ampere calculate in bfloat16 slower than in single precision, which torch calls supported."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    tiny, _ = FAMILIES.get("language").tiny()
    assert isinstance(tiny, LanguageConfig)
    assert not architecture.halves(tiny)
    assert architecture.sampling_dtype(tiny) == torch.float32
    with network.arithmetic("auto"):
        assert not torch.is_autocast_enabled("cuda")
    with network.arithmetic("bfloat16"):
        assert torch.is_autocast_enabled("cuda"), "who asks for it has it"
