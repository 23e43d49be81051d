"""Fits that start at a pretrained checkpoint: read whole or refused in one line, named by content, written back."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.support.checkpoints import SHAPES, WORDS, make
from trainables import Cell, run
from trainables.config import explain
from trainables.families.language.config import LanguageConfig
from trainables.recursion import Recursion, Steps
from trainables.store import MemoryStore, open_store

FAMILY: dict[str, Any] = {"kind": "language", "context": 24, "epochs": 1, "batch": 8, "test_rows": 16, "sample_rows": 4}


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("gpt2"))


def cell(folder: Path | None = None, start: str = "checkpoint", generations: int = 2, **fields: Any) -> Cell:
    given = {} if folder is None else {"checkpoint": {"path": str(folder)}}
    family = FAMILY | given | {"start": start} | fields
    return Cell.model_validate(
        {"family": family, "policy": {"kind": "replace"}, "rows": 16, "generations": generations, "seed": 3}
    )


def refusal(folder: Path | None, **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        cell(folder, **fields)
    found = explain(caught.value, Cell)
    assert "\n" not in found
    return found


@pytest.mark.parametrize("architecture", sorted(SHAPES))
def test_an_architecture_is_fitted_sampled_and_taken_up_again(architecture: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "checkpoint", architecture)
    asked = cell(folder)
    whole = list(run(asked))
    store = open_store(str(tmp_path / "store"))
    assert Recursion(asked, store).record(1).test_loss == whole[0].test_loss
    again = [Recursion(asked, open_store(str(tmp_path / "store"))).record(n) for n in (1, 2)]
    assert [r.test_loss for r in again] == [r.test_loss for r in whole]
    assert [r.metrics for r in again] == [r.metrics for r in whole]


def test_the_weights_are_those_that_transformers_reads(gpt2: Path) -> None:
    recursion = Recursion(cell(gpt2), MemoryStore())
    held = AutoModelForCausalLM.from_pretrained(gpt2).state_dict()
    for name, value in recursion.family.checkpoint().tensors.items():
        assert np.array_equal(value, held[name].numpy()), name


def test_a_fit_starts_at_the_checkpoint(gpt2: Path) -> None:
    recursion = Recursion(cell(gpt2, learning_rate=1e-12), MemoryStore())
    start = recursion.family.checkpoint().tensors
    for generation in (1, 2):
        found = recursion.model(generation).tensors
        assert max(float(np.abs(found[name] - start[name]).max()) for name in start) < 1e-6


def test_a_checkpoint_is_named_by_content_not_by_place(gpt2: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(gpt2, tmp_path / "copy")
    other = make(tmp_path / "other", seed=1)
    keys = [[Steps(cell(folder)).step(n).model for n in (1, 2)] for folder in (gpt2, elsewhere, other)]
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])
    assert cell(gpt2).key == cell(elsewhere).key != cell(other).key


def test_another_tokenizer_gives_other_rows_and_models(gpt2: Path, tmp_path: Path) -> None:
    other = shutil.copytree(gpt2, tmp_path / "copy")
    tokens = json.loads((other / "tokenizer.json").read_text())
    tokens["model"]["merges"].pop()
    (other / "tokenizer.json").write_text(json.dumps(tokens))
    first, second = Steps(cell(gpt2)), Steps(cell(other))
    assert first.batch(0).key != second.batch(0).key
    assert first.step(1).model != second.step(1).model


def test_shards_are_the_same_checkpoint(gpt2: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(gpt2)
    sharded = shutil.copytree(gpt2, tmp_path / "shards")
    (sharded / "model.safetensors").unlink()
    model.save_pretrained(sharded, max_shard_size="20KB")
    shutil.copy(gpt2 / "config.json", sharded / "config.json")
    assert (sharded / "model.safetensors.index.json").is_file()
    assert Steps(cell(sharded)).step(1).model == Steps(cell(gpt2)).step(1).model


def test_the_tokenizer_is_the_checkpoints(gpt2: Path) -> None:
    family = Recursion(cell(gpt2), MemoryStore()).family
    theirs = AutoTokenizer.from_pretrained(gpt2)
    row = family.real(0, 1).table[0]["input_ids"]
    assert theirs.decode(row) == family.text.tokenizer.decode(row, skip_special_tokens=False)
    assert family.config.tokens == WORDS


def test_what_is_saved_loads_in_transformers_and_back(gpt2: Path, tmp_path: Path) -> None:
    recursion = Recursion(cell(gpt2), MemoryStore())
    model, folder = recursion.model(2), tmp_path / "saved"
    recursion.family.export(model, folder)
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    tokens = torch.tensor([[0, 5, 9, 20]])
    ours = recursion.family._load(model)
    with torch.inference_mode():
        assert torch.equal(loaded(tokens).logits, ours(tokens).logits)
    back = Recursion(cell(folder), MemoryStore()).family.checkpoint().tensors
    assert all(np.array_equal(back[name], value) for name, value in model.tensors.items())
    assert AutoTokenizer.from_pretrained(folder).eos_token == "<|eos|>"


def test_a_model_from_scratch_becomes_a_checkpoint(tmp_path: Path) -> None:
    fresh = {"width": 16, "layers": 1, "heads": 2, "vocabulary": 300, "architecture": "llama"}
    made = Recursion(cell(start="fresh", **fresh), MemoryStore())
    folder = tmp_path / "saved"
    made.family.export(made.model(1), folder)
    tuned = Recursion(cell(folder), MemoryStore())
    assert np.array_equal(tuned.family.text.train.tokens, made.family.text.train.tokens)
    for name, value in tuned.family.checkpoint().tensors.items():
        assert np.array_equal(value, made.model(1).tensors[name])


def rewrite(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def spoilt(gpt2: Path, folder: Path, change: str) -> Path:
    shutil.copytree(gpt2, folder)
    weights = folder / "model.safetensors"
    match change:
        case "no tokenizer":
            (folder / "tokenizer.json").unlink()
        case "pickle":
            weights.unlink()
            torch.save({}, folder / "pytorch_model.bin")
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:-100])
        case "header":
            weights.write_bytes(b"\xff" * 64)
        case "no weights":
            weights.unlink()
        case "no config":
            (folder / "config.json").unlink()
        case "encoder":
            (folder / "config.json").write_text(json.dumps({"model_type": "t5"}))
        case "code":
            rewrite(folder, model_type="mine", auto_map={"AutoConfig": "x.X"})
        case "shape":
            rewrite(folder, n_layer=2)
        case "tokens":
            rewrite(folder, vocab_size=280)
    return folder


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("no tokenizer", "has no tokenizer"),
        ("pickle", "holds weights as pytorch_model.bin and no model.safetensors"),
        ("truncated", "cut short or damaged"),
        ("header", "is no safetensors file"),
        ("no weights", "has no model.safetensors"),
        ("no config", "has no config.json"),
        ("encoder", "is a 't5', no causal model"),
        ("code", "is a 'mine', no causal model"),
        ("shape", "is no whole gpt2: it lacks"),
        ("tokens", "has 300 tokens, its model 280"),
    ],
)
def test_a_spoilt_checkpoint_is_one_line(gpt2: Path, tmp_path: Path, change: str, reason: str) -> None:
    found = refusal(spoilt(gpt2, tmp_path / "spoilt", change))
    assert found.startswith("family.checkpoint: ")
    assert reason in found


def test_what_contradicts_the_checkpoint_is_one_line(gpt2: Path, tmp_path: Path) -> None:
    assert "is a 'gpt2', not 'llama'; leave architecture out" in refusal(gpt2, architecture="llama")
    assert refusal(gpt2, context=65).startswith("family.context: 65 tokens exceed the 64 positions")
    assert refusal(gpt2, width=32).startswith("family.width: the checkpoint's own")
    assert "no such folder" in refusal(tmp_path / "nowhere")
    assert refusal(gpt2, start="fresh").startswith("family.start: fresh takes no checkpoint")
    assert "no field 'n_leyer'" in refusal(gpt2, overrides={"n_leyer": 2})
    pretrained = {"checkpoint": {"pretrain": {"rows": 64}}, "reference_size": "0.1M"}
    for place, fields in ((gpt2, {"reference_size": "0.1M"}), (None, pretrained)):
        assert "family.reference_size: the reference starts at the checkpoint too" in refusal(place, **fields)
    with pytest.raises(ValidationError, match="checkpoint: missing; `start: checkpoint` needs one"):
        cell()


def test_a_repository_is_read_from_the_cache_at_its_revision(
    gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    held = tmp_path / "models--some--model"
    shutil.copytree(gpt2, held / "snapshots" / ("a" * 40))
    (held / "refs").mkdir()
    (held / "refs" / "main").write_text("a" * 40)
    given = FAMILY | {"start": "checkpoint"}
    base = {"policy": {"kind": "replace"}, "rows": 16, "generations": 2, "seed": 3}
    asked = Cell.model_validate(base | {"family": given | {"checkpoint": {"repository": "some/model"}}})
    assert Steps(asked).step(2).model == Steps(cell(gpt2)).step(2).model
    with pytest.raises(ValidationError, match=re.escape("'some/model' at revision 'v2' can't be read")):
        Cell.model_validate(base | {"family": given | {"checkpoint": {"repository": "some/model", "revision": "v2"}}})
    told = {"repository": "some/model", "revision": "v2", "parameters": 1000}
    planned = Cell.model_validate(base | {"family": given | {"checkpoint": told}})
    assert planned.family.cost(16).parameters == 1000
    with pytest.raises(ValueError, match="at revision 'v2' can't be read"):
        Steps(planned).batch(0)


def test_a_study_can_pretrain_its_checkpoint() -> None:
    pretrain = {"source": {"kind": "pydoc"}, "rows": 64, "epochs": 2, "seed": 5}
    shape = {"width": 16, "layers": 1, "heads": 2, "vocabulary": 300}
    asked = [cell(**shape, checkpoint={"pretrain": pretrain | more}) for more in ({}, {"epochs": 3})]
    store = MemoryStore()
    recursion = Recursion(asked[0], store)
    recursion.record(2)
    assert len(list(store.keys("checkpoint"))) == 1
    assert recursion.graph.model(2).provenance["checkpoint"] == f"checkpoint/{recursion.steps.checkpoint}"
    assert Steps(asked[1]).step(1).model != Steps(asked[0]).step(1).model
    other = Recursion(asked[0].model_copy(update={"seed": 4}), store)
    other.record(1)
    assert len(list(store.keys("checkpoint"))) == 1, "seeds start at one checkpoint"


def test_a_config_beside_a_checkpoint_survives_json(gpt2: Path) -> None:
    config = cell(gpt2).family
    assert isinstance(config, LanguageConfig)
    assert LanguageConfig.model_validate_json(json.dumps(config.canonical())) == config
    assert config.title.startswith("gpt2 ")
