"""Fits as on a card: recorded, refused nothing, waiting seldom, and ending where a CPU's reference path does."""

import contextlib
import gc
import inspect
import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import varlen

from tests.support.pretend_card import Card
from tests.support.pretend_cuda import on_a_cpu
from trainables.families.language import fit as fits
from trainables.families.language import gpu
from trainables.families.language import model as architecture
from trainables.families.language.adapters import adapted, adapter_weights
from trainables.families.language.config import LanguageConfig
from trainables.families.language.gpu import train, update
from trainables.families.language.gpu.attention import kernels_agree
from trainables.families.language.token_rows import Rows, RowsView
from trainables.lineage import Stream

CONTEXT, WORDS, UPDATES = 24, 260, 8
BOTH = ["gpt2", "llama"]
TRUNCATED = {"kind": "truncated", "above": 0.05}
Tensors = dict[str, np.ndarray]


def config(name: str, **fields: Any) -> LanguageConfig:
    shape = {"width": 16, "layers": 2, "heads": 2, "context": CONTEXT, "vocabulary": WORDS, "batch": 8}
    words = {"steps": UPDATES, "sequences": "documents", "precision": "float32", "learning_rate": 1e-3}
    return LanguageConfig(architecture=name, initializer_range=0.2, **shape | words | fields)


def pool(seed: int, rows: int = 40, least: int = 1, most: int = CONTEXT, dtype: Any = np.uint16) -> RowsView:
    draws = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(draws.integers(least, most + 1, rows))])
    weights = draws.uniform(0.5, 1.5, rows)
    return RowsView((Rows(draws.integers(2, WORDS, starts[-1]).astype(dtype), starts),), weights=weights)


def fitted(given: LanguageConfig, rows: RowsView, start: Tensors | None = None) -> Tensors:
    return architecture.weights(fits.fit(given, rows, Stream("fit"), start))


def same(found: Tensors, expected: Tensors, most: float) -> None:
    """But for keys' biases, which change no chance: their gradients are rounding, and Adam makes steps of them."""
    for name, value in expected.items():
        if not name.endswith(("c_attn.bias", "k_proj.bias")):
            np.testing.assert_allclose(found[name], value, atol=most, err_msg=name)


def expected_of(monkeypatch: pytest.MonkeyPatch, *given: Any) -> Tensors:
    with on_a_cpu(monkeypatch):
        return fitted(*given)


def recorded() -> bool:
    (work,) = train._kept.values()
    return work._run is not None and work._run.recorded


@pytest.mark.parametrize("fields", [{}, {"sequences": "fixed_length"}, {"loss": TRUNCATED}], ids=str)
@pytest.mark.parametrize("name", BOTH)
def test_fits_are_a_cpus(card: Card, name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    given = config(name, **fields)
    rows = pool(0, least=CONTEXT if "sequences" in fields else 1)
    found = fitted(given, rows)
    assert recorded()
    assert card.replays == UPDATES - 3
    same(found, expected_of(monkeypatch, given, rows), 2e-5)


@pytest.mark.parametrize("width", [8, 16, 32, 64, 96, 128, 256])
def test_kernels_for_different_lengths_agree_at_every_width_up_to_rounding(card: Card, width: int) -> None:
    """With chances rounded to halves, as flash attention has them, some numbers differ by their last digit."""
    assert kernels_agree(width, torch.device("cuda:0"))


@pytest.mark.parametrize("wrong", ["not causal", "of other scale", "across documents", "last place unseen"])
def test_kernels_that_attend_otherwise_do_not_agree(card: Card, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = varlen.varlen_attn

    def attend(q: Any, k: Any, v: Any, ends: Any, _: Any, longest: int, *__: Any, scale: float, **named: Any) -> Any:
        if wrong == "not causal":
            named["window_size"] = (-1, -1)
        if wrong == "of other scale":
            scale *= 1.2
        if wrong == "across documents":
            ends, longest = ends[[0, -1]], 128
        if wrong == "last place unseen":
            k, v = (torch.cat([part[:-1], part[-2:-1]]) for part in (k, v))
        return plain(q, k, v, ends, ends, longest, longest, scale=scale, **named)

    attend.__signature__ = inspect.signature(plain)
    monkeypatch.setattr(varlen, "varlen_attn", attend)
    assert not kernels_agree(64, torch.device("cuda:0"))


@pytest.mark.parametrize("name", [*BOTH, "mistral", "qwen2", "qwen3"])
def test_fits_in_halves_use_kernels_for_different_lengths(
    card: Card, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever precision an architecture's rotations leave, kernels get halves alone."""
    given, rows = config(name, precision="auto"), pool(0)
    if name == "mistral":
        given = config(name, precision="auto", overrides={"sliding_window": None})
    with caplog.at_level(logging.WARNING):
        found = fitted(given, rows)
    (work,) = train._kept.values()
    assert work.flat
    assert recorded()
    assert not caplog.records
    same(found, expected_of(monkeypatch, given, rows), 0.01)
    monkeypatch.setattr("trainables.families.language.gpu.update.kernels_agree", lambda *_: False)
    train._kept.clear()
    same(found, fitted(given, rows), 0.005)
    assert not next(iter(train._kept.values())).flat


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_later_generations_go_on_with_the_recording(
    card: Card, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From other weights, on a smaller corpus, a larger one, wider lines, and other types of tokens."""
    given, start, reached = config("llama", precision=precision), None, []
    corpora = [pool(0), pool(1, rows=20), pool(2, rows=60), pool(3, least=CONTEXT - 2), pool(4, dtype=np.int32)]
    for rows in corpora:
        start = fitted(given, rows, start)
        assert recorded()
        reached.append(start)
        (work,) = train._kept.values()
    assert work.lines == given.batch, "grown from what short documents needed"
    expected = None
    for rows, found in zip(corpora, reached, strict=True):
        expected = expected_of(monkeypatch, given, rows, expected)
        same(found, expected, 1e-4 if precision == "float32" else 0.02)


def test_fits_wait_for_the_card_once_a_stretch(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the loss; what is sent is a plan of a few tensors."""
    many = 16
    for where in (train, update):
        monkeypatch.setattr(where, "STRETCH", many)
    given, rows = config("gpt2", steps=2 * many), pool(0)
    fitted(given, rows)
    first = card.waits.total()
    card.waits.clear()
    fitted(given.model_copy(update={"steps": 4 * many}), rows)
    seen = {place: count for place, count in card.waits.items() if "gpu/" in place or "fit.py" in place}
    assert sum(count for place, count in seen.items() if place.startswith("_local")) == 4 + 1
    assert sum(count for place, count in seen.items() if place.startswith("copy_")) <= 4 * 7 + 1
    assert card.waits.total() < first + 2 * 8


def test_what_is_forgotten_leaves_the_card_at_once(card: Card) -> None:
    """Not when Python happens to look for cycles."""
    gc.disable()
    try:
        fitted(config("gpt2"), pool(0))
        (work,) = train._kept.values()
        held = StorageWeakRef(work._corpus.inner.untyped_storage())
        del work
        fitted(config("llama"), pool(0))
        assert held.expired()
    finally:
        gc.enable()


@pytest.mark.parametrize(("name", "overrides"), [("gpt2", {"resid_pdrop": 0.1}), ("gpt_neox", {})])
def test_other_models_are_padded(card: Card, name: str, overrides: dict[str, Any]) -> None:
    """With dropout or of another architecture."""
    given = config(name, precision="auto", overrides=overrides)
    start = architecture.weights(architecture.create(given, 1))
    found = fitted(given, pool(0), start)
    assert not train._kept
    assert all(np.isfinite(value).all() for value in found.values())
    assert max(np.abs(found[name] - start[name]).max() for name in start) > 1e-3


@pytest.mark.parametrize("precision", ["float32", "auto"])
@pytest.mark.parametrize("name", BOTH)
def test_adapters_are_a_cpus(card: Card, name: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("peft")
    words = {"start": "checkpoint", "checkpoint": {"pretrain": {"rows": 8}}, "lora": {"rank": 2}}
    given = config(name, precision=precision, **words)
    base = architecture.weights(architecture.create(given, 1))
    found = []
    for here in (contextlib.nullcontext(), on_a_cpu(monkeypatch)):
        with here:
            begun = adapted(given, base, None, 2)
            assert not gpu.can_pack(given, begun, pool(0))
            found.append(adapter_weights(fits.train(given, begun, pool(0), Stream("fit"))))
    same(*found, 1e-4 if precision == "float32" else 0.01)
