"""The device is a choice of the environment, and a wrong choice is one clear line."""

import pytest
import torch

from trainables.runtime import pick_device


def test_the_environment_names_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAPSE_SWEEP_DEVICE", "cpu")
    assert pick_device() == torch.device("cpu")


def test_one_thread_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAPSE_SWEEP_DEVICE", "cpu")
    monkeypatch.setenv("COLLAPSE_SWEEP_THREADS", "2")
    pick_device()
    assert torch.get_num_threads() == 2
    monkeypatch.delenv("COLLAPSE_SWEEP_THREADS")
    pick_device()
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("name", ["cuda:99", "abacus"])
def test_a_missing_device_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLLAPSE_SWEEP_DEVICE", name)
    with pytest.raises(ValueError, match=r"^COLLAPSE_SWEEP_DEVICE: .* can't be used here"):
        pick_device()


def test_a_wrong_number_of_threads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAPSE_SWEEP_THREADS", "many")
    with pytest.raises(ValueError, match=r"^COLLAPSE_SWEEP_THREADS: .* not 'many'"):
        pick_device()
