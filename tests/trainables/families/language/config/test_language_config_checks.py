"""What is refused, in one whole line; what is left alone."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.support.checkpoints import make
from trainables.config import explain
from trainables.families.language.config import LanguageConfig

SIZES = "0.1M, 0.4M, 1M, 2M, 5M, 9M, 12M, 42M, 126M"
PAIRS = (
    "needs a source of pairs, as in source: {kind: text, path: pairs.jsonl, column: response, prompt_column: prompt}"
)
SOURCE = {"kind": "text", "path": "pairs.jsonl", "column": "response", "prompt_column": "prompt"}
MADE = {"start": "checkpoint", "checkpoint": {"pretrain": {}}}
NOWHERE = {"start": "checkpoint", "checkpoint": {"path": "nowhere"}}


def refusal(fields: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        LanguageConfig.model_validate(fields)
    return explain(caught.value, LanguageConfig)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"size": "0.2M"}, f"size: unknown size '0.2M'; the nearest is '0.1M' (known: {SIZES})"),
        ({"reference_size": "30M"}, f"reference_size: unknown size '30M'; the nearest is '42M' (known: {SIZES})"),
        ({"heads": 5}, "heads: 5 heads do not divide a width of 48"),
        ({"width": 50}, "heads: 3 heads do not divide a width of 50"),
        ({"architecture": "auto"}, "architecture: auto is a checkpoint's own; name one, as in architecture: gpt2"),
        ({"size": "9M", "context": 2049}, "context: 2049 tokens exceed the 2048 positions of size 9M"),
        (
            {"reference_size": "12M", "context": 2049},
            "context: 2049 tokens exceed the 2048 positions of reference_size 12M",
        ),
        (
            {"decoding": "greedy"},
            "decoding: greedy gives one and the same row without prompts that differ; say which, as in "
            "prompts: first_token",
        ),
        (
            {"decoding": "beam", "prompts": "bos"},
            "decoding: beam gives one and the same row without prompts that differ; say which, as in "
            "prompts: first_token",
        ),
        ({"loss": {"on": "last", "tokens": 65}}, "loss.tokens: the last 65 of rows of 64 tokens (context)"),
        ({"loss": {"on": "last"}}, "loss.tokens: goes with `on: last`, as in {on: last, tokens: 256}"),
        ({"loss": {"tokens": 3}}, "loss.tokens: goes with `on: last`, as in {on: last, tokens: 256}"),
        ({"loss": {"above": 0.5}}, "loss.above: goes with `kind: truncated`, as in {kind: truncated, above: 0.9}"),
        (
            {"loss": {"kind": "truncated"}},
            "loss.above: goes with `kind: truncated`, as in {kind: truncated, above: 0.9}",
        ),
        ({"loss": {"kind": "truncated", "above": 1}}, "loss.above: input should be less than 1, not 1"),
        ({"loss": {"on": "response"}}, f"loss.on: response {PAIRS}"),
        ({"prompts": "source"}, f"prompts: source {PAIRS}"),
        ({"source": SOURCE}, "sequences: a source of prompts and responses needs documents, one pair a row"),
        (
            {"prompts": "prefix", "prompt_tokens": 64},
            "prompt_tokens: 64 tokens leave nothing to sample in a context of 64",
        ),
        ({"lora": {}}, "lora: adapts a checkpoint; name one, as in start: checkpoint, checkpoint: {path: my-model}"),
        (MADE | {"reference_size": "1M"}, "reference_size: the reference starts at the checkpoint too; leave it out"),
        (
            {"start": "checkpoint", "checkpoint": {"pretrain": {}, "path": "x"}},
            "checkpoint.pretrain: give one of `path`, `repository` and `pretrain`",
        ),
        (
            {"start": "checkpoint", "checkpoint": {"pretrain": {}, "repository": "a/b"}},
            "checkpoint.pretrain: give one of `path`, `repository` and `pretrain`",
        ),
        (
            {"start": "checkpoint", "checkpoint": {}},
            "checkpoint.path: give a local folder (`path`) or a `repository` of the hub",
        ),
        ({"vocabulary": 257}, "vocabulary: input should be greater than or equal to 258, not 257"),
        ({"context": 1}, "context: input should be greater than or equal to 2, not 1"),
        ({"beams": 1}, "beams: input should be greater than or equal to 2, not 1"),
        ({"validation": 0.5}, "validation: input should be less than 0.5, not 0.5"),
        ({"test": 0}, "test: input should be greater than 0, not 0"),
        ({"temperature": 0}, "temperature: input should be greater than 0, not 0"),
        ({"top_p": 0}, "top_p: input should be greater than 0, not 0"),
        ({"top_p": 1.1}, "top_p: input should be less than or equal to 1, not 1.1"),
        ({"warmup": 1}, "warmup: input should be less than 1, not 1"),
        ({"final_learning_rate": 1.5}, "final_learning_rate: input should be less than or equal to 1, not 1.5"),
        ({"epochs": 0}, "epochs: input should be greater than 0, not 0"),
        ({"clip": 0}, "clip: input should be greater than 0, not 0"),
    ],
)
def test_what_contradicts_itself_is_one_line_that_says_what_would_be_right(fields: dict[str, Any], line: str) -> None:
    assert refusal(fields) == line


@pytest.mark.parametrize(
    "field",
    [
        {"vocabulary": 513},
        {"size": "1M"},
        {"width": 48},
        {"layers": 3},
        {"heads": 3},
        {"intermediate": 192},
        {"initializer_range": 0.02},
    ],
    ids=lambda field: next(iter(field)),
)
def test_what_a_checkpoint_decides_is_refused_beside_it_even_where_it_agrees(field: dict[str, Any]) -> None:
    assert refusal(NOWHERE | field) == f"{next(iter(field))}: the checkpoint's own; leave it out"


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "9M", "context": 2048},
        {"architecture": "llama", "size": "12M", "context": 4096},
        {"architecture": "llama", "reference_size": "12M", "context": 4096},
        {"reference_size": "0.4M", "context": 4096},
        {"decoding": "greedy", "prompts": "first_token"},
        {"loss": {"on": "last", "tokens": 64}},
        {"prompts": "prefix", "prompt_tokens": 63},
        {"prompts": "first_token", "prompt_tokens": 500},
        {"source": SOURCE, "sequences": "documents", "prompts": "source", "loss": {"on": "response"}},
        {"source": SOURCE, "sequences": "documents", "decoding": "beam", "prompts": "prefix"},
        {"validation": 0.0, "warmup": 0.0, "weight_decay": 0.0, "final_learning_rate": 0.0, "sample_rows": 0},
        {"vocabulary": 258, "context": 2, "beams": 2, "top_p": 1.0},
        MADE | {"width": 16, "heads": 2, "architecture": "llama"},
        MADE | {"lora": {"targets": "all-linear"}},
    ],
)
def test_what_is_just_possible_is_taken(fields: dict[str, Any]) -> None:
    LanguageConfig.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (NOWHERE, "replicates: a checkpoint's model is fitted alone; use several seeds instead"),
        (MADE | {"lora": {}}, "replicates: adapters are fitted alone; use several seeds instead"),
        (
            {"architecture": "qwen3", "overrides": {"use_cache": False}},
            "replicates: gpt2 and llama without overrides are fitted side by side, qwen3 is not; use several seeds "
            "instead",
        ),
        (
            {"architecture": "llama", "overrides": {"use_cache": False}},
            "replicates: gpt2 and llama without overrides are fitted side by side, overrides are not; use several "
            "seeds instead",
        ),
    ],
)
def test_what_can_not_be_fitted_side_by_side_is_refused_for_two_and_more(fields: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=r"^replicates: ") as caught:
        LanguageConfig.model_validate(fields).check(10, 2)
    assert str(caught.value) == line


def test_a_pretrained_start_can_be_fitted_side_by_side() -> None:
    LanguageConfig.model_validate(MADE).check(10, 2)


def test_a_judge_that_the_overrides_do_not_fit_is_refused_before_anything_is_fitted() -> None:
    """Three heads divide a width of 48, and not the 128 of 1M."""
    given = LanguageConfig.model_validate({"overrides": {"num_attention_heads": 3}, "context": 8})
    given.check(10, 1)
    with pytest.raises(ValueError, match=r"^reference_size: 1M is refused; architecture: 'gpt2' does not work with "):
        given.model_copy(update={"reference_size": "1M"}).check(10, 1)
    given.model_copy(update={"reference_size": "0.4M"}).check(10, 1)


def test_a_context_beyond_what_a_checkpoint_reads_and_a_wrong_architecture_are_refused(tmp_path: Path) -> None:
    place = make(tmp_path / "held")
    start = {"start": "checkpoint", "checkpoint": {"path": str(place)}}
    with pytest.raises(ValueError, match=r"^context: ") as caught:
        LanguageConfig.model_validate(start | {"context": 65}).check(10, 1)
    assert str(caught.value) == f"context: 65 tokens exceed the 64 positions of {str(place)!r}"
    with pytest.raises(ValueError, match=r"^architecture: ") as caught:
        LanguageConfig.model_validate(start | {"architecture": "llama"}).check(10, 1)
    assert str(caught.value) == (
        f"architecture: the checkpoint {str(place)!r} is a 'gpt2', not 'llama'; leave architecture out"
    )
    LanguageConfig.model_validate(start | {"architecture": "gpt2", "context": 64}).check(10, 1)
