"""The chunked loss is the model's own, gradients included."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.families.language import loss
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.cpu import forward_gpt2, forward_llama
from trainables.families.language.evaluate import token_losses


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loss.CHUNK, "cpu", 7 * 300)  # seven tokens, which divide no batch here


def create(name: str, **overrides: Any) -> Any:
    """A model whose gains and biases are not the ones and zeros that a fresh one has."""
    config = LanguageConfig(architecture=name, width=16, layers=2, heads=2, vocabulary=300, overrides=overrides)
    model = architecture.create(config, seed=1).train()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for vector in (p for p in model.parameters() if p.ndim == 1):
            vector.add_(0.2 * torch.randn(vector.shape, generator=generator))
    return model


def gradients(
    name: str, *, tied: bool, plain: bool, bfloat16: bool = False, seed: int = 0, length: int = 12
) -> tuple[float, list[Tensor]]:
    model = create(name, tie_word_embeddings=tied)
    generator = torch.Generator().manual_seed(seed)
    tokens, share = (
        torch.randint(0, 300, (5, length), generator=generator),
        torch.rand(5, length, generator=generator) / length,
    )
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        if plain:
            logits = model(loss.read_after_bos(tokens)).logits.float()
            each = cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
            total = (each * share.flatten()).sum()
        else:
            loss.attend_in_single_precision(model)
            total = loss.weighted_loss(model, tokens, share)
    torch.autograd.backward(2 * total)
    return float(total.detach()), [p.grad for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "qwen3", "mistral", "gpt_neox"])
def test_chunks_give_the_models_own_loss_and_gradients(name: str, tied: bool) -> None:
    own, own_slopes = gradients(name, tied=tied, plain=True)
    found, slopes = gradients(name, tied=tied, plain=False)
    assert found == pytest.approx(own, rel=1e-6)
    for one, other in zip(slopes, own_slopes, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [12, 60])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_bfloat16_is_as_near_as_autocast_is(name: str, length: int) -> None:
    """Squared errors of the gradients, summed over ten batches, and each gradient's own."""
    ours = theirs = 0.0
    for seed in range(10):
        _, exact = gradients(name, tied=True, plain=True, seed=seed, length=length)
        found = gradients(name, tied=True, plain=False, bfloat16=True, seed=seed, length=length)[1]
        theirs += off(gradients(name, tied=True, plain=True, bfloat16=True, seed=seed, length=length)[1], exact)
        ours += off(found, exact)
        assert all((a - b).norm() < 0.1 * b.norm() for a, b in zip(found, exact, strict=True) if b.norm() > 1e-3)
    assert 0 < ours < 1.25 * theirs


OTHERS = [
    ("llama", {"attention_bias": True}),
    ("llama", {"num_key_value_heads": 1}),
    ("llama", {"attention_dropout": 0.5}),
    ("llama", {"hidden_act": "gelu"}),
    ("gpt2", {"resid_pdrop": 0.5}),
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
]


@pytest.mark.parametrize(("name", "overrides"), OTHERS)
def test_a_model_with_anything_more_takes_transformers_own_way(name: str, overrides: dict[str, Any]) -> None:
    known = {"llama": forward_llama, "gpt2": forward_gpt2}[name]
    assert known.fits(create(name))
    assert not known.fits(create(name, **overrides))


@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox"])
def test_held_out_losses_are_those_of_the_models_logits(name: str) -> None:
    model = create(name).eval()
    tokens = torch.randint(0, 300, (5, 12), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = model(loss.read_after_bos(tokens)).logits
        own = cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(5, 12)
        torch.testing.assert_close(token_losses(model, tokens), own)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.testing.assert_close(token_losses(model, tokens), own, atol=0.05, rtol=0.01)


def off(found: list[Tensor], exact: list[Tensor]) -> float:
    return sum(float((one - other).square().sum()) for one, other in zip(found, exact, strict=True))
