"""An update of packed documents is the padded one: loss, gradients, and where a whole fit ends."""

import logging
from typing import Any

import numpy as np
import pytest
import torch

from trainables.families import Diverged
from trainables.families.batches import shuffled
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.fit import _fit_padded, padded_loss, rate
from trainables.families.language.gpu import train
from trainables.families.language.gpu.attention import document_mask
from trainables.families.language.gpu.packing import documents, plan
from trainables.families.language.gpu.update import Update, repays
from trainables.families.language.token_rows import Rows, RowsView

CONTEXT, WORDS, COUNT = 12, 300, 40
KINDS = ("gpt2", "llama", "qwen2", "qwen3", "mistral")


def config(architecture: str = "llama", **fields: Any) -> LanguageConfig:
    shape = {"width": 16, "layers": 2, "heads": 2, "context": CONTEXT, "vocabulary": WORDS, "batch": 8, "epochs": 3}
    return LanguageConfig(
        architecture=architecture, **shape | {"sequences": "documents", "precision": "float32"} | fields
    )


def pool(sequences: str = "documents", weighted: bool = False, seed: int = 0) -> RowsView:
    rng = np.random.default_rng(seed)
    many = rng.integers(1, CONTEXT + 1, COUNT) if sequences == "documents" else np.full(COUNT, CONTEXT)
    tokens = rng.zipf(1.5, many.sum()) % WORDS
    rows = Rows(tokens.astype(np.uint16), np.concatenate([[0], np.cumsum(many)]), prompts=np.minimum(many - 1, 2))
    weights = np.linspace(0.2, 1.8, COUNT) if weighted else None
    return RowsView((rows.take(np.arange(25)), rows.take(np.arange(25, COUNT))), None, weights)


@pytest.fixture(autouse=True)
def afresh() -> None:
    train._kept.clear()


def gradients(given: LanguageConfig, rows: RowsView, update: Update | None = None) -> list[tuple[Any, Any]]:
    """Losses and gradients of one update, packed and padded: pairs."""
    model = architecture.create(given, 1).train()
    index = np.random.default_rng(3).permutation(COUNT)[: given.batch]
    padded = padded_loss(given, model, rows, index)
    torch.autograd.backward(padded)
    work = update or Update(given, model)
    held = documents(rows, given.loss)
    work.begin(model, held)
    work.plan(plan(held, index[None], CONTEXT), np.ones(1))
    work.gradients()
    pairs = [(work.loss, padded.detach())]
    return pairs + [(mine.grad, own.grad) for mine, own in zip(work.parameters, model.parameters(), strict=True)]


def assert_same(pairs: list[tuple[Any, Any]]) -> None:
    for found, expected in pairs:
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sequences", ["documents", "fixed_length"])
@pytest.mark.parametrize("name", KINDS)
def test_loss_and_gradients_are_those_of_padded_rows(name: str, sequences: str) -> None:
    assert_same(gradients(config(name, sequences=sequences), pool(sequences)))


@pytest.mark.parametrize(
    "fields",
    [
        {"loss": {"on": "last", "tokens": 4}},
        {"loss": {"kind": "truncated", "above": 0.0035}},
        {"overrides": {"tie_word_embeddings": True}},
        {"overrides": {"num_key_value_heads": 1}},
    ],
)
def test_whatever_counts_and_however_the_model_is_made(fields: dict[str, Any]) -> None:
    assert_same(gradients(config(**fields), pool(weighted=True)))


def test_documents_share_lines() -> None:
    given = config()
    held = documents(pool(), given.loss)
    assert plan(held, np.arange(8)[None], CONTEXT).lines < 8


def test_no_place_sees_another_document_or_a_later_token() -> None:
    mask = document_mask(torch.tensor([[0, 0, 1, 1, -1]]))[0, 0]
    assert mask.int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 0, 0, 1],
    ]


@pytest.mark.parametrize("sequences", ["documents", "fixed_length"])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_fit_ends_where_the_padded_one_does(name: str, sequences: str) -> None:
    given, rows = config(name, sequences=sequences, learning_rate=1e-3), pool(sequences, weighted=True)
    found, expected = (architecture.create(given, 1).train() for _ in range(2))
    train.fit_packed(given, found, rows, shuffled(COUNT, given.batch, np.random.default_rng(0)))
    _fit_padded(given, expected, rows, shuffled(COUNT, given.batch, np.random.default_rng(0)))
    tokens = torch.randint(0, WORDS, (5, CONTEXT), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():  # weights that change no output, as biases of keys, go where rounding leads them
        one, other, begun = (model(tokens).logits for model in (found, expected, architecture.create(given, 1)))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    assert (one - begun).abs().max() > 0.01


def test_a_second_fit_finds_nothing_of_the_first() -> None:
    given, rows = config(), pool()
    models = [architecture.create(given, 1).train() for _ in range(3)]
    for model, corpus in zip(models, (rows, pool(seed=5), rows), strict=True):
        train.fit_packed(given, model, corpus, shuffled(COUNT, given.batch, np.random.default_rng(0)))
    assert len(train._kept) == 1
    for first, other, last in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(first, last)
        assert not torch.equal(first, other)


def test_stretches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    given, rows, found = config(), pool(), []
    for many in (64, 4):
        monkeypatch.setattr(train, "STRETCH", many)
        model = architecture.create(given, 1).train()
        train.fit_packed(given, model, rows, shuffled(COUNT, given.batch, np.random.default_rng(0)))
        found.append([p.detach() for p in model.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_learning_rate_is_the_schedules() -> None:
    given, rows = config(), pool()
    held = documents(rows, given.loss)
    work = Update(given, architecture.create(given, 1))
    work.begin(architecture.create(given, 1), held)
    rates = np.array([given.learning_rate * rate(given, step, 3) for step in range(3)])
    work.plan(plan(held, np.arange(24).reshape(3, 8), CONTEXT), rates)
    for expected in rates:
        work.run(1)
        assert float(work.rate) == pytest.approx(expected)
        assert all(group["lr"] is work.rate for group in work.optimizer.param_groups)


def test_a_loss_that_is_not_finite_ends_the_fit() -> None:
    given, model = config(), architecture.create(config(), 1).train()
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    with pytest.raises(Diverged, match="not finite"):
        train.fit_packed(given, model, pool(), shuffled(COUNT, given.batch, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("name", "overrides", "packable"),
    [
        ("llama", {}, True),
        ("gpt2", {}, True),
        ("gpt2", {"resid_pdrop": 0.1}, False),
        ("llama", {"attention_dropout": 0.1}, False),
        ("mistral", {"sliding_window": 4}, False),
        ("gpt_neox", {}, False),
    ],
)
def test_what_cannot_share_a_line_is_padded(name: str, overrides: dict[str, Any], packable: bool) -> None:
    given = config(name, overrides=overrides)
    model = architecture.create(given, 1)
    assert train.packable(model) is packable
    assert not train.can_pack(given, model, pool())  # here is no CUDA


def test_compiling_is_left_until_it_repays() -> None:
    assert not repays(0.02, 500)
    assert repays(0.02, 5000)


def test_the_loss_can_be_traced_whole() -> None:
    """What `torch.compile` needs; the code that a compiler would make of it is not made here."""
    for sequences in ("documents", "fixed_length"):
        given = config(sequences=sequences)
        work = Update(given, architecture.create(given, 1))
        work.compile(backend="aot_eager", fullgraph=True)
        assert_same(gradients(given, pool(sequences), work))


def test_what_cannot_be_compiled_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    from trainables.runtime import capture

    capture._warned.clear()
    given = config()
    work = Update(given, architecture.create(given, 1))

    def broken(*_: Any) -> Any:
        raise RuntimeError("no compiler here\nand more")

    work.compile(backend=broken)
    with caplog.at_level(logging.WARNING):
        assert_same(gradients(given, pool(), work))
        assert_same(gradients(given, pool(), work))
    assert len(caplog.records) == 1
    assert "can't be compiled here and runs as it is, slower" in caplog.text
