"""Models by config: the paper's sizes to the last parameter, round trips, and decoding equal to the model's own."""

from typing import Any

import numpy as np
import pytest
import torch

from trainables.families.language import model as architecture
from trainables.families.language import sizes
from trainables.families.language.config import LanguageConfig
from trainables.families.language.sampling.decoder import CHUNK, Decoder, decoder
from trainables.families.language.sampling.generic import CachedDecoder, WholeDecoder, agrees

PAPER = [("gpt2", "9M", 8_890_880), ("llama", "12M", 12_488_960), ("llama", "42M", 41_755_136)]
PAPER += [("llama", "126M", 125_553_408)]

ARCHITECTURES = ["gpt2", "llama", "gpt_neox", "qwen2", "qwen3", "mistral", "mamba", "bloom"]


PLACES = CHUNK + 6
"""Of rows that are decoded: more than keys and values have in one piece."""


def tiny(name: str, **fields: Any) -> LanguageConfig:
    return LanguageConfig(architecture=name, width=16, layers=2, heads=2, context=PLACES, vocabulary=300, **fields)


@pytest.mark.parametrize(("name", "size", "count"), PAPER)
def test_the_papers_sizes_are_exact(name: str, size: str, count: int) -> None:
    config = LanguageConfig(architecture=name, size=size, vocabulary=8000, context=512)
    assert config.parameters == count
    assert architecture.count_parameters(config) == count


@pytest.mark.parametrize("size", [s for s in sizes.SIZES if s.endswith("M")])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_the_formula_counts_what_the_model_has(name: str, size: str) -> None:
    config = LanguageConfig(architecture=name, size=size)
    assert config.parameters == architecture.count_parameters(config)


@pytest.mark.parametrize("size", ["0.1M", "0.4M", "1M", "2M", "5M"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3"])
def test_small_sizes_are_what_they_are_called(name: str, size: str) -> None:
    assert LanguageConfig(architecture=name, size=size).parameters == pytest.approx(float(size[:-1]) * 1e6, rel=0.15)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_survive_the_round_trip(name: str) -> None:
    config = tiny(name)
    model = architecture.create(config, seed=1).eval()
    tensors = architecture.weights(model)
    assert sum(t.size for t in tensors.values()) == config.parameters
    assert all(t.dtype == np.float32 for t in tensors.values())
    tokens = torch.arange(20).view(2, 10)
    with torch.inference_mode():
        again = architecture.load(config, tensors)(tokens).logits
        assert torch.equal(model(tokens).logits, again)


def test_initialisation_follows_its_seed_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (architecture.weights(architecture.create(tiny("gpt2"), seed)) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)


def begun(model: Any, rows: int) -> Decoder:
    grown = decoder(model, PLACES)
    grown.begin(rows)
    return grown


def step_through(grown: Decoder, tokens: torch.Tensor) -> torch.Tensor:
    return torch.stack([grown.step(tokens[:, place], place).clone() for place in range(tokens.shape[1])], dim=1)


VARIANTS: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in ARCHITECTURES]
VARIANTS += [
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    ("gpt2", {"activation_function": "relu"}),
    ("llama", {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True}),
    ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}),
    ("qwen3", {"num_key_value_heads": 1, "head_dim": 12}),
    ("mistral", {"sliding_window": 4}),
    ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}),
]


@pytest.mark.parametrize(("name", "overrides"), VARIANTS)
def test_decoding_gives_the_models_own_logits(name: str, overrides: dict[str, Any]) -> None:
    model = architecture.create(tiny(name, overrides=overrides), seed=3).eval()
    tokens = torch.randint(0, 300, (5, PLACES), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model(tokens).logits
        torch.testing.assert_close(step_through(begun(model, 5), tokens), expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3", "gpt_neox"])
def test_decoding_in_bfloat16_is_near_the_models_own_logits(name: str) -> None:
    model = architecture.create(tiny(name), seed=3).eval()
    tokens = torch.randint(0, 300, (5, PLACES), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        grown = decoder(model, PLACES, torch.bfloat16)
        grown.begin(5)
        own, found = model(tokens).logits.double().log_softmax(-1), step_through(grown, tokens).double().log_softmax(-1)
    assert 0 < float((own.exp() * (own - found)).sum(-1).mean()) < 1e-3


def test_a_decoder_that_begins_again_has_forgotten() -> None:
    model = architecture.create(tiny("llama"), seed=3).eval()
    one, other = torch.randint(0, 300, (2, 5, PLACES), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        grown = begun(model, 5)
        step_through(grown, one)
        grown.begin(5)
        torch.testing.assert_close(step_through(grown, other), model(other).logits, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rows_that_leave_the_batch_do_not_change_the_others(name: str) -> None:
    model = architecture.create(tiny(name), seed=3).eval()
    tokens = torch.randint(0, 300, (5, PLACES), generator=torch.Generator().manual_seed(0))
    kept = torch.tensor([0, 3, 4])
    with torch.inference_mode():
        expected = model(tokens).logits
        grown = begun(model, 5)
        step_through(grown, tokens[:, :6])
        grown.keep(kept)
        logits = torch.stack([grown.step(tokens[kept, place], place).clone() for place in range(6, PLACES)], dim=1)
    torch.testing.assert_close(logits, expected[kept, 6:], atol=2e-5, rtol=1e-4)


def test_gpt2_and_relatives_of_llama_take_the_lean_path() -> None:
    for name in ("gpt2", "llama", "qwen2", "qwen3"):
        assert not isinstance(decoder(architecture.create(tiny(name), 0), 2), (CachedDecoder, WholeDecoder))


def test_an_unknown_architecture_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"^architecture: 'lama' is no causal model.*did you mean 'llama'"):
        architecture.hf_config(tiny("lama"))


def test_a_misspelt_override_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match=r"^overrides: llama has no field 'num_kv_heads'"):
        tiny("llama", overrides={"num_kv_heads": 1}).check(rows=10, replicates=1)


def test_a_refused_override_names_the_field() -> None:
    with pytest.raises(ValueError, match=r"^overrides: "):
        architecture.hf_config(tiny("llama", overrides={"num_key_value_heads": "many"}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": "0.2M"}, "size: unknown size '0.2M'"),
        ({"heads": 5}, "heads: 5 heads do not divide"),
        ({"size": "9M", "context": 4096}, "context: 4096 tokens exceed the 2048 positions"),
        ({"vocabulary": 100}, "vocabulary"),
    ],
)
def test_impossible_configs_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LanguageConfig(**fields)


class Shifted(CachedDecoder):
    """A cache that is wrong from the second place on, as a hybrid model's may be."""

    def step(self, tokens_B: torch.Tensor, place: int) -> torch.Tensor:
        return super().step(tokens_B, place) + 0.3 * (place > 0) * torch.arange(300) / 300


class Stuck(CachedDecoder):
    """A cache that can't let rows go."""

    def keep(self, index: torch.Tensor) -> None:
        raise RuntimeError("the size of tensor a must match the size of tensor b")


@pytest.mark.parametrize(("kind", "right"), [(CachedDecoder, True), (Shifted, False), (Stuck, False)])
def test_a_cache_is_compared_with_the_full_pass_before_it_is_used(kind: type[CachedDecoder], right: bool) -> None:
    model = architecture.create(tiny("gpt_neox"), seed=3).eval()
    assert agrees(kind(model, torch.bfloat16), model, PLACES) is right


HYBRIDS: list[tuple[str, dict[str, Any]]] = [
    ("mamba", {}),
    ("minimax", {}),
    ("bamba", {"mamba_n_heads": 8, "mamba_d_head": 4, "mamba_d_state": 8, "attn_layer_indices": [1]}),
    ("nemotron_h", {}),
    ("falcon_h1", {}),
    ("openai-gpt", {}),
    ("rwkv", {}),
    ("phi3", {}),
    ("smollm3", {}),
    ("falcon", {}),
]
FEW_HEADS: dict[str, dict[str, Any]] = {
    "falcon_h1": {"mamba_d_ssm": 16, "mamba_n_heads": 2, "mamba_d_head": 8, "mamba_d_state": 4},
    "nemotron_h": {"mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 8},
}
"""Of those that have 128 where nothing is said, and take seconds for a row without kernels of their own."""


@pytest.mark.parametrize(("name", "overrides"), HYBRIDS, ids=[name for name, _ in HYBRIDS])
def test_any_architecture_is_decoded_by_its_own_distribution(name: str, overrides: dict[str, Any]) -> None:
    """Weights far from their start: a wrong cache shows as soon as places matter."""
    tiny(name, overrides=overrides).check(20, 1)
    model = architecture.create(tiny(name, overrides=FEW_HEADS.get(name, overrides)), seed=3).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3)
    tokens = torch.randint(0, 300, (4, PLACES), generator=torch.Generator().manual_seed(0))
    kept = torch.tensor([0, 2, 3])
    with torch.inference_mode():
        expected = model(tokens, use_cache=False).logits.log_softmax(-1)
        grown = begun(model, 4)
        first = step_through(grown, tokens[:, :6])
        grown.keep(kept)
        rest = torch.stack([grown.step(tokens[kept, place], place).clone() for place in range(6, PLACES)], dim=1)
    for found, whole in ((first, expected[:, :6]), (rest, expected[kept, 6:])):
        assert float((found.log_softmax(-1) - whole).abs().max()) < 0.01


def test_heads_that_an_architecture_cannot_split_are_one_line() -> None:
    with pytest.raises(
        ValueError, match=r"^architecture: 'codegen' does not work with its dimensions and overrides \("
    ):
        tiny("codegen").check(20, 1)
    tiny("codegen").model_copy(update={"heads": 4}).check(20, 1)


@pytest.mark.parametrize("name", ["bert", "electra", "roformer"])
def test_an_encoder_that_sees_later_tokens_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^architecture: '{name}' sees later tokens"):
        tiny(name).check(20, 1)
    tiny(name, overrides={"is_decoder": True}).check(20, 1)


def test_a_composite_model_is_refused_with_the_part_to_take() -> None:
    with pytest.raises(ValueError, match=r"^architecture: 'gemma3' holds models .* take 'gemma3_text'$"):
        tiny("gemma3").check(20, 1)


def test_an_architecture_that_cannot_be_built_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^(architecture|overrides): .*zamba2.*$") as caught:
        tiny("zamba2").check(20, 1)
    assert "\n" not in str(caught.value)


def test_other_decoders_make_other_batches() -> None:
    """Batches that a wrong cache may have drawn are not found again."""
    assert tiny("gpt2").sampling_identity().get("decoder") is None
    assert tiny("gpt_neox").sampling_identity()["decoder"] == 2
    assert tiny("llama", overrides={"num_key_value_heads": 1}).sampling_identity()["decoder"] == 2


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("blt", {}, r"has 4,\d{3},\d{3},\d{3} parameters where about .*encoder_hash_byte_group_vocab: 500002"),
        ("git", {}, r"has [0-9,]+ parameters where about .*\(vision_config"),
        ("dots1", {}, r"does not work with its dimensions and overrides \(TypeError"),
        ("roberta", {"is_decoder": True}, r"does not work with its dimensions and overrides \(.*out of "),
    ],
)
def test_what_fails_only_when_built_or_at_the_last_place_is_one_line_before(
    name: str, overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^architecture: '{name}' {message}") as caught:
        tiny(name, overrides=overrides).check(20, 1)
    assert "\n" not in str(caught.value)
    if name == "roberta":
        tiny(name, overrides=overrides | {"max_position_embeddings": PLACES + 2}).check(20, 1)
