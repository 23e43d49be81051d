"""Small checkpoints as transformers write them, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

WORDS = 300

SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64},
    "llama": {},
    "qwen3": {"head_dim": 8},
    "gemma3_text": {"head_dim": 8, "sliding_window": 32},
    "olmo2": {},
    "mistral": {"sliding_window": None},
    "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "gpt_neox": {},
    "mamba": {"state_size": 4},
    "mixtral": {"num_local_experts": 2, "num_experts_per_tok": 1},
    "falcon_h1": {"mamba_d_ssm": 16, "mamba_n_heads": 2, "mamba_d_head": 8, "mamba_d_state": 4},
    "smollm3": {"pad_token_id": None},
}
"""Twelve architectures, as small as they get."""


def tokenizer(vocabulary: int = WORDS) -> Tokenizer:
    """A byte-level BPE trained on a few sentences."""
    from trainables.families.language.data import train_tokenizer

    return train_tokenizer([f"the {a} fox saw the other {b}" for a in ("old", "red") for b in range(90)], vocabulary)


def make(folder: Path, architecture: str = "gpt2", seed: int = 0, **fields: Any) -> Path:
    """A checkpoint with random weights."""
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    common = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    common |= {"num_key_value_heads": 2, "max_position_embeddings": 64, "vocab_size": WORDS}
    ends = {"bos_token_id": 0, "eos_token_id": 1}
    own = {} if architecture == "gpt2" else common
    config = CONFIG_MAPPING[architecture](**{**own, "vocab_size": WORDS, **ends, **SHAPES[architecture], **fields})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    made = tokenizer()
    made.save(str(folder / "tokenizer.json"))
    about = {"bos_token": "<|bos|>", "eos_token": "<|eos|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return folder
