"""Sampling and editing draw from the model's own distribution, cut as configured, and repeat themselves."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from trainables.families import Diverged
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.evaluate import row_losses
from trainables.families.language.sampling.edit import edit_rows
from trainables.families.language.sampling.sample import cut, inverse, sample_rows
from trainables.families.language.token_rows import Rows
from trainables.lineage import Stream

EOS = 1


def tiny(**fields: Any) -> LanguageConfig:
    shape = {"width": 16, "layers": 1, "heads": 2, "context": 6, "vocabulary": 258, "initializer_range": 0.5}
    return LanguageConfig(**shape | fields)


def first_token_chances(config: LanguageConfig, model: Any, temperature: float) -> np.ndarray:
    with torch.inference_mode():
        logits = model(torch.zeros(1, 1, dtype=torch.long)).logits[0, -1].double()
    return torch.softmax(logits / temperature, dim=-1).numpy()


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5)])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_sampled_tokens_follow_the_models_distribution(name: str, temperature: float, bias: float) -> None:
    config = tiny(architecture=name, temperature=temperature, context=2)
    model = architecture.create(config, seed=0).eval()
    rows = sample_rows(config, model, 20_000, Stream("sampled"), bias)
    counts = np.bincount(rows.tokens[::2], minlength=258)
    expected = first_token_chances(config, model, temperature * bias) * 20_000
    often = expected >= 5
    observed = np.append(counts[often], counts[~often].sum())
    expected = np.append(expected[often], expected[~often].sum() + 1e-9)
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


def test_the_likelihood_of_samples_is_the_models_entropy() -> None:
    """Mean −log p of whole sampled rows agrees between two independent halves and is below that of noise."""
    config = tiny()
    model = architecture.create(config, seed=0).eval()
    losses = row_losses(config, model, sample_rows(config, model, 4000, Stream("rows")))
    noise = Rows.fixed(np.random.default_rng(0).integers(0, 258, 4000 * 6), 6)
    error = losses.std() / np.sqrt(2000)
    assert abs(losses[:2000].mean() - losses[2000:].mean()) < 4 * np.sqrt(2) * error
    assert losses.mean() < row_losses(config, model, noise).mean() - 10 * error


def test_inverse_takes_the_first_token_past_the_point() -> None:
    rng = np.random.default_rng(0)
    chances = torch.from_numpy(rng.dirichlet(np.full(50, 0.3), 400)).float()
    chances[:, ::3] = 0.0
    points = torch.from_numpy(rng.random(400)).float()
    found = inverse(chances, points).numpy()
    table = chances.double().cumsum(dim=-1).numpy()
    target = points.double().numpy() * table[:, -1]
    below = np.where(found > 0, table[np.arange(400), found - 1], 0.0)
    assert (below <= target + 1e-6).all()
    assert (table[np.arange(400), found] > target - 1e-6).all()


@pytest.mark.parametrize("vocabulary", [7, 258, 1000])
def test_a_token_of_no_chance_is_never_drawn(vocabulary: int) -> None:
    chances = torch.zeros(3, vocabulary)
    chances[0, 0] = chances[1, vocabulary // 2] = chances[2, -1] = 0.3
    for point in (0.0, 0.5, float(np.nextafter(np.float32(1), np.float32(0)))):
        assert inverse(chances, torch.full((3,), point)).tolist() == [0, vocabulary // 2, vocabulary - 1]


def test_cuts_keep_what_they_should() -> None:
    chances = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    kept = {name: cut(tiny(**fields), chances)[0] > 0 for name, fields in CUTS.items()}
    assert kept["all"].tolist() == [True] * 4
    assert kept["two"].tolist() == [True, True, False, False]
    assert kept["mass"].tolist() == [True, True, False, False]
    assert kept["one"].tolist() == [True, False, False, False]


CUTS: dict[str, dict[str, Any]] = {"all": {}, "two": {"top_k": 2}, "mass": {"top_p": 0.65}, "one": {"top_p": 0.1}}


@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox", "mamba"])
def test_documents_end_at_their_first_eos(name: str) -> None:
    config = tiny(architecture=name, sequences="documents", context=40)
    model = architecture.create(config, seed=2).eval()
    rows = sample_rows(config, model, 300, Stream("documents"))
    ends = rows.tokens[rows.starts[1:] - 1]
    assert rows.rows == 300
    assert ((ends == EOS) | (rows.lengths == 40)).all()
    assert (rows.tokens == EOS).sum() == (ends == EOS).sum() > 0


def test_rows_that_ended_leave_the_rest_unchanged() -> None:
    """Up to their first EOS, documents are the rows that fixed-length sampling of the same stream gives."""
    config = tiny(context=40)
    model = architecture.create(config, seed=2).eval()
    fixed = sample_rows(config, model, 100, Stream("same")).tokens.reshape(100, 40)
    documents = sample_rows(config.model_copy(update={"sequences": "documents"}), model, 100, Stream("same"))
    for row, start, end in zip(fixed, documents.starts[:-1], documents.starts[1:], strict=True):
        assert documents.tokens[start:end].tolist() == row[: end - start].tolist()


def test_sampling_repeats_itself_and_uses_no_global_generator() -> None:
    config = tiny()
    model = architecture.create(config, seed=0).eval()
    before = torch.random.get_rng_state()
    one, same, other = (sample_rows(config, model, 20, Stream(key)).tokens for key in ("a", "a", "b"))
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_broken_model_is_reported() -> None:
    config = tiny()
    model = architecture.create(config, seed=0).eval()
    with torch.no_grad():
        model.transformer.ln_f.weight.fill_(float("nan"))
    with pytest.raises(Diverged, match="not finite"):
        sample_rows(config, model, 3, Stream("broken"))


@pytest.mark.parametrize("threshold", [0.01, 0.2, 0.9])
def test_editing_touches_likely_tokens_alone(threshold: float) -> None:
    config = tiny(context=12)
    model = architecture.create(config, seed=0).eval()
    rows = sample_rows(config, model, 70, Stream("real"))
    edited, share = edit_rows(config, model, rows, threshold, Stream("edit"))
    tokens = torch.from_numpy(rows.tokens.astype(np.int64)).view(70, 12)
    with torch.inference_mode():
        logits = model(torch.cat([torch.zeros(70, 1, dtype=torch.long), tokens[:, :-1]], dim=1)).logits
    likely = torch.softmax(logits, dim=-1).gather(-1, tokens[..., None])[..., 0].numpy().ravel() >= threshold
    assert share == pytest.approx(likely.mean())
    assert np.array_equal(edited.tokens[~likely], rows.tokens[~likely])
    assert threshold == 0.9 or (edited.tokens[likely] != rows.tokens[likely]).any()


def test_editing_documents_neither_adds_nor_drops_an_eos() -> None:
    config = tiny(context=40, sequences="documents")
    model = architecture.create(config, seed=2).eval()
    rows = sample_rows(config, model, 90, Stream("real"))
    edited, share = edit_rows(config, model, rows, 1e-9, Stream("edit"))
    assert share > 0.5
    assert np.array_equal(edited.tokens == EOS, rows.tokens == EOS)
    assert np.array_equal(edited.starts, rows.starts)
