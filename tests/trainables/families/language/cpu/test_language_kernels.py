"""Compiled loops of decoding: each against the plain formula, and both paths of a decoder against each other."""

from typing import Any

import numpy as np
import pytest
import torch

from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.cpu.attention import attend
from trainables.families.language.cpu.decode import added, drawn, gated, gelu
from trainables.families.language.cpu.simd import LANES, exponents, narrow, wide
from trainables.families.language.sampling.decoder import KeyValues, decoder
from trainables.families.language.sampling.fused import FusedDecoder
from trainables.families.language.sampling.sample import inverse, sample_rows
from trainables.lineage import Stream
from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp

PLACES = 2 * LANES + 5


@compiled
def _exps(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(x)):
        out[i] = exp(x[i])


@compiled
def _stored(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(x)):
        out[i] = narrow(x[i], out[0])


@compiled
def _read(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(x)):
        out[i] = wide(x[i])


def halves(x: np.ndarray) -> np.ndarray:
    """bfloat16 as torch rounds it, as integers."""
    return torch.from_numpy(x).bfloat16().view(torch.uint16).numpy()


def test_exp_is_right_to_two_parts_in_ten_million_and_flushes_below_minus_87() -> None:
    x = np.linspace(-86.99, 87.99, 1_000_003).astype(np.float32)
    found = np.empty_like(x)
    _exps(x, found)
    assert np.abs(found / np.exp(x.astype(np.float64)) - 1).max() < 2e-7
    edges = np.array([-np.inf, -1e30, -87.1, 0.0, np.nan, np.inf], np.float32)
    _exps(edges, out := np.empty_like(edges))
    assert out[:4].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert np.isnan(out[4])
    assert out[5] == pytest.approx(np.exp(88.0), rel=2e-7)


def test_halves_are_rounded_as_torch_rounds_them() -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(10_000) * np.exp(rng.uniform(-60, 60, 10_000))).astype(np.float32)
    x[:4] = np.float32([1.00390625, 1.01171875, -0.0, np.inf])  # two ties, to even
    _stored(x, stored := np.empty(len(x), np.uint16))
    assert np.array_equal(stored, halves(x))
    _read(stored, back := np.empty_like(x))
    assert np.array_equal(back, torch.from_numpy(x).bfloat16().float().numpy())
    _stored(x, same := np.empty_like(x))
    assert np.array_equal(same, x)


def test_exponents_are_of_the_distance_to_the_largest() -> None:
    row = np.random.default_rng(0).normal(-30, 8, 77).astype(np.float32)
    expected = np.exp(0.7 * (row[:70].astype(np.float64) - row[:70].max()))
    found = row.copy()
    total = exponents(found, 70, np.float32(0.7))
    assert total == pytest.approx(expected.sum(), rel=1e-6)
    np.testing.assert_allclose(found[:70], expected, rtol=1e-5, atol=1e-37)
    assert np.array_equal(found[70:], row[70:])


@pytest.mark.parametrize("vocabulary", [7, 64, 258, 2048])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_draws_are_those_of_the_inverse_cumulative_softmax(vocabulary: int, temperature: float) -> None:
    rng = np.random.default_rng(vocabulary)
    logits, points = rng.normal(0, 3, (500, vocabulary)).astype(np.float32), rng.random(500).astype(np.float32)
    points[0], points[1] = 0, np.nextafter(np.float32(1), np.float32(0))
    expected = inverse(torch.softmax(torch.from_numpy(logits).double() / temperature, -1), torch.from_numpy(points))
    tokens = np.empty(500, np.int64)
    assert np.isfinite(drawn(logits, points, np.float32(1 / temperature), tokens))
    assert (tokens == expected.numpy()).mean() > 0.995  # others lie within rounding of a border


def test_a_token_without_a_chance_is_never_drawn_by_a_kernel() -> None:
    logits = np.full((3, 200), -1e30, np.float32)
    logits[0, 0] = logits[1, 100] = logits[2, -1] = 0
    for point in (0.0, 0.5, float(np.nextafter(np.float32(1), np.float32(0)))):
        drawn(logits.copy(), np.full(3, point, np.float32), np.float32(1), tokens := np.empty(3, np.int64))
        assert tokens.tolist() == [0, 100, 199]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 20, 257])
def test_a_logit_that_is_no_number_shows(bad: float, place: int) -> None:
    logits = np.zeros((3, 258), np.float32)
    logits[1, place] = bad
    assert not np.isfinite(drawn(logits, np.zeros(3, np.float32), np.float32(1), np.empty(3, np.int64)))


@pytest.mark.parametrize("half", [False, True])
def test_norms_and_activations_are_torchs(half: bool) -> None:
    rng = np.random.default_rng(0)
    x, change = rng.normal(1, 2, (2, 5, 21)).astype(np.float32)
    gain, shift, bias = rng.normal(0, 1, (3, 21)).astype(np.float32)
    read = (lambda a: halves(a)) if half else (lambda a: a)
    back = torch.from_numpy(x + torch.from_numpy(change).to(torch.bfloat16 if half else torch.float32).float().numpy())
    summed, tight = back + torch.from_numpy(bias), {"rtol": 1e-2 if half else 1e-5, "atol": 1e-2 if half else 1e-5}
    tensors = torch.from_numpy(gain), torch.from_numpy(shift)
    for centred in (True, False):
        out, stream = read(np.zeros_like(x)), x.copy()
        added(stream, read(change), bias, gain, shift, np.float32(1e-5), centred, out)
        layer = torch.nn.functional.layer_norm(summed, (21,), *tensors, 1e-5)
        root = torch.nn.functional.rms_norm(summed, (21,), tensors[0], 1e-5) + tensors[1]
        torch.testing.assert_close(_floats(out), layer if centred else root, **tight)
        torch.testing.assert_close(torch.from_numpy(stream), summed, rtol=1e-6, atol=1e-6)
    given = _floats(read(x)) + torch.from_numpy(bias)
    gelu(read(x), bias, out := read(np.zeros_like(x)))
    torch.testing.assert_close(_floats(out), torch.nn.functional.gelu(given, approximate="tanh"), **tight)
    gated(read(x[:, :20]), bias[:20], out := read(np.zeros((5, 10), np.float32)))
    torch.testing.assert_close(_floats(out), torch.nn.functional.silu(given[:, :10]) * given[:, 10:20], **tight)


def _floats(stored: np.ndarray) -> torch.Tensor:
    found = torch.from_numpy(stored)
    return found if stored.dtype == np.float32 else found.view(torch.bfloat16).float()


@pytest.mark.parametrize(("heads", "kv_heads", "width"), [(4, 4, 32), (4, 2, 24), (3, 1, 6)])
def test_attention_is_that_of_plain_products(heads: int, kv_heads: int, width: int) -> None:
    rows, generator = 3, torch.Generator().manual_seed(0)
    plain = KeyValues(1, kv_heads, PLACES, width, torch.zeros(1))
    plain.begin(rows)
    padded = -(-width // LANES) * LANES
    held = np.zeros((rows, kv_heads, -(-PLACES // LANES), 2, padded, LANES), np.float32)
    bias = np.zeros((heads + 2 * kv_heads) * width, np.float32)
    still, none = (np.ones(width, np.float32), np.zeros(width, np.float32)), np.zeros((0, width), np.float32)
    for place in range(PLACES):
        qkv = torch.randn(rows, heads + 2 * kv_heads, width, generator=generator)
        parts = qkv[:, :heads], qkv[:, heads : heads + kv_heads], qkv[:, heads + kv_heads :]
        expected = plain.attend(0, place, *parts, 0.3)
        found = np.empty((rows, heads * width), np.float32)
        flat = qkv.flatten(1).numpy()
        attend(flat, bias, *still, none, np.float32(0), held, place, np.float32(0.3), found)
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-5, atol=1e-6)


def tiny(name: str, **fields: Any) -> LanguageConfig:
    shape = {"width": 32, "layers": 2, "heads": 2, "context": PLACES, "vocabulary": 300, "initializer_range": 0.2}
    return LanguageConfig(architecture=name, **shape | fields)


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3"])
def test_both_paths_of_a_model_draw_the_same_tokens(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In single precision they differ by rounding alone, which moves a token where a point lies at a border."""
    config = tiny(name)
    model = architecture.create(config, seed=0).eval()
    assert isinstance(decoder(model, PLACES), FusedDecoder)
    fused = sample_rows(config, model, 60, Stream("a")).tokens
    monkeypatch.setattr(FusedDecoder, "fits", staticmethod(lambda model: False))
    assert not isinstance(decoder(model, PLACES), FusedDecoder)
    plain = sample_rows(config, model, 60, Stream("a")).tokens
    assert (fused.reshape(60, -1) == plain.reshape(60, -1)).all(axis=1).mean() > 0.95


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3"])
def test_the_plain_path_gives_the_same_logits(name: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = architecture.create(tiny(name), seed=3).eval()
    tokens = torch.randint(0, 300, (5, PLACES), generator=torch.Generator().manual_seed(0))
    close = {"atol": 2e-5, "rtol": 1e-4} if precision == "float32" else {"atol": 0.1, "rtol": 0.1}
    with torch.inference_mode():
        fused = _logits(model, tokens, getattr(torch, precision))
        monkeypatch.setattr(FusedDecoder, "fits", staticmethod(lambda model: False))
        torch.testing.assert_close(fused, _logits(model, tokens, getattr(torch, precision)), **close)


def _logits(model: Any, tokens: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    grown = decoder(model, PLACES, dtype)
    grown.begin(len(tokens))
    return torch.stack([grown.step(tokens[:, place], place).clone() for place in range(PLACES)], dim=1)
