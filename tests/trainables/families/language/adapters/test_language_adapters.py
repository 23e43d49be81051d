"""Adapters: stored alone, read with their checkpoint, the same model for peft and transformers."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.support.checkpoints import SHAPES, make
from trainables import Cell
from trainables.config import explain
from trainables.families.language.config import LanguageConfig
from trainables.families.language.sampling.decoder import decoder
from trainables.families.language.sampling.fused import FusedDecoder
from trainables.lineage import Stream
from trainables.recursion import Graph, Recursion, Steps, last_uses
from trainables.store import MemoryStore, StoreError, open_store

pytest.importorskip("peft", reason="the extra `lora`")

FAMILY: dict[str, Any] = {"kind": "language", "context": 24, "epochs": 1, "batch": 8, "test_rows": 16, "sample_rows": 4}
PEFT_ASKS = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
"""peft 0.21's own models read a property that transformers 5 calls old."""

TOKENS = torch.tensor([[0, 5, 9, 20, 31, 7]])
REFUSED = {"mamba": "Mamba-based", "falcon_h1": "Mamba-based"}
"""Architectures whose linear layers peft adapts only where each is named, and what the reason says."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(tmp_path_factory.mktemp(name), name) for name in ("gpt2", "llama")}


def cell(folder: Path | None = None, *, policy: str = "replace", generations: int = 2, **fields: Any) -> Cell:
    given = {} if folder is None else {"checkpoint": {"path": str(folder)}, "start": "checkpoint"}
    family = FAMILY | given | {"lora": {"rank": 2}} | fields
    return Cell.model_validate(
        {"family": family, "policy": {"kind": policy}, "rows": 16, "generations": generations, "seed": 3}
    )


def refusal(folder: Path | None, **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        cell(folder, **fields)
    found = explain(caught.value, Cell)
    assert "\n" not in found
    return found


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(TOKENS).logits
    return found


def flat(tensors: Any) -> np.ndarray:
    return np.concatenate([np.ravel(tensors[name]) for name in sorted(tensors)])


@pytest.mark.parametrize("architecture", sorted(SHAPES))
def test_an_architecture_is_adapted_or_refused_in_one_line(architecture: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "checkpoint", architecture)
    if architecture in REFUSED:
        assert REFUSED[architecture] in refusal(folder)
        return
    recursion = Recursion(cell(folder), MemoryStore())
    model = recursion.model(2)
    assert model.tensors
    assert all("lora_" in name for name in model.tensors)
    assert sum(value.size for value in model.tensors.values()) == recursion.cell.family.cost(16).kept
    assert np.abs(flat({n: v for n, v in model.tensors.items() if "lora_B" in n})).max() > 0
    recursion.record(2)


@PEFT_ASKS
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_peft_and_transformers_read_what_is_exported(
    architecture: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recursion = Recursion(cell(folders[architecture], learning_rate=1e-2), MemoryStore())
    model, folder = recursion.model(1), tmp_path / "saved"
    recursion.family.export(model, folder)
    ours = logits(recursion.family._load(model))
    assert torch.equal(logits(AutoModelForCausalLM.from_pretrained(folder)), ours)
    base = AutoModelForCausalLM.from_pretrained(folders[architecture])
    before = logits(base)
    theirs = logits(PeftModel.from_pretrained(base, folder / "adapter"))
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-4)
    assert (ours - before).abs().max() > 1e-3
    assert AutoTokenizer.from_pretrained(folder).eos_token == "<|eos|>"


@PEFT_ASKS
def test_adapters_of_a_pretrained_checkpoint_are_exported_with_it(tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    shape = {"width": 16, "layers": 1, "heads": 2, "vocabulary": 300, "start": "checkpoint"}
    recursion = Recursion(cell(**shape, checkpoint={"pretrain": {"rows": 32, "epochs": 1}}), MemoryStore())
    folder = tmp_path / "saved"
    recursion.family.export(recursion.model(1), folder)
    theirs = AutoPeftModelForCausalLM.from_pretrained(folder / "adapter")
    torch.testing.assert_close(logits(theirs), logits(recursion.family._load(recursion.model(1))), atol=1e-5, rtol=1e-4)


def test_a_fit_begins_new_adapters_or_goes_on_from_the_last(folders: dict[str, Path]) -> None:
    still = {"learning_rate": 1e-20, "weight_decay": 0.0}
    anew = Recursion(cell(folders["llama"], **still), MemoryStore())
    tensors = [anew.model(n).tensors for n in (1, 2)]
    assert not any(np.any(np.abs(v) > 1e-15) for n, v in tensors[1].items() if "lora_B" in n)
    assert not np.array_equal(flat(tensors[0]), flat(tensors[1]))
    moved = Recursion(cell(folders["llama"], start="previous", learning_rate=1e-2), MemoryStore())
    first = moved.model(1)
    rows = moved.corpus(moved.steps.step(2))
    stays = LanguageConfig.model_validate(moved.cell.family.canonical() | still)
    moved.family.config = stays
    again = moved.family.fine_tune(first, rows, Stream("again"))
    np.testing.assert_allclose(flat(again.tensors), flat(first.tensors), atol=1e-12)


@pytest.mark.parametrize("start", ["checkpoint", "previous"])
def test_what_was_killed_is_taken_up_to_the_last_digit(start: str, folders: dict[str, Path], tmp_path: Path) -> None:
    asked = cell(folders["gpt2"], start=start, generations=3)
    whole = Recursion(asked, MemoryStore())
    expected = [whole.record(n).model_dump(exclude={"seconds"}) for n in (1, 2, 3)]
    for generation in (1, 2, 3):
        found = Recursion(asked, open_store(str(tmp_path / "store"))).record(generation)
        assert found.model_dump(exclude={"seconds"}) == expected[generation - 1]


@pytest.mark.parametrize("policy", ["verified", "curated", "detector_weighted", "token_edit"])
def test_judges_and_editing_read_adapters(policy: str, folders: dict[str, Path]) -> None:
    recursion = Recursion(cell(folders["llama"], policy=policy), MemoryStore())
    assert np.isfinite(recursion.record(2).test_loss)


def test_adapters_change_models_and_leave_rows(folders: dict[str, Path]) -> None:
    found = [Steps(cell(folders["gpt2"], lora=lora)) for lora in (None, {"rank": 2}, {"rank": 4})]
    assert len({steps.step(1).model for steps in found}) == 3
    assert len({steps.batch(0).key for steps in found}) == 1
    assert "lora" not in cell(folders["gpt2"], lora=None).family.canonical()


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_bfloat16_loops_leave_adapters_to_transformers(architecture: str, folders: dict[str, Path]) -> None:
    found = []
    for precision in ("bfloat16", "float32"):
        made = Recursion(cell(folders[architecture], precision=precision, learning_rate=1e-2), MemoryStore())
        corpus = made.corpus(made.steps.step(1))
        fitted = made.family.fine_tune(made.family.checkpoint(), corpus, Stream("same")).tensors
        found.append(flat({name: value for name, value in fitted.items() if "lora_B" in name}))
    assert not np.array_equal(*found)
    assert np.corrcoef(*found)[0, 1] > 0.9


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_merged_weights_take_the_fast_decoder(
    architecture: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    recursion = Recursion(cell(folders[architecture]), MemoryStore())
    merged = recursion.family._load(recursion.model(1))
    found = decoder(merged, 8)
    assert isinstance(found, FusedDecoder)
    with torch.inference_mode():
        found.begin(1)
        steps = torch.stack([found.step(TOKENS[:, place], place)[0].clone() for place in range(TOKENS.shape[1])])
    torch.testing.assert_close(steps, logits(merged)[0], atol=1e-4, rtol=1e-3)


def test_the_checkpoint_stays_as_long_as_its_adapters_are_read() -> None:
    shape = {"width": 16, "layers": 1, "heads": 2, "vocabulary": 300}
    made = cell(**shape, start="previous", generations=3, checkpoint={"pretrain": {"rows": 32, "epochs": 1}})
    steps = Steps(made)
    assert last_uses(steps)["checkpoint", steps.checkpoint] == 3
    graph = Graph(steps)
    for node in (graph.model(3), graph.record(3), graph.batch(steps.batch(2))):
        assert node.provenance["checkpoint"] == f"checkpoint/{steps.checkpoint}"


def test_adapters_of_another_checkpoint_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    other = make(tmp_path / "other", "llama", seed=1)
    one, two = (Recursion(cell(folder), MemoryStore()) for folder in (folders["llama"], other))
    with pytest.raises(StoreError, match="asked for on another"):
        two.family.validate(one.model(1))


def test_a_fit_of_adapters_takes_less_memory_and_room(folders: dict[str, Path]) -> None:
    whole, adapted = (cell(folders["llama"], lora=lora).family for lora in (None, {"rank": 1, "targets": ["q_proj"]}))
    kept = adapted.cost(16).kept
    assert kept == 1 * (16 + 16)
    assert whole.device_bytes(16) - adapted.device_bytes(16) == 12 * (whole.cost(16).parameters - kept)
    assert adapted.cost(16).fit_flops == pytest.approx(whole.cost(16).fit_flops * 4 / 6)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"lora": {"rank": 0}}, "family.lora.rank: input should be greater than or equal to 1, not 0"),
        ({"lora": {"alpha": 0}}, "family.lora.alpha: input should be greater than 0, not 0"),
        ({"lora": {"dropout": 1.0}}, "family.lora.dropout: input should be less than 1, not 1.0"),
        ({"lora": {"targets": []}}, "family.lora.targets: needs at least 1 entry, and has 0"),
        ({"lora": {"targets": "q_proj"}}, "family.lora.targets: must be a list, not 'q_proj'"),
        ({"lora": {"targets": ["q_prj"]}}, "family.lora.targets: llama has no layer 'q_prj'; did you mean 'q_proj'?"),
        ({"lora": {"targets": ["lm_head"]}}, "family.lora.targets: 'lm_head' of llama is no linear layer inside it"),
        ({"lora": {"targets": ["embed_tokens"]}}, "'embed_tokens' of llama is no linear layer inside it (known: down_"),
        ({"start": "fresh", "checkpoint": None}, "family.lora: adapts a checkpoint; name one"),
        ({"start": "previous", "checkpoint": None}, "family.lora: adapts a checkpoint; name one"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_bad_adapters_are_one_line(fields: dict[str, Any], reason: str, folders: dict[str, Path]) -> None:
    assert reason in refusal(folders["llama"], **fields)


def test_without_peft_the_line_names_the_extra(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "peft" else find(name, *rest))
    assert (
        refusal(folders["gpt2"])
        == 'family.lora: needs peft, which is not installed; pip install "collapse-sweep[lora]"'
    )
