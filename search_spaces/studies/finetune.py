"""`finetune/<setting>`: recursive fine-tuning of a pretrained model, as most published experiments do it.

Laptop scale: a small checkpoint that the study makes itself, on Python's documentation, tuned on another text. Paper
scale: the real repositories' names; what is not in the local cache of the hub is fetched when the study runs.
"""

from __future__ import annotations

from typing import Any

from search_spaces.space import Grid
from search_spaces.study import Block, Study

TEN_PERCENT_REAL: dict[str, Any] = {"kind": "ratio_mix", "ratio": 0.9}
POLICIES = Grid(values=({"kind": "replace"}, {"kind": "accumulate"}, TEN_PERCENT_REAL))
SEEDS = Grid(values=(0, 1))

SMALL: dict[str, Any] = {
    "kind": "language",
    "architecture": "llama",
    "source": {"kind": "docstrings"},
    "checkpoint": {"pretrain": {"source": {"kind": "pydoc"}, "rows": 1000, "epochs": 4.0}},
    "start": "checkpoint",
    "epochs": 2.0,
    "learning_rate": 2e-3,
}
"""A Llama of 0.1M parameters, pretrained on Python's language reference, tuned on docstrings."""

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of training characters that are foreign (Zhu et al. 2024)."""

WIKITEXT: dict[str, Any] = {
    "kind": "hub",
    "name": "Salesforce/wikitext",
    "subset": "wikitext-2-raw-v1",
    "test_split": "test",
    "validation_split": "validation",
}


RESPONSES: dict[str, Any] = {
    "source": {
        "kind": "hub",
        "name": "nvidia/HelpSteer2",
        "column": "response",
        "prompt_column": "prompt",
        "test_split": "validation",
    },
    "sequences": "documents",
    "prompts": "source",
    "loss": {"on": "response"},
}
"""Prompts and responses, the loss on responses alone."""


def finetune_laptop() -> Study:
    """A checkpoint tuned for six generations on another text under replace, accumulate and with 10 % real rows."""
    cell: dict[str, Any] = {"family": SMALL, "rows": 300, "generations": 6}
    return Study(
        name="finetune/laptop",
        description="a small checkpoint tuned on another text: replace, accumulate, 10 % real rows",
        blocks=(Block(cell=cell, space={"policy": POLICIES, "seed": Grid(values=(0, 1, 2))}),),
    )


def finetune_lora() -> Study:
    """`finetune/laptop` by low-rank adapters, anew in each generation or going on from the last ones, beside all of the
    checkpoint's weights."""
    adapted = SMALL | {"lora": {"rank": 4, "alpha": 32.0}}
    ways = {"full": SMALL, "lora": adapted, "lora-previous": adapted | {"start": "previous"}}
    space = {"policy.kind": Grid(values=("replace", "accumulate")), "seed": Grid(values=(0, 1, 2))}
    return Study(
        name="finetune/lora",
        description="a small checkpoint tuned on another text: low-rank adapters beside all weights",
        blocks=tuple(
            Block(name=name, cell={"family": way, "rows": 300, "generations": 6}, space=space)
            for name, way in ways.items()
        ),
    )


def finetune_beam() -> Study:
    """Stands for Shumailov et al. 2024: each generation tuned from the checkpoint, on blocks that beam search of five
    continues from real beginnings; none or 10 % of the real rows stay."""
    family = SMALL | {"decoding": "beam", "prompts": "prefix", "prompt_tokens": 16}
    cell: dict[str, Any] = {"family": family, "rows": 100, "generations": 5}
    policies = Grid(values=({"kind": "replace"}, TEN_PERCENT_REAL))
    return Study(
        name="finetune/beam",
        description="a small checkpoint on what beam search continues, none or 10 % real (Shumailov et al. 2024)",
        blocks=(Block(cell=cell, space={"policy": policies, "seed": SEEDS}),),
    )


def finetune_prompts() -> Study:
    """Stands for Drayson et al. 2025: half of each row is a prompt from real rows and carries no loss; rows are drawn
    again by a detector's confidence, or not."""
    family = SMALL | {"prompts": "prefix", "prompt_tokens": 32, "loss": {"on": "last", "tokens": 32}}
    ways = ({"temperature": 0.9}, {"top_k": 50}, {"top_p": 0.95}, {"decoding": "greedy"})
    blocks = [
        Block(
            name=next(iter(way)),
            cell={"family": family | way, "rows": 200, "generations": 4},
            space={"policy.kind": Grid(values=("accumulate", "detector_weighted")), "seed": SEEDS},
        )
        for way in ways
    ]
    return Study(
        name="finetune/prompts",
        description="a small checkpoint on continuations of real prompts, with a detector (Drayson et al. 2025)",
        blocks=tuple(blocks),
    )


def finetune_response() -> Study:
    """Stands for Kazdan et al. 2024: supervised tuning on prompts and responses, the loss on responses alone; here a
    function's signature and what it says of itself."""
    family = SMALL | {
        "source": {"kind": "docstrings", "pairs": True},
        "sequences": "documents",
        "context": 96,
        "prompts": "source",
        "loss": {"on": "response"},
    }
    policies = Grid(values=({"kind": "replace"}, {"kind": "accumulate"}, {"kind": "accumulate_subsample"}))
    cell: dict[str, Any] = {"family": family, "rows": 300, "generations": 5}
    return Study(
        name="finetune/response",
        description="a small checkpoint on responses to prompts: replace, accumulate (Kazdan et al. 2024)",
        blocks=(Block(cell=cell, space={"policy": policies, "seed": SEEDS}),),
    )


def finetune_continual() -> Study:
    """Stands for continual pretraining (Zhu et al. 2024; Minchev et al. 2026): generation 1 starts at the checkpoint,
    each later one at its predecessor."""
    cell: dict[str, Any] = {"family": SMALL | {"start": "previous"}, "rows": 300, "generations": 6}
    return Study(
        name="finetune/continual",
        description="a small checkpoint trained on and on: replace, accumulate, 10 % real (Minchev et al. 2026)",
        blocks=(Block(cell=cell, space={"policy": POLICIES, "seed": SEEDS}),),
    )


def finetune_mixes() -> Study:
    """Stands for Zhu et al. 2024: training text of which 0, 25, 50, 75 or 100 % is foreign, here Python's language
    reference among docstrings, tuned on as it is or, from generation 2 on, with its likely tokens drawn again (ToEdit).
    """
    source = {"kind": "blend", "real": {"kind": "docstrings"}, "foreign": {"kind": "pydoc"}, "share": 0.0}
    space = {
        "family.source.share": Grid(values=SHARES),
        "policy.kind": Grid(values=("replace", "token_edit")),
        "seed": Grid(values=(0, 1, 2)),
    }
    cell: dict[str, Any] = {"family": SMALL | {"source": source}, "rows": 100, "generations": 3}
    return Study(
        name="finetune/mixes",
        description="a small checkpoint on text of which 0 to 100 % is foreign (Zhu et al. 2024)",
        blocks=(Block(cell=cell, space=space),),
    )


def finetune_previous() -> Study:
    """Stands for Bertrand et al. 2023: each generation goes on from the last, beside fits from scratch on as many
    updates; an autoencoder of digits and a small Llama."""
    language = {"kind": "language", "architecture": "llama", "steps": 150}
    families: dict[str, dict[str, Any]] = {
        "language": {"family": language, "rows": 200, "generations": 5},
        "vae": {"family": {"kind": "vae", "steps": 200}, "rows": 400, "generations": 5},
    }
    space = {
        "family.start": Grid(values=("fresh", "previous")),
        "policy.kind": Grid(values=("replace", "accumulate")),
        "seed": Grid(values=(0, 1, 2)),
    }
    return Study(
        name="finetune/previous",
        description="each generation from its predecessor or from scratch (Bertrand et al. 2023)",
        blocks=tuple(Block(name=name, cell=cell, space=space) for name, cell in families.items()),
    )


def finetune_opt() -> Study:
    """Shumailov et al. 2024: OPT-125M on wikitext2, blocks of 64 tokens, beams of five. The repository holds pickled
    weights: save it as safetensors once, and say `-o family.checkpoint={path: FOLDER}`."""
    family = _tuned("facebook/opt-125m", 125_239_296) | {
        "source": WIKITEXT,
        "context": 64,
        "batch": 16,
        "learning_rate": 1e-5,
        "epochs": 5.0,
        "decoding": "beam",
        "prompts": "prefix",
        "prompt_tokens": 32,
    }
    cell: dict[str, Any] = {"family": family, "rows": 30_000, "generations": 5}
    policies = Grid(values=({"kind": "replace"}, TEN_PERCENT_REAL))
    return Study(
        name="finetune/opt",
        description="OPT-125M tuned on wikitext2, with none or 10 % of real rows (Shumailov et al. 2024)",
        blocks=(Block(cell=cell, space={"policy": policies, "seed": Grid(values=(0, 1, 2, 3, 4))}),),
    )


def finetune_gpt2() -> Study:
    """Drayson et al. 2025: GPT-2 124M and SmolLM2 135M on wikitext2, the last 256 of 512 tokens carry the loss."""
    settings: dict[str, Any] = {
        "source": WIKITEXT,
        "context": 512,
        "batch": 8,
        "epochs": 1.0,
        "learning_rate": 5e-5,
        "prompts": "prefix",
        "prompt_tokens": 256,
        "loss": {"on": "last", "tokens": 256},
    }
    models = {
        "gpt2": _tuned("openai-community/gpt2", 124_439_808),
        "smollm2": _tuned("HuggingFaceTB/SmolLM2-135M", 134_515_008),
    }
    space = {"policy.kind": Grid(values=("accumulate", "detector_weighted")), "seed": Grid(values=(0, 1, 2))}
    blocks = [
        Block(name=name, cell={"family": model | settings, "rows": 4_000, "generations": 10}, space=space)
        for name, model in models.items()
    ]
    return Study(
        name="finetune/gpt2",
        description="GPT-2 and SmolLM2 on continuations of wikitext2's prompts (Drayson et al. 2025)",
        blocks=tuple(blocks),
    )


def finetune_olmo() -> Study:
    """Zhu et al. 2024: OLMo 1B pretrained further on mixes of human text and Cosmopedia, which a model wrote. The human
    text is C4, a part of Dolma; Dolma itself comes with code of its own, which is not run."""
    real = {"kind": "hub", "name": "allenai/c4", "subset": "realnewslike", "test_split": "validation"}
    foreign = {"kind": "hub", "name": "HuggingFaceTB/cosmopedia", "subset": "stories"}
    family = _tuned("allenai/OLMo-1B-hf", 1_176_764_416) | {
        "source": {"kind": "blend", "real": real, "foreign": foreign, "share": 0.0},
        "context": 1024,
        "batch": 32,
        "epochs": 1.0,
        "learning_rate": 2e-5,
    }
    space = {
        "family.source.share": Grid(values=SHARES),
        "policy.kind": Grid(values=("replace", "token_edit")),
        "seed": Grid(values=(0, 1, 2)),
    }
    return Study(
        name="finetune/olmo",
        description="OLMo 1B on text of which 0 to 100 % a model wrote, replaced or edited (Zhu et al. 2024)",
        blocks=(Block(cell={"family": family, "rows": 50_000, "generations": 3}, space=space),),
    )


def finetune_smollm2() -> Study:
    """Minchev et al. 2026: continual pretraining and supervised tuning in a loop, each generation from the last. Their
    code is not public; here SmolLM2 135M on wikitext2, and on HelpSteer2's responses."""
    start = _tuned("HuggingFaceTB/SmolLM2-135M", 134_515_008) | {"start": "previous", "context": 512, "epochs": 1.0}
    ways: dict[str, dict[str, Any]] = {
        "pretraining": {"source": WIKITEXT, "batch": 8, "learning_rate": 5e-5},
        "responses": RESPONSES | {"batch": 32, "learning_rate": 2e-5},
    }
    return Study(
        name="finetune/smollm2",
        description="SmolLM2 trained on and on, on text and on responses (Minchev et al. 2026)",
        blocks=tuple(
            Block(
                name=name,
                cell={"family": start | way, "rows": 4_000, "generations": 8},
                space={"policy": POLICIES, "seed": Grid(values=(0, 1, 2))},
            )
            for name, way in ways.items()
        ),
    )


def finetune_gemma() -> Study:
    """Kazdan et al. 2024: supervised tuning of Gemma-2 2B on HelpSteer2. A generation's model has 10 GB; with
    `-o family.lora={rank: 16, alpha: 32}` some megabytes."""
    family = _tuned("google/gemma-2-2b", 2_614_341_888) | RESPONSES
    family |= {
        "context": 512,
        "batch": 128,
        "epochs": 1.0,
        "learning_rate": 8e-6,
        "final_learning_rate": 1.0,
        "warmup": 0.05,
    }
    policies = Grid(values=({"kind": "replace"}, {"kind": "accumulate"}, {"kind": "accumulate_subsample"}))
    return Study(
        name="finetune/gemma",
        description="Gemma-2 2B tuned on HelpSteer2's responses: replace, accumulate (Kazdan et al. 2024)",
        blocks=(
            Block(
                cell={"family": family, "rows": 12_500, "generations": 5},
                space={"policy": policies, "seed": Grid(values=(0, 1, 2))},
            ),
        ),
    )


def _tuned(repository: str, parameters: int) -> dict[str, Any]:
    """A family that starts at a repository's model."""
    checkpoint = {"repository": repository, "parameters": parameters}
    return {"kind": "language", "start": "checkpoint", "checkpoint": checkpoint}
