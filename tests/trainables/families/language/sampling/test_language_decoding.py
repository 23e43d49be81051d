"""Greedy, beam and prompted rows are those of transformers' `generate`, token by token."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from trainables.families.language.config import LanguageConfig
from trainables.families.language.model import create
from trainables.families.language.sampling import sample_rows
from trainables.families.language.token_rows import Rows, join
from trainables.lineage import Stream

ROWS, LENGTH, WORDS = 6, 16, 300


def config(architecture: str = "gpt2", **fields: Any) -> LanguageConfig:
    shape = {"width": 16, "layers": 2, "heads": 2, "context": LENGTH, "vocabulary": WORDS, "initializer_range": 0.3}
    return LanguageConfig.model_validate(
        shape | {"architecture": architecture, "sampling_precision": "float32"} | fields
    )


def real(documents: bool = False) -> Rows:
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, LENGTH, ROWS) if documents else np.full(ROWS, LENGTH)
    pieces = [Rows(rng.integers(2, WORDS, n).astype(np.uint16), np.array([0, n])) for n in lengths]
    return join(pieces)


def generated(given: LanguageConfig, model: Any, prompt: list[int], **how: Any) -> list[int]:
    """A row by `generate`, from its prompt on."""
    ends = {"eos_token_id": given.eos} if given.sequences == "documents" else {"eos_token_id": None}
    read = torch.tensor([[given.bos, *prompt]])
    settings = {"max_new_tokens": given.context - len(prompt), "do_sample": False, "pad_token_id": 5, **ends, **how}
    model.generation_config.eos_token_id = ends["eos_token_id"]
    found = model.generate(read, attention_mask=torch.ones_like(read), **settings)[0, 1:].tolist()
    return (
        found[: found.index(given.eos, len(prompt)) + 1]
        if ends["eos_token_id"] and given.eos in found[len(prompt) :]
        else found
    )


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gpt_neox", "mamba"])
@pytest.mark.parametrize(("decoding", "beams"), [("greedy", 5), ("beam", 2), ("beam", 5)])
@pytest.mark.parametrize("sequences", ["fixed_length", "documents"])
def test_rows_are_those_of_generate(architecture: str, decoding: str, beams: int, sequences: str) -> None:
    given = config(architecture, decoding=decoding, beams=beams, sequences=sequences, prompts="prefix", prompt_tokens=3)
    model, rows = create(given, 1).eval(), real(sequences == "documents")
    if sequences == "documents":  # an end that is likely enough to be met
        with torch.no_grad():
            model.get_output_embeddings().weight[given.eos] *= 3.0
    ours = sample_rows(given, model, ROWS, Stream("s"), 1.0, rows)
    how = {"num_beams": beams if decoding == "beam" else 1}
    for number in range(ROWS):
        start = rows.tokens[rows.starts[number] :][: min(3, rows.lengths[number] - (sequences == "documents"))].tolist()
        found = ours.tokens[ours.starts[number] : ours.starts[number + 1]].tolist()
        assert found == generated(given, model, start, **how)


def test_some_beams_end_before_the_context_does() -> None:
    given = config(decoding="beam", sequences="documents", prompts="first_token")
    model = create(given, 1).eval()
    with torch.no_grad():
        model.get_output_embeddings().weight[given.eos] *= 3.0
    lengths = sample_rows(given, model, ROWS, Stream("s"), 1.0, real(True)).lengths
    assert lengths.min() < LENGTH


@pytest.mark.parametrize("prompts", ["first_token", "prefix"])
@pytest.mark.parametrize("sequences", ["fixed_length", "documents"])
def test_sampled_rows_begin_with_their_prompts(prompts: str, sequences: str) -> None:
    fields = {"prompts": prompts, "prompt_tokens": 5, "sequences": sequences}
    given = config(**fields)
    model, rows = create(given, 1).eval(), real(sequences == "documents")
    kept = sample_rows(given, model, ROWS, Stream("s"), 1.0, rows)
    bare = sample_rows(config(**fields, keep_prompts=False), model, ROWS, Stream("s"), 1.0, rows)
    for number in range(ROWS):
        length = min(5 if prompts == "prefix" else 1, rows.lengths[number] - (sequences == "documents"))
        row = kept.tokens[kept.starts[number] : kept.starts[number + 1]]
        assert row[:length].tolist() == rows.tokens[rows.starts[number] :][:length].tolist()
        assert bare.tokens[bare.starts[number] : bare.starts[number + 1]].tolist() == row[length:].tolist()


def test_a_continuation_is_drawn_from_the_models_own_distribution() -> None:
    given = config(prompts="prefix", prompt_tokens=LENGTH - 1)
    model, rows = create(given, 1).eval(), real().take(np.zeros(4000, dtype=np.int64))
    drawn = sample_rows(given, model, 4000, Stream("s"), 1.0, rows).tokens.reshape(-1, LENGTH)[:, -1]
    with torch.inference_mode():
        read = torch.tensor([[given.bos, *rows.tokens[: LENGTH - 1].astype(int)]])
        chances = model(read).logits[0, -1].softmax(-1).numpy()
    counts = np.bincount(drawn, minlength=WORDS)
    spread = np.sqrt(4000 * chances * (1 - chances)) + 1
    assert np.abs(counts - 4000 * chances).max() < 5 * spread.max()
    assert np.corrcoef(counts, chances)[0, 1] > 0.9


def test_cuts_keep_the_tokens_that_generate_keeps() -> None:
    from transformers import TopKLogitsWarper, TopPLogitsWarper

    from trainables.families.language.sampling.sample import cut

    logits = torch.randn(20, WORDS, generator=torch.Generator().manual_seed(0)) * 3
    for fields, warper in (({"top_k": 7}, TopKLogitsWarper(7)), ({"top_p": 0.8}, TopPLogitsWarper(0.8))):
        theirs = torch.isfinite(warper(None, logits.clone()))
        assert torch.equal(cut(config(**fields), logits.softmax(-1)) > 0, theirs)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"decoding": "greedy"}, "decoding: greedy gives one and the same row"),
        ({"decoding": "beam", "prompts": "bos"}, "decoding: beam gives one and the same row"),
        ({"prompts": "prefix", "prompt_tokens": LENGTH}, "prompt_tokens: 16 tokens leave nothing to sample"),
        ({"prompts": "source"}, "prompts: source needs a source of pairs"),
        ({"loss": {"on": "response"}}, "loss.on: response needs a source of pairs"),
        ({"loss": {"on": "last", "tokens": LENGTH + 1}}, "loss.tokens: the last 17"),
        ({"loss": {"on": "last"}}, "tokens: goes with `on: last`"),
        ({"loss": {"kind": "truncated"}}, "above: goes with `kind: truncated`"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        config(**fields)


def test_bos_is_another_word_for_no_prompt() -> None:
    assert config(prompts="bos") == config()
    assert "prompts" not in config().canonical()
