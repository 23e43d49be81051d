"""`finetune/*` state the settings of the published experiments that they stand for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.named_studies import cells, real_share, rows_by_batch, study
from trainables import Cell


def family(cell: Cell) -> dict[str, Any]:
    return cell.family.canonical()


def same(name: str, *fields: str, block: str | None = None) -> tuple[Any, ...]:
    """The one value that all cells have."""
    found = {tuple(str(family(cell)[field]) for field in fields) for cell in cells(name, block)}
    assert len(found) == 1, found
    return tuple(family(cells(name, block)[0])[field] for field in fields)


def losses(name: str) -> set[tuple[Any, ...]]:
    """Which tokens count, and how."""
    found = [family(cell)["loss"] for cell in cells(name)]
    return {(loss["kind"], loss["on"], loss["tokens"]) for loss in found}


def gpt2(vocabulary: int, positions: int) -> int:
    """Of width 768 and 12 blocks: tied embeddings, positions, per block 12d² + 13d, a last norm of 2d."""
    d = 768
    return vocabulary * d + positions * d + 12 * (12 * d * d + 13 * d) + 2 * d


def gated(v: int, d: int, layers: int, queries: int, keys: int, inner: int, norms: int, last: int) -> int:
    """Tied embeddings; per block queries and outputs, keys and values, three feed-forward matrices, norms."""
    return v * d + layers * (2 * d * queries + 2 * d * keys + 3 * d * inner + norms * d) + last


@pytest.mark.parametrize(
    ("name", "block", "repository", "parameters"),
    [
        ("finetune/opt", None, "facebook/opt-125m", gpt2(50_272, 2_050)),
        ("finetune/gpt2", "gpt2", "openai-community/gpt2", gpt2(50_257, 1_024)),
        ("finetune/gpt2", "smollm2", "HuggingFaceTB/SmolLM2-135M", gated(49_152, 576, 30, 576, 192, 1_536, 2, 576)),
        (
            "finetune/smollm2",
            "responses",
            "HuggingFaceTB/SmolLM2-135M",
            gated(49_152, 576, 30, 576, 192, 1_536, 2, 576),
        ),
        ("finetune/olmo", None, "allenai/OLMo-1B-hf", gated(50_304, 2_048, 16, 2_048, 2_048, 8_192, 0, 0)),
        ("finetune/gemma", None, "google/gemma-2-2b", gated(256_000, 2_304, 26, 2_048, 1_024, 9_216, 4, 2_304)),
    ],
)
def test_repositories_have_the_parameters_of_their_published_shapes(
    name: str, block: str | None, repository: str, parameters: int
) -> None:
    """Shapes as the models' own cards and papers give them; OLMo's norms have no parameters."""
    for cell in cells(name, block):
        assert family(cell)["checkpoint"]["repository"] == repository
        assert family(cell)["checkpoint"]["parameters"] == parameters
        assert family(cell)["architecture"] == "auto", "the checkpoint's own"


def test_opt_is_tuned_as_shumailov_et_al_did() -> None:
    """Batches of 16, a rate of 1e-5, blocks of 64 tokens, beams of five, five generations, none or 10 % real rows."""
    assert same("finetune/opt", "batch", "learning_rate", "context") == (16, 1e-5, 64)
    assert {(cell.family.decoding, cell.family.beams) for cell in cells("finetune/opt")} == {("beam", 5)}  # type: ignore[attr-defined]
    assert {cell.generations for cell in cells("finetune/opt")} == {5}
    assert {source["name"] + "/" + source["subset"] for (source,) in [same("finetune/opt", "source")]} == {
        "Salesforce/wikitext/wikitext-2-raw-v1"
    }


@pytest.mark.parametrize("name", ["finetune/opt", "finetune/beam"])
def test_none_or_ten_percent_of_the_rows_stay_real(name: str) -> None:
    shares = {(cell.policy.kind, round(real_share(cell, n), 4)) for cell in cells(name) for n in range(2, 6)}
    assert shares == {("replace", 0.0), ("ratio_mix", 0.1)}
    assert all(sum(rows_by_batch(cell, 4).values()) == cell.rows for cell in cells(name)), "the total is constant"


def test_drayson_et_al_s_rows_have_512_tokens_of_which_the_last_256_carry_the_loss() -> None:
    assert same("finetune/gpt2", "context", "batch", "epochs") == (512, 8, 1.0)
    assert same("finetune/gpt2", "prompts", "prompt_tokens") == ("prefix", 256)
    assert losses("finetune/gpt2") == {("cross_entropy", "last", 256)}
    assert {cell.generations for cell in cells("finetune/gpt2")} == {10}
    assert {cell.policy.kind for cell in cells("finetune/gpt2")} == {"accumulate", "detector_weighted"}


def test_the_small_study_of_prompts_has_their_proportions_and_four_ways_of_decoding() -> None:
    """Half of each row is a prompt without loss, as 256 of 512 tokens are."""
    context, prompt = same("finetune/prompts", "context", "prompt_tokens")
    assert prompt / context == 0.5
    assert losses("finetune/prompts") == {("cross_entropy", "last", context - prompt)}
    ways = {
        block.name: (held.temperature, held.top_k, held.top_p, held.decoding)
        for block in study("finetune/prompts").blocks
        for held in [cells("finetune/prompts", block.name)[0].family]
    }
    assert ways == {
        "temperature": (0.9, 0, 1.0, "sample"),
        "top_k": (1.0, 50, 1.0, "sample"),
        "top_p": (1.0, 0, 0.95, "sample"),
        "decoding": (1.0, 0, 1.0, "greedy"),
    }


def test_gemma_is_tuned_as_kazdan_et_al_did() -> None:
    """8e-6, constant after a warm-up of 5 %, one epoch, 128 rows an update, 512 tokens, the loss on responses."""
    assert same("finetune/gemma", "learning_rate", "final_learning_rate", "warmup") == (8e-6, 1.0, 0.05)
    assert same("finetune/gemma", "epochs", "batch", "context") == (1.0, 128, 512)
    assert same("finetune/gemma", "sequences", "prompts") == ("documents", "source")
    (source,) = same("finetune/gemma", "source")
    assert (source["name"], source["prompt_column"], source["column"]) == ("nvidia/HelpSteer2", "prompt", "response")


@pytest.mark.parametrize("name", ["finetune/gemma", "finetune/response"])
def test_kazdan_et_al_s_three_policies_are_compared(name: str) -> None:
    assert {cell.policy.kind for cell in cells(name)} == {"replace", "accumulate", "accumulate_subsample"}
    assert losses(name) == {("cross_entropy", "response", None)}


@pytest.mark.parametrize("name", ["finetune/mixes", "finetune/olmo"])
def test_zhu_et_al_s_mixes_are_0_to_100_percent_foreign_replaced_or_edited(name: str) -> None:
    shares = sorted({family(cell)["source"]["share"] for cell in cells(name)})
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert {cell.policy.kind for cell in cells(name)} == {"replace", "token_edit"}
    assert {family(cell)["source"]["kind"] for cell in cells(name)} == {"blend"}
    edited = next(cell for cell in cells(name) if cell.policy.kind == "token_edit")
    assert edited.recipe(1).sampling is None, "as it is"
    assert edited.recipe(2).sampling.edit is not None, "from generation 2 on edited"  # type: ignore[union-attr]


@pytest.mark.parametrize("block", ["language", "vae"])
def test_bertrand_et_al_s_generations_make_as_many_updates_from_scratch_as_from_the_last(block: str) -> None:
    found = cells("finetune/previous", block)
    updates = {cell.family.updates(rows) for cell in found for rows in (cell.rows, 5 * cell.rows)}  # type: ignore[attr-defined]
    assert len(updates) == 1, "whatever the corpus"
    starts = {cell.family.starts_from(n) for cell in found for n in (2, 5) if family(cell).get("start") == "previous"}
    assert starts == {"previous"}
    assert {cell.family.starts_from(2) for cell in found if family(cell).get("start", "fresh") == "fresh"} == {"fresh"}


@pytest.mark.parametrize("name", ["finetune/continual", "finetune/smollm2"])
def test_continual_training_starts_at_the_checkpoint_once_and_then_at_its_predecessor(name: str) -> None:
    for cell in cells(name):
        assert [cell.family.starts_from(n) for n in (1, 2, cell.generations)] == ["checkpoint", "previous", "previous"]


@pytest.mark.parametrize(
    "name", ["finetune/laptop", "finetune/beam", "finetune/opt", "finetune/gemma", "finetune/mixes"]
)
def test_tuning_starts_at_the_checkpoint_in_every_generation(name: str) -> None:
    for cell in cells(name):
        assert {cell.family.starts_from(n) for n in range(1, cell.generations + 1)} == {"checkpoint"}


def test_the_small_study_is_54_generations_of_three_policies_and_three_seeds() -> None:
    """docs/howto/fine-tune.md: killed after eight of its 54 generations."""
    found = cells("finetune/laptop")
    assert sum(cell.generations for cell in found) == 54
    assert {(cell.policy.kind, round(real_share(cell, 2), 3)) for cell in found} == {
        ("replace", 0.0),
        ("accumulate", 0.5),
        ("ratio_mix", 0.1),
    }


def test_every_small_study_makes_its_checkpoint_of_another_text_than_it_is_tuned_on() -> None:
    for name in ("laptop", "beam", "prompts", "response", "continual"):
        for cell in cells(f"finetune/{name}")[:1]:
            made = family(cell)["checkpoint"]["pretrain"]
            assert (made["source"]["kind"], family(cell)["source"]["kind"]) == ("pydoc", "docstrings")


def test_adapters_are_compared_with_all_weights_on_equal_terms() -> None:
    blocks = {block.name: dict(block.cell["family"]) for block in study("finetune/lora").blocks}
    assert set(blocks) == {"full", "lora", "lora-previous"}
    plain = study("finetune/laptop").blocks[0].cell
    assert blocks["full"] == plain["family"]
    for name, start in {"lora": "checkpoint", "lora-previous": "previous"}.items():
        held = blocks[name]
        assert held.pop("lora") == {"rank": 4, "alpha": 32.0}
        assert held.pop("start") == start
        assert held == {key: value for key, value in plain["family"].items() if key != "start"}
    sizes = {(block.cell["rows"], block.cell["generations"]) for block in study("finetune/lora").blocks}
    assert sizes == {(plain["rows"], plain["generations"])}
