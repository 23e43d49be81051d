"""Dimensions by name and by hand; every one of them is what the model that is built has."""

from typing import Any

import pytest

from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.sizes import SIZES, Shape, feed_forward, parameters, shape, suggest_size


def config(name: str = "gpt2", **fields: Any) -> LanguageConfig:
    return LanguageConfig.model_validate({"architecture": name, "context": 8, "vocabulary": 300} | fields)


@pytest.mark.parametrize(("width", "inner"), [(48, 128), (96, 256), (128, 336), (192, 512), (256, 688)])
def test_a_gate_leaves_two_thirds_of_four_widths_in_steps_of_sixteen(width: int, inner: int) -> None:
    """48: 128 as it is; 128: 341.3, of which 336 is nearest; 256: 682.7 and 688."""
    assert feed_forward("llama", width) == inner
    assert feed_forward("gpt2", width) == 4 * width


def test_shapes_of_the_paper_do_not_change_with_the_architecture() -> None:
    assert shape("12M", "llama") == shape("12M", "gpt2") == Shape(256, 8, 8, 1024, tied=False, positions=2048)
    assert shape("9M", "gpt2").tied
    assert shape("42M", "gpt2") == Shape(512, 8, 8, 2048, tied=False, positions=2048)
    assert shape("126M", "gpt2") == Shape(768, 12, 12, 3072, tied=False, positions=2048)


def test_small_shapes_have_as_many_positions_as_the_context() -> None:
    assert shape("5M", "llama") == Shape(256, 6, 8, 688, tied=True, positions=None)
    assert config(context=17).positions == 17
    assert config(context=17, size="9M").positions == 2048


def test_sizes_ascend() -> None:
    counts = [config(size=size, vocabulary=512).parameters for size in SIZES[:5]]
    assert counts == sorted(counts)
    assert SIZES == ("0.1M", "0.4M", "1M", "2M", "5M", "9M", "12M", "42M", "126M")


def test_parameters_of_gpt2_written_out() -> None:
    """Width 2, inner 5, one block: c_attn 2·6 + 6, c_proj 2·2 + 2, c_fc 2·5 + 5, c_proj 5·2 + 2 and two norms of 4 are
    59; 7 tokens and 3 places of 2 each, and the last norm of 4."""
    dims = Shape(2, 1, 1, 5)
    assert 18 + 6 + 15 + 12 + 8 == 59
    assert parameters("gpt2", dims, 7, 3) == 14 + 6 + 59 + 4
    assert parameters("gpt2", Shape(2, 1, 1, 5, tied=False), 7, 3) == 28 + 6 + 59 + 4
    assert parameters("gpt2", Shape(2, 3, 1, 5), 7, 3) == 14 + 6 + 3 * 59 + 4


def test_parameters_of_llama_written_out() -> None:
    """Four 2·2 matrices, three of 2·5 and two norms of 2 are 50 a block; places are turned, not learnt."""
    assert parameters("llama", Shape(2, 1, 1, 5), 7, 3) == parameters("llama", Shape(2, 1, 1, 5), 7, 99) == 14 + 50 + 2
    assert parameters("qwen3", Shape(2, 1, 1, 5), 7, 3) is None


@pytest.mark.parametrize("fields", [{}, {"width": 24, "heads": 2}, {"layers": 2}, {"intermediate": 40}, {"heads": 4}])
@pytest.mark.parametrize("name", ["gpt2", "llama", "gptj", "gpt_bigcode", "qwen3"])
def test_a_model_has_the_dimensions_that_its_config_says(name: str, fields: dict[str, Any]) -> None:
    given = config(name, **fields)
    model, dims = architecture.blank(given), given.shape
    assert sum(p.numel() for p in model.parameters()) == given.parameters
    assert model.config.hidden_size == dims.width == fields.get("width", 48)
    assert model.config.num_hidden_layers == dims.layers == fields.get("layers", 3)
    assert model.config.num_attention_heads == dims.heads == fields.get("heads", 3)
    assert model.get_input_embeddings().weight.shape == (300, dims.width)
    inner = {p.shape[0] * p.shape[1] // dims.width for n, p in model.named_parameters() if "mlp" in n and p.ndim == 2}
    assert inner == {dims.intermediate} == {fields.get("intermediate", feed_forward(name, dims.width))}


def test_a_width_of_ones_own_brings_its_own_inner_width() -> None:
    assert config(width=24).shape.intermediate == 96
    assert config("llama", width=24).shape.intermediate == 64
    assert config(width=48, size="1M").shape.intermediate == 192
    assert config(size="12M", width=256).shape == shape("12M", "gpt2")


def test_an_inner_width_makes_another_model_and_says_so_in_its_key() -> None:
    """Models that were stored by such a key before had four widths whatever was asked for."""
    keys = [config(intermediate=inner).fit_identity()["version"] for inner in (None, 192, 96)]
    assert keys == [3, 3, 4]
    assert config("llama", intermediate=96).fit_identity()["version"] == 3
    assert config("gptj", width=32, heads=2, intermediate=192).fit_identity()["version"] == 4


@pytest.mark.parametrize("name", ["opt", "bloom"])
def test_an_inner_width_that_an_architecture_would_not_have_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^intermediate: {name} has no `intermediate_size`; leave it out, and state its own in overrides$",
    ):
        config(name, intermediate=40).check(10, 1)


@pytest.mark.parametrize(
    ("name", "field", "common"),
    [
        ("gpt2", "n_head", "num_attention_heads"),
        ("gpt2", "n_positions", "max_position_embeddings"),
        ("bloom", "n_layer", "num_hidden_layers"),
    ],
)
def test_another_name_of_what_is_stated_is_refused_as_it_would_not_take_effect(
    name: str, field: str, common: str
) -> None:
    with pytest.raises(ValueError, match=f"^overrides: '{field}' goes by the name of '{common}' here; write that$"):
        config(name, overrides={field: 16}).check(10, 1)
    assert getattr(architecture.hf_config(config(name, overrides={common: 16})), field) == 16


def test_overrides_of_fields_with_one_name_take_effect() -> None:
    given = config(overrides={"n_inner": 40, "tie_word_embeddings": False, "resid_pdrop": 0.25})
    made = architecture.hf_config(given)
    assert (made.n_inner, made.tie_word_embeddings, made.resid_pdrop, made.attn_pdrop) == (40, False, 0.25, 0.0)


def test_initial_weights_spread_by_the_square_root_of_two_fifths_over_the_width() -> None:
    """Of width 160: 0.05."""
    assert config(width=160, heads=2).init_std == pytest.approx(0.05)
    assert config(initializer_range=0.3).init_std == 0.3
    drawn = architecture.create(config(width=160, heads=2, layers=1), 0).transformer.wte.weight
    assert float(drawn.std().detach()) == pytest.approx(0.05, rel=0.01)
    assert abs(float(drawn.mean().detach())) < 0.001


@pytest.mark.parametrize(
    ("word", "tail"),
    [
        ("30M", "; the nearest is '42M'"),
        ("20m", "; the nearest is '12M'"),
        ("100k", "; the nearest is '0.1M'"),
        (" 7B ", "; the nearest is '126M'"),
        ("1.5m", "; the nearest is '2M'"),
    ],
)
def test_the_nearest_size_is_told_by_its_ratio(word: str, tail: str) -> None:
    """30M is 1.4 times below 42M and 2.5 times above 12M; 20M is 1.7 above 12M and 2.1 below 42M."""
    assert suggest_size(word) == f"{tail} (known: {', '.join(SIZES)})"


@pytest.mark.parametrize("word", ["tiny", "0M", "12", "1.M", "M"])
def test_a_word_that_is_no_number_of_parameters_is_told_all_sizes(word: str) -> None:
    found = suggest_size(word)
    assert "the nearest" not in found
    assert all(size in found for size in SIZES)


def test_a_title_tells_the_size_in_millions() -> None:
    assert config(vocabulary=512, context=64).size_label() == "0.113M"
