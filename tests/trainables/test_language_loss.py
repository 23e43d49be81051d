"""The chunked loss is the model's own, gradients included."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.families.language import architecture, loss
from trainables.families.language.config import LanguageConfig


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loss.CHUNK, "cpu", 7 * 300)  # seven tokens, which divide no batch here


def gradients(
    name: str, *, tied: bool, plain: bool, bfloat16: bool = False, seed: int = 0
) -> tuple[float, list[Tensor]]:
    overrides = {"tie_word_embeddings": tied}
    config = LanguageConfig(architecture=name, width=16, layers=2, heads=2, vocabulary=300, overrides=overrides)
    model = architecture.create(config, seed=1).train()
    generator = torch.Generator().manual_seed(seed)
    tokens, share = torch.randint(0, 300, (5, 12), generator=generator), torch.rand(5, 12, generator=generator)
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


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_bfloat16_is_as_near_as_autocast_is(name: str) -> None:
    """Squared errors of the gradients, summed over ten batches."""
    ours = theirs = 0.0
    for seed in range(10):
        _, exact = gradients(name, tied=True, plain=True, seed=seed)
        ours += off(gradients(name, tied=True, plain=False, bfloat16=True, seed=seed)[1], exact)
        theirs += off(gradients(name, tied=True, plain=True, bfloat16=True, seed=seed)[1], exact)
    assert 0 < ours < 1.25 * theirs


def off(found: list[Tensor], exact: list[Tensor]) -> float:
    return sum(float((one - other).square().sum()) for one, other in zip(found, exact, strict=True))
