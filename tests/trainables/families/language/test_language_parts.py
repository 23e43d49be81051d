"""Losses on a part of a row, truncated losses, and sources of prompts and responses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from trainables import Cell, run
from trainables.families import World
from trainables.families.language.config import LanguageConfig
from trainables.families.language.data import prepare
from trainables.families.language.evaluate import row_losses
from trainables.families.language.fit import fit
from trainables.families.language.loss import read_after_bos, weighted_loss
from trainables.families.language.model import create, weights
from trainables.families.language.token_rows import Rows, join, read
from trainables.lineage import Stream
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Payload

SHAPE: dict[str, Any] = {"width": 16, "layers": 1, "heads": 2, "context": 24, "vocabulary": 300, "batch": 8}
SHAPE |= {"epochs": 1, "test_rows": 16, "sample_rows": 4, "precision": "float32"}
TOKENS = torch.from_numpy(np.random.default_rng(0).integers(2, 300, (4, 24)))


def config(**fields: Any) -> LanguageConfig:
    return LanguageConfig.model_validate(SHAPE | fields)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_a_truncated_loss_leaves_out_what_is_certain(architecture: str) -> None:
    model = create(config(architecture=architecture, initializer_range=0.5), 0)
    logits = model(read_after_bos(TOKENS), use_cache=False).logits.float()
    losses = cross_entropy(logits.flatten(0, 1), TOKENS.flatten(), reduction="none").view(TOKENS.shape)
    above = float(torch.exp(-losses.detach().quantile(0.3)))
    kept = losses.detach() >= -np.log(above)
    assert 0.6 < kept.float().mean() < 0.8
    share = torch.full(TOKENS.shape, 1 / TOKENS.numel())
    expected_loss = (losses * kept * share).sum()
    expected_loss.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    found = weighted_loss(model, TOKENS, share, above=above)
    found.backward()
    assert float(found.detach()) == pytest.approx(float(expected_loss.detach()), rel=1e-5)
    for name, p in model.named_parameters():
        assert torch.allclose(p.grad, expected[name], atol=1e-6), name


def test_only_the_last_tokens_are_fitted_and_judged() -> None:
    given = config(loss={"on": "last", "tokens": 6})
    rows = Rows.fixed(TOKENS.numpy().reshape(-1).astype(np.uint16), 24)
    model = create(given, 0).eval()
    logits = model(read_after_bos(TOKENS), use_cache=False).logits.float()
    whole = cross_entropy(logits.flatten(0, 1), TOKENS.flatten(), reduction="none").view(TOKENS.shape)
    assert row_losses(given, model, rows) == pytest.approx(whole[:, -6:].sum(dim=1).tolist(), rel=1e-4)
    other = Rows.fixed(rows.tokens.copy(), 24)
    swapped = other.tokens.reshape(-1, 24)
    swapped[:, 0] = 5  # read by later tokens, so it changes the fit; as an aim it is not counted
    first, second = (weights(fit(given, held, Stream("s"))) for held in (rows, other))
    assert any(not np.array_equal(first[name], second[name]) for name in first)
    mask = rows.counted(np.arange(4), given.loss)
    assert mask[:, -6:].all()
    assert not mask[:, :-6].any()


def test_a_short_document_counts_whole() -> None:
    given = config(loss={"on": "last", "tokens": 6})
    rows = join([Rows(np.full(n, 9, np.uint16), np.array([0, n])) for n in (3, 20)])
    assert rows.counted(np.arange(2), given.loss).sum(dim=1).tolist() == [3, 6]


def test_models_disagree_by_the_tokens_that_count() -> None:
    """A quarter of a row's tokens count; by all of them the squared difference would be a sixteenth."""
    given = config(loss={"on": "last", "tokens": 6})
    family = given.build(World(rows=8, replicates=1, seed=0, store=MemoryStore()))
    models = [create(given, seed).eval() for seed in (0, 1)]
    test = family.judged_rows
    one, other = (row_losses(given, model, test) / 6 for model in models)
    held = [Payload(tensors=weights(model)) for model in models]
    found = family.disagree(held, Stream("s"))["disagreement"]
    assert found == pytest.approx(((one - other) ** 2).mean(), rel=1e-5)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"say {a} twice: ", "response": f"{a} {a}"} for a in range(100, 400)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def cell(pairs: Path, **fields: Any) -> Cell:
    source = {"kind": "text", "path": str(pairs), "column": "response", "prompt_column": "prompt"}
    family = SHAPE | {"kind": "language", "source": source, "sequences": "documents", "prompts": "source"}
    family |= {"loss": {"on": "response"}} | fields
    return Cell.model_validate({"family": family, "policy": {"kind": "accumulate"}, "rows": 32, "generations": 2})


def test_pairs_are_fitted_on_responses_and_sampled_from_prompts(pairs: Path) -> None:
    recursion = Recursion(cell(pairs), MemoryStore())
    real, drawn = (read(recursion.batch(recursion.steps.batch(n))) for n in (0, 1))
    assert real.prompts is not None
    assert drawn.prompts is not None
    assert np.array_equal(drawn.prompts, real.prompts)
    tokenizer = recursion.family.text.tokenizer
    for rows in (real, drawn):
        first = tokenizer.decode(rows.tokens[: rows.prompts[0]].tolist())
        assert first.startswith("say ")
        assert first.endswith("twice: ")
    assert (
        recursion.graph.batch(recursion.steps.batch(1)).provenance["prompts"] == f"batch/{recursion.steps.batch(0).key}"
    )
    assert recursion.record(2).corpus_rows == 64
    mask = real.counted(np.arange(32), cell(pairs).family.loss)
    assert mask.sum() == (real.lengths - real.given).sum()


def test_responses_alone_give_another_model_than_whole_rows(pairs: Path) -> None:
    losses = [next(iter(run(cell(pairs, **fields)))).test_loss for fields in ({}, {"loss": {"on": "row"}})]
    assert losses[0] != losses[1]


def test_an_empty_response_is_one_line(pairs: Path) -> None:
    pairs.write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a", "response": " "}')
    with pytest.raises(ValueError, match=r"^source\.column: the response of row 2 is empty"):
        cell(pairs).family.available_rows()


def test_a_prompt_that_fills_a_row_is_left_out_and_counted(pairs: Path) -> None:
    with pairs.open("a") as file:
        file.write("\n" + json.dumps({"prompt": "word " * 40, "response": "b"}))
    text = prepare(cell(pairs, test=0.01, validation=0.0).family)
    assert text.skipped["crowded"] == 1
    assert (text.train.lengths > text.train.given).all()


def test_prompts_that_all_fill_their_rows_are_one_line(pairs: Path) -> None:
    with pytest.raises(ValueError, match=r"gives 0 training rows .* prompts fill a row alone; take a longer context"):
        cell(pairs, context=4).family.available_rows()


def test_plain_text_has_no_prompts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo")
    with pytest.raises(ValueError, match=r"^source\.prompt_column: plain text has no columns"):
        cell(tmp_path / "a.txt").family.available_rows()


def test_rows_must_be_documents(pairs: Path) -> None:
    with pytest.raises(ValueError, match="sequences: a source of prompts and responses needs documents"):
        cell(pairs, sequences="fixed_length")
