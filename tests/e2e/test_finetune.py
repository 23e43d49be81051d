"""Fine-tuning studies from the command line: killed and taken up again, extended, refused, exported."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from search_spaces import load_study
from search_spaces.expansion import expand
from tests.support.checkpoints import make
from trainables import run
from trainables.recursion import Recursion
from trainables.store import open_store

SMALL = ["rows=40", "seed=0", "family.width=16", "family.layers=1", "family.heads=2", "family.context=24"]
SMALL += ["family.vocabulary=300", "family.test_rows=16", "family.sample_rows=4"]
SMALL += ["family.checkpoint.pretrain.rows=100", "family.checkpoint.pretrain.epochs=1"]


def command(*words: str, small: bool = True) -> list[str]:
    given = [word for override in SMALL for word in ("-o", override)] if small else []
    return [sys.executable, "-m", "sweep", *words, *given]


def called(*words: str, small: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words, small=small), capture_output=True, text=True, timeout=600)


def losses(study: str, workspace: Path, *overrides: str) -> dict[str, list[float]]:
    """Every record's loss, as the store holds it, by policy."""
    store = open_store(str(workspace / "store"))
    found = {}
    for point in expand(load_study(study, [*SMALL, *overrides])):
        held = [Recursion(point.cell, store).stored(n) for n in range(1, point.cell.generations + 1)]
        found[point.cell.policy.kind] = [record.test_loss for record in held if record]
    return found


@pytest.mark.parametrize("name", ["beam", "prompts", "response", "continual"])
def test_every_setting_gives_records(name: str) -> None:
    """Two generations of a tiny model; prompts and parts of rows as the study has them, as far as they fit."""
    given = [word for word in SMALL if not word.startswith("family.context")] + ["generations=2"]
    for point in expand(load_study(f"finetune/{name}", given))[::3]:
        first, second = run(point.cell)
        assert first.metrics["distinct_1"] > 0
        assert second.corpus_rows >= 40
        assert math.isfinite(second.test_loss)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_study_is_taken_up_and_extended_to_the_last_digit(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert called("run", "finetune/laptop", "--workspace", str(whole), "-o", "generations=4").returncode == 0
    words = ("run", "finetune/laptop", "--workspace", str(killed), "-o", "generations=4")
    process = subprocess.Popen(
        command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until = time.monotonic() + 300
    while not list((killed / "store").glob("record/**/*.json")) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < sum(map(len, losses("finetune/laptop", killed, "generations=4").values())) < 12
    assert called(*words).returncode == 0
    expected = losses("finetune/laptop", whole, "generations=4")
    assert losses("finetune/laptop", killed, "generations=4") == expected
    store = open_store(str(whole / "store"))
    before = set(store.keys("model"))
    assert called("run", "finetune/laptop", "--workspace", str(whole)).returncode == 0
    longer = losses("finetune/laptop", whole)
    assert {kind: found[:4] for kind, found in longer.items()} == expected
    assert len(set(store.keys("model")) - before) == 2 * len(longer), "two generations more cost two"
    assert len(list(store.keys("checkpoint"))) == 1


@pytest.mark.parametrize("what", ["run", "plan"])
def test_a_spoilt_checkpoint_ends_with_one_line(what: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "checkpoint")
    (folder / "tokenizer.json").unlink()
    study = tmp_path / "study.yaml"
    family = {"kind": "language", "start": "checkpoint", "checkpoint": {"path": "checkpoint"}}
    study.write_text(json.dumps({"cell": {"family": family, "policy": {"kind": "replace"}}}))
    found = called(what, str(study), "--workspace", str(tmp_path / "space"), small=False)
    assert found.returncode == 2
    (line,) = found.stderr.strip().splitlines()
    assert line.startswith("collapse-sweep: ")
    assert "cell.family.checkpoint: " in line
    assert "has no tokenizer" in line
    assert not (tmp_path / "space" / "store").exists()


def test_a_repository_that_is_not_at_hand_is_planned_and_not_run(tmp_path: Path) -> None:
    space = ["--workspace", str(tmp_path / "space")]
    planned = called("plan", "finetune/gpt2", *space, small=False)
    assert planned.returncode == 0, planned.stderr
    assert "openai-community/gpt2@main" in planned.stdout
    refused = called("run", "finetune/gpt2", *space, small=False)
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "'openai-community/gpt2' at revision 'main' can't be read" in line


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
    early = called("export", str(study), key[:8], str(folder), *space, small=False)
    assert (early.returncode, folder.exists()) == (2, False)
    assert "is not in" in early.stderr
    recursion.record(1)
    assert called("export", str(study), key[:8], str(folder), *space, small=False).returncode == 0
    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() == point.cell.family.cost(16).parameters
    again = called("export", str(study), key[:8], str(folder), *space, small=False)
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "not empty" in again.stderr
