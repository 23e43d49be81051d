"""Fine-tuning studies from the command line: killed and taken up again, extended, refused, exported."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.cli import app
from sweep.planning import plan_study
from tests.support.checkpoints import make
from trainables import run
from trainables.recursion import Recursion
from trainables.store import MemoryStore, open_store

SMALL = ["rows=40", "seed=0", "family.width=16", "family.layers=1", "family.heads=2", "family.context=24"]
SMALL += ["family.vocabulary=300", "family.test_rows=16", "family.sample_rows=4"]
SMALL += ["family.checkpoint.pretrain.rows=100", "family.checkpoint.pretrain.epochs=1"]


def called(*words: str) -> Result:
    """A command that starts no Ray, in this process, which has loaded what it needs."""
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("name", ["beam", "prompts", "response", "continual", "mixes", "lora"])
def test_every_setting_gives_records(name: str) -> None:
    """Two generations of a tiny model; prompts and parts of rows as the study has them, as far as they fit."""
    given = [word for word in SMALL if not word.startswith("family.context")] + ["generations=2"]
    for point in expand(load_study(f"finetune/{name}", given))[::3]:
        first, second = run(point.cell)
        assert first.metrics["distinct_1"] > 0
        assert second.corpus_rows >= 40
        assert math.isfinite(second.test_loss)


@pytest.mark.parametrize(("study", "which"), [("continual", 1), ("lora", -1)])
def test_a_killed_recursion_is_taken_up_and_extended_to_the_last_digit(study: str, which: int, tmp_path: Path) -> None:
    point = expand(load_study(f"finetune/{study}", [*SMALL, "generations=4"]))[which]
    whole = [record.test_loss for record in run(point.cell)]
    (tmp_path / "cell.yaml").write_text(json.dumps(point.cell.model_copy(update={"generations": 3}).canonical()))
    words = ["trial", str(tmp_path / "cell.yaml"), "--storage", str(tmp_path / "store")]
    with subprocess.Popen([sys.executable, "-m", "sweep", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["test_loss"] == whole[0]
        process.kill()
    store = open_store(str(tmp_path / "store"))
    assert called(*words).stdout.count("test_loss") == 3
    before = set(store.keys("model"))
    assert [record.test_loss for record in run(point.cell, store)] == whole
    assert len(set(store.keys("model")) - before) == 1, "one generation more costs one"
    assert len(list(store.keys("checkpoint"))) == 1


@pytest.mark.parametrize("what", ["run", "plan"])
def test_a_spoilt_checkpoint_ends_with_one_line(what: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "checkpoint")
    (folder / "tokenizer.json").unlink()
    study = tmp_path / "study.yaml"
    family = {"kind": "language", "start": "checkpoint", "checkpoint": {"path": "checkpoint"}}
    study.write_text(json.dumps({"cell": {"family": family, "policy": {"kind": "replace"}}}))
    found = called(what, str(study), "--workspace", str(tmp_path / "space"))
    assert found.exit_code == 2
    (line,) = found.stderr.strip().splitlines()
    assert line.startswith("collapse-sweep: ")
    assert "cell.family.checkpoint: " in line
    assert "has no tokenizer" in line
    assert not (tmp_path / "space" / "store").exists()


def test_a_repository_that_is_not_at_hand_is_planned_and_not_run(tmp_path: Path) -> None:
    space = ["--workspace", str(tmp_path / "space")]
    planned = called("plan", "finetune/gpt2", *space)
    assert planned.exit_code == 0, planned.stderr
    assert "openai-community/gpt2@main" in planned.stdout
    refused = called("run", "finetune/gpt2", *space)
    assert refused.exit_code == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "'openai-community/gpt2' at revision 'main' can't be read" in line


@pytest.mark.parametrize(
    ("name", "parameters"), [("olmo", 1_176_764_416), ("smollm2", 134_515_008), ("gemma", 2_614_341_888)]
)
def test_what_all_cells_lack_is_said_in_one_line(
    name: str, parameters: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = plan_study(load_study(f"finetune/{name}"), MemoryStore())
    (line,) = found.missing
    assert "at revision 'main' can't be read" in line
    assert "\n" not in line
    assert {line.parameters for line in found.lines} == {parameters}


def test_a_model_is_exported_where_transformers_reads_it(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    study = tmp_path / "study.yaml"
    family = {"kind": "language", "width": 16, "layers": 1, "heads": 2, "vocabulary": 300, "context": 24, "epochs": 1}
    study.write_text(
        json.dumps({"cell": {"family": family, "policy": {"kind": "replace"}, "rows": 16, "generations": 1}})
    )
    space, folder = ["--workspace", str(tmp_path)], tmp_path / "saved"
    (point,) = expand(load_study(str(study)))
    recursion = Recursion(point.cell, open_store(str(tmp_path / "store")))
    key = recursion.steps.step(1).model
    early = called("export", str(study), key[:8], str(folder), *space)
    assert (early.exit_code, folder.exists()) == (2, False)
    assert "is not in" in early.stderr
    recursion.record(1)
    assert called("export", str(study), key[:8], str(folder), *space).exit_code == 0
    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() == point.cell.family.cost(16).parameters
    again = called("export", str(study), key[:8], str(folder), *space)
    assert again.exit_code == 2
    assert again.stderr.count("\n") == 1
    assert "not empty" in again.stderr
