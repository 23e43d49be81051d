"""What only a card can show: updates and steps are recorded, and give what a CPU's reference path gives."""

import logging

import numpy as np
import pytest
import torch

from trainables.families.batches import shuffled
from trainables.families.lanes import lane_of
from trainables.families.language import gpu
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.fit import _fit_padded
from trainables.families.language.gpu import grow, train
from trainables.families.language.gpu.attention import kernels_agree
from trainables.families.language.replicates import judging
from trainables.families.language.replicates.decoder import StackDecoder
from trainables.families.language.sampling import sample_rows, sample_together
from trainables.families.language.token_rows import Rows, RowsView
from trainables.lineage import Stream
from trainables.runtime import DEVICE
from trainables.store import Payload

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
NAMES = ("gpt2", "llama")


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE, "cuda")
    train._kept.clear()
    grow._kept.clear()


def config(name: str) -> LanguageConfig:
    shape = {"width": 32, "layers": 2, "heads": 2, "context": 80, "vocabulary": 300, "batch": 8, "epochs": 2}
    words = {"sequences": "documents", "precision": "float32", "sampling_precision": "float32"}
    return LanguageConfig(architecture=name, initializer_range=0.2, learning_rate=1e-3, **shape | words)


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_fit_ends_where_the_padded_one_does(name: str, caplog: pytest.LogCaptureFixture) -> None:
    given, draws = config(name), np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(draws.integers(1, 81, 60))])
    rows = RowsView((Rows(draws.integers(2, 300, starts[-1]).astype(np.uint16), starts),))
    found, expected = (architecture.create(given, 1).train() for _ in range(2))
    assert gpu.can_pack(given, found, rows)
    with caplog.at_level(logging.WARNING):
        gpu.fit_packed(given, found, rows, shuffled(60, 8, np.random.default_rng(0)))
    (work,) = train._kept.values()
    assert work._run is not None
    assert work._run.recorded, caplog.text
    _fit_padded(given, expected, rows, shuffled(60, 8, np.random.default_rng(0)))
    tokens = torch.randint(0, 300, (5, 80), generator=torch.Generator().manual_seed(0)).cuda()
    with torch.inference_mode():
        one, other, begun = (model(tokens).logits for model in (found, expected, architecture.create(given, 1)))
    torch.testing.assert_close(one, other, rtol=1e-2, atol=5e-3)
    assert (one - begun).abs().max() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_in_halves_attends_by_kernels_for_different_lengths(name: str, caplog: pytest.LogCaptureFixture) -> None:
    given, draws = config(name).model_copy(update={"precision": "auto"}), np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(draws.integers(1, 81, 60))])
    rows = RowsView((Rows(draws.integers(2, 300, starts[-1]).astype(np.uint16), starts),))
    found, expected = (architecture.create(given, 1).train() for _ in range(2))
    with caplog.at_level(logging.WARNING):
        gpu.fit_packed(given, found, rows, shuffled(60, 8, np.random.default_rng(0)))
    (work,) = train._kept.values()
    assert work.flat
    assert work._run is not None
    assert work._run.recorded, caplog.text
    assert not caplog.records
    _fit_padded(given, expected, rows, shuffled(60, 8, np.random.default_rng(0)))
    for (part, one), other in zip(found.named_parameters(), expected.parameters(), strict=True):
        if not part.endswith("c_attn.bias"):  # of keys, which change no chance
            torch.testing.assert_close(one, other, rtol=0.0, atol=0.02, msg=part)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_steps_give_the_rows_of_a_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = config(name).model_copy(update={"sequences": "fixed_length"})
    model = architecture.create(given, 1).eval()
    found = sample_rows(given, model, 70, Stream("rows"))
    (work,) = grow._kept.values()
    assert all(step.recorded for step in work._steps.values() if step._calls > 3)
    monkeypatch.setenv(DEVICE, "cpu")
    expected = sample_rows(given, model.cpu(), 70, Stream("rows"))
    same = (found.tokens == expected.tokens).reshape(70, 80).all(axis=1)
    assert same.mean() > 0.9  # a point within rounding of a border leads a row elsewhere


@pytest.mark.parametrize("width", [32, 64, 96, 128, 256])
def test_kernels_for_different_lengths_are_used_where_they_agree(width: int) -> None:
    assert kernels_agree(width, torch.device("cuda"))


@pytest.mark.parametrize("name", NAMES)
def test_compiled_steps_and_models_side_by_side_give_the_rows_of_a_cpu(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = config(name).model_copy(update={"sequences": "fixed_length"})
    models = [Payload(tensors=architecture.weights(architecture.create(given, seed))) for seed in range(2)]
    streams = [lane_of(Stream("rows"), number) for number in range(2)]
    with monkeypatch.context() as on_cpu:
        on_cpu.setenv(DEVICE, "cpu")
        pairs = zip(models, streams, strict=True)
        expected = [sample_rows(given, architecture.load(given, one.tensors), 64, stream) for one, stream in pairs]
    decoder = StackDecoder(judging.stack_of(given, models), given.context, torch.float32, gpu.StaticKeyValues)
    work = gpu.growth_of(given, decoder, decoder.make, 128, 2)
    with caplog.at_level(logging.WARNING):
        for compiled in (False, True):
            for shape in list(work._steps) if compiled else []:
                work.compile(shape)
            found = sample_together(given, work, 64, streams, 1.0, [None, None])
            for ours, its in zip(found, expected, strict=True):
                assert np.mean(ours.tokens == its.tokens) > 0.9
    assert all(step.recorded for step in work._steps.values()), caplog.text
