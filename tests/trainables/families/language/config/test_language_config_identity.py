"""Which settings enter which keys, and what a config says of itself."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.checkpoints import make
from trainables.families.base import Cost
from trainables.families.language.config import AUTO, BOS, EOS, LanguageConfig
from trainables.families.language.config.reserved import MIN_VOCABULARY
from trainables.families.language.sizes import Shape

MADE: dict[str, Any] = {"start": "checkpoint", "checkpoint": {"pretrain": {}}, "context": 32, "learning_rate": 1e-3}

DATA = {"vocabulary": 300, "context": 32, "sequences": "documents", "validation": 0.2, "test": 0.2}
SAMPLING = {"sampling_precision": "float32", "temperature": 0.5, "top_k": 5, "top_p": 0.9, "prompts": "first_token"}
EVALUATION = {"test_rows": 7, "sample_rows": 7}
JUDGING = {"reference_size": "0.4M"}
FITTING: dict[str, Any] = {"size": "0.4M", "width": 24, "layers": 1, "heads": 1, "intermediate": 40, "epochs": 3.0}
FITTING |= {"architecture": "llama", "overrides": {"use_cache": False}, "initializer_range": 0.5, "steps": 9}
FITTING |= {"batch": 3, "learning_rate": 0.1, "final_learning_rate": 0.0, "warmup": 0.2, "weight_decay": 0.0}
FITTING |= {"clip": 2.0, "precision": "float32", "loss": {"on": "last", "tokens": 3}}


def config(**fields: Any) -> LanguageConfig:
    return LanguageConfig.model_validate(fields)


def changed(fields: dict[str, Any]) -> set[str]:
    """Which identities a change of fields is seen in."""
    names = ("fit_identity", "sampling_identity", "evaluation_identity", "judge_identity", "declared_data")
    return {name for name in names if getattr(config(**fields), name)() != getattr(config(), name)()}


@pytest.mark.parametrize("field", DATA)
def test_what_shapes_real_rows_is_in_the_identity_of_data_alone(field: str) -> None:
    assert changed({field: DATA[field]}) == {"declared_data"}


@pytest.mark.parametrize("field", SAMPLING)
def test_what_shapes_samples_is_in_batches_records_and_judges_and_in_no_model(field: str) -> None:
    assert changed({field: SAMPLING[field]}) == {"sampling_identity", "evaluation_identity", "judge_identity"}


@pytest.mark.parametrize("field", EVALUATION)
def test_what_shapes_records_is_in_records_alone(field: str) -> None:
    assert changed({field: EVALUATION[field]}) == {"evaluation_identity"}


def test_who_judges_is_in_judges_alone() -> None:
    assert changed(JUDGING) == {"judge_identity"}


@pytest.mark.parametrize("field", FITTING)
def test_what_shapes_models_is_in_models_and_judges(field: str) -> None:
    seen = changed({field: FITTING[field]} | ({"heads": 2} if field == "width" else {}))
    assert {"fit_identity", "judge_identity"} <= seen
    assert "declared_data" not in seen


def test_every_field_is_among_those_above() -> None:
    told = {**DATA, **SAMPLING, **EVALUATION, **JUDGING, **FITTING}
    others = {"kind", "start", "checkpoint", "lora", "source", "decoding", "beams", "prompt_tokens", "keep_prompts"}
    assert set(told) | others == set(LanguageConfig.model_fields)


def test_later_settings_left_at_their_defaults_are_in_no_stored_form() -> None:
    later = {"checkpoint", "start", "lora", "loss", "decoding", "beams", "prompts", "prompt_tokens", "keep_prompts"}
    assert not later & set(config().canonical())
    said = config(loss={"kind": "cross_entropy"}, decoding="sample", beams=5, prompts="none", prompt_tokens=8)
    assert said.canonical() == config().canonical()
    assert config(prompts="bos", keep_prompts=True) == config()


@pytest.mark.parametrize(
    ("fields", "decoder"),
    [
        ({"architecture": "gpt2"}, None),
        ({"architecture": "qwen3"}, None),
        ({"architecture": "gpt2", "overrides": {"use_cache": False}}, 2),
        ({"architecture": "mistral"}, 2),
        ({"architecture": "mamba"}, 2),
    ],
)
def test_models_decoded_by_transformers_caches_say_which_way(fields: dict[str, Any], decoder: int | None) -> None:
    assert config(**fields).sampling_identity().get("decoder") == decoder
    assert config(**fields).evaluation_identity().get("decoder") == decoder


def test_defaults_are_those_of_a_laptop() -> None:
    one = config()
    assert (one.architecture, one.size, one.context, one.vocabulary) == ("gpt2", "0.1M", 64, 512)
    assert (one.epochs, one.steps, one.batch, one.learning_rate) == (4.0, None, 4, 4e-3)
    assert (one.final_learning_rate, one.warmup, one.weight_decay, one.clip) == (0.1, 0.1, 0.1, 1.0)
    assert (one.temperature, one.top_k, one.top_p, one.decoding, one.beams) == (1.0, 0, 1.0, "sample", 5)
    assert (one.test_rows, one.sample_rows, one.validation, one.test) == (256, 64, 0.1, 0.1)
    assert (one.prompts, one.prompt_tokens, one.keep_prompts, one.prompted) == ("none", 8, True, False)
    assert (BOS, EOS, AUTO, MIN_VOCABULARY) == (0, 1, "auto", 256 + 2)


@pytest.mark.parametrize(
    ("word", "prompted"), [("none", False), ("bos", False), ("first_token", True), ("prefix", True)]
)
def test_rows_continue_real_ones_where_they_are_prompted(word: str, prompted: bool) -> None:
    assert config(prompts=word).prompted is prompted


def test_the_judge_has_a_named_size_and_none_of_the_models_own_dimensions() -> None:
    own = config(width=24, heads=2, layers=1, intermediate=40, learning_rate=0.1, reference_size="0.4M")
    assert own.reference.shape == Shape(96, 3, 3, 384)
    assert own.reference.learning_rate == 0.1
    assert own.reference.reference.shape == own.reference.shape
    plain = config(width=24, heads=2)
    assert plain.reference is plain


def test_a_pretrained_start_is_fitted_as_the_family_is_but_for_what_it_states() -> None:
    told = {"rows": 50, "epochs": 2.0, "seed": 3, "source": {"kind": "docstrings"}}
    made = config(**MADE | {"checkpoint": {"pretrain": told}, "steps": 8, "layers": 2, "batch": 2}).foundation
    assert made is not None
    assert (made.epochs, made.steps, made.layers, made.batch, made.context) == (2.0, None, 2, 2, 32)
    assert (made.source.kind, made.learning_rate, made.start, made.checkpoint) == ("docstrings", 1e-3, "fresh", None)
    faster = config(**MADE | {"checkpoint": {"pretrain": told | {"learning_rate": 0.5}}}).foundation
    assert faster is not None
    assert faster.learning_rate == 0.5
    assert config().foundation is None


def test_pretraining_leaves_out_what_only_fine_tuning_and_sampling_have() -> None:
    fields = {"loss": {"on": "last", "tokens": 4}, "prompts": "prefix", "prompt_tokens": 4, "keep_prompts": False}
    made = config(**MADE, **fields, decoding="beam", beams=3, lora={"rank": 2}).foundation
    assert made is not None
    assert (made.loss.on, made.prompts, made.prompt_tokens, made.keep_prompts) == ("row", "none", 8, True)
    assert (made.decoding, made.beams, made.lora) == ("sample", 5, None)


def test_what_pretraining_costs_is_what_a_fit_of_its_rows_costs() -> None:
    given = config(**MADE | {"checkpoint": {"pretrain": {"rows": 50, "epochs": 2.0}}})
    assert given.foundation is not None
    assert given.pretraining() == (50, given.foundation.cost(50))
    assert isinstance(given.foundation.cost(50), Cost)
    assert config().pretraining() is None


def keys(*fields: dict[str, Any]) -> list[str | None]:
    return [config(**MADE | {"checkpoint": {"pretrain": told}}).checkpoint_key() for told in fields]


def test_a_pretrained_start_is_named_by_its_rows_seed_and_fit() -> None:
    found = keys({}, {"rows": 999}, {"seed": 1}, {"epochs": 3.0}, {"learning_rate": 1e-2}, {"steps": 5})
    assert len(set(found)) == 6
    assert config().checkpoint_key() is None


def test_settings_of_sampling_and_records_do_not_name_another_start() -> None:
    assert config(**MADE).checkpoint_key() == config(**MADE, temperature=0.5, test_rows=9, lora={}).checkpoint_key()
    assert config(**MADE).checkpoint_key() != config(**MADE, layers=1).checkpoint_key()


def test_judges_that_start_at_a_checkpoint_say_which() -> None:
    found = [config(**MADE | {"checkpoint": {"pretrain": told}}).judge_identity() for told in ({}, {"seed": 1})]
    assert found[0]["checkpoint"] != found[1]["checkpoint"]
    assert "checkpoint" not in config().judge_identity()


def test_a_checkpoint_brings_its_architecture_shape_and_tokens(tmp_path: Path) -> None:
    place = make(tmp_path / "held")
    held = config(start="checkpoint", checkpoint={"path": str(place)})
    assert (held.architecture, held.tokens, held.bos, held.eos) == (AUTO, 300, 0, 1)
    assert held.shape == Shape(16, 1, 2, 64)
    assert held.title == f"gpt2 {held.size_label()}"
    assert held.base is not None
    assert held.base.positions == 64
    assert config(start="previous", checkpoint={"path": str(place)}, architecture="gpt2").architecture == "gpt2"
    gone = config(start="checkpoint", checkpoint={"repository": "a/b", "parameters": 77})
    assert (gone.parameters, gone.title, gone.readable()) == (77, "a/b@main", None)
    assert config(start="checkpoint", checkpoint={"repository": "a/b"}).parameters == 0


def test_a_pretrained_start_keeps_the_architecture_that_is_stated() -> None:
    assert config(**MADE).architecture == "gpt2"
    assert not config(**MADE).loads


def test_adapters_keep_their_own_parameters_and_free_the_moments_of_others() -> None:
    """Rank 2 on c_attn of one block of width 16: A is 2 × 16 and B 48 × 2."""
    shape = {"width": 16, "heads": 2, "layers": 1, "vocabulary": 300}
    given = config(**MADE, **shape, lora={"rank": 2, "targets": ["c_attn"]})
    assert given.fitted_parameters == given.cost(10).kept == 2 * 16 + 48 * 2
    whole = config(**MADE, **shape)
    assert whole.fitted_parameters is whole.cost(10).kept is None
    assert whole.device_bytes(10) - given.device_bytes(10) == 12 * (given.parameters - 128)
    assert given.cost(10).fit_flops / whole.cost(10).fit_flops == pytest.approx(4 / 6)
    assert (given.adapts, whole.adapts) == (True, False)


def test_the_tiny_config_is_what_suites_run() -> None:
    tiny, rows = LanguageConfig.tiny()
    assert rows == 32
    assert (tiny.shape, tiny.updates(rows)) == (Shape(16, 1, 2, 64), 8)
