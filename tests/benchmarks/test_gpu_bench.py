"""The bench of one card: a line where there is none, and a small rehearsal of all of it on a CPU."""

import os
from dataclasses import replace

import pytest

from benchmarks import __main__ as command
from benchmarks import gpu
from trainables.families.language import gpu as engine
from trainables.runtime import DEVICE


def test_without_a_card_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(DEVICE, raising=False)
    assert list(gpu.claims()) == []
    assert capsys.readouterr().out == "gpu: no card here; --device cpu rehearses it small\n"


def test_a_device_is_taken_from_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE, "")
    assert command._placed(["gpu", "--device", "cpu"]) == ["gpu"]
    assert os.environ[DEVICE] == "cpu"
    assert command._placed(["vae", "toys"]) == ["vae", "toys"]


def test_help_says_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["gpu", "--help"])
    said = capsys.readouterr().out
    for part in ("fits", "`Trainer`", "seeds side by side", "compiled steps", "images", "conformers", "--device cpu"):
        assert part in said
    command.main(["--help"])
    assert "seeds, diffusion" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # `Trainer` and `generate`, which others own
def test_it_can_be_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("accelerate", reason="Trainer needs accelerate")
    monkeypatch.setenv(DEVICE, "cpu")
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    monkeypatch.setattr(gpu, "REHEARSAL", replace(gpu.REHEARSAL, models=gpu.REHEARSAL.models[:1], steps=1))
    before = engine.can_pack, engine.can_grow
    found = list(gpu.claims())
    assert (engine.can_pack, engine.can_grow) == before
    assert [ratio.peer for ratio in found] == [
        *("Trainer", "plain eager loop") * 2,
        "generate, static cache",
        "the padded path",
        "one after another",
        *("the steps as they are",) * 2,
        "plain updates",
        *("the plain loop",) * 2,
    ]
    assert all(ratio.ours and ratio.theirs and min(ratio.ours) > 0 for ratio in found)
