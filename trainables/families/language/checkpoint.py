"""Pretrained causal models as transformers keep them: read without code or pickles, and written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.config import canonical_json
from trainables.families.checkpoint_files import content
from trainables.families.language.model import hf_config, weights
from trainables.families.language.sizes import Shape
from trainables.runtime import isolated

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PretrainedConfig, PreTrainedModel

    from trainables.families.language.config import LanguageConfig

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
OLDER = ("tokenizer_config.json", "vocab.json", "merges.txt", "tokenizer.model", "vocab.txt")
"""Further files that a tokenizer may be made of."""

UNSPOKEN = frozenset({"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"})
"""Fields of a config that change no number: the type of weights is the weights' own."""


@dataclass(frozen=True)
class Base:
    """A checkpoint without its weights.

    Attributes:
        folder: where it lies.
        model_type: its architecture, as transformers name it.
        vocabulary: tokens that the model tells apart; the tokenizer has no more.
        bos, eos: what is read before a row, and what ends a document.
        positions: tokens that it can read at most; None where there is no such limit.
        shape: its dimensions.
        tokenizer_digest: names the tokenizer by content.
        digest: names weights, config and tokenizer by content.
    """

    folder: Path
    model_type: str
    vocabulary: int
    bos: int
    eos: int
    positions: int | None
    shape: Shape
    tokenizer_digest: str
    digest: str

    def hf_config(self, overrides: Mapping[str, Any]) -> PretrainedConfig:
        """Its config, with overriding fields.

        Raises:
            ValueError: it has no such field, or refuses the value.
        """
        found = _hf_config(self.folder)
        for name, value in {"bos_token_id": self.bos, "eos_token_id": self.eos, **overrides}.items():
            if not hasattr(found, name):
                raise ValueError(f"overrides: {self.model_type} has no field {name!r}")
            setattr(found, name, value)
        return found

    def tokenizer(self) -> Tokenizer:
        """Its tokenizer, which neither cuts nor pads."""
        return _tokenizer(self.folder)


def describe(folder: Path) -> Base:
    """What a checkpoint is; files are read again when they change.

    Raises:
        ValueError: it has no config, no weights or no tokenizer that can be read, or needs code of its own.
    """
    return _described(str(folder), tuple((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in _files(folder)))


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file())


@lru_cache(maxsize=32)
def _described(place: str, state: tuple[tuple[str, int, int], ...]) -> Base:
    folder = Path(place)
    config = _hf_config(folder)
    weights = content(folder)
    tokenizer, specials = _tokenizer(folder), _specials(folder)
    eos = _id(tokenizer, specials.get("eos_token"), config.eos_token_id)
    if eos is None:
        raise ValueError(f"checkpoint: {place!r} names no end of text (eos_token), which every document ends with")
    bos = _id(tokenizer, specials.get("bos_token"), config.bos_token_id)
    vocabulary = int(config.vocab_size)
    if tokenizer.get_vocab_size() > vocabulary:
        raise ValueError(
            f"checkpoint: the tokenizer of {place!r} has {tokenizer.get_vocab_size()} tokens, its model {vocabulary}"
        )
    if max(eos, eos if bos is None else bos) >= vocabulary:
        raise ValueError(f"checkpoint: {place!r} has special tokens beyond its {vocabulary} tokens")
    named = _tokenizer_digest(folder, eos, eos if bos is None else bos)
    raw = {name: value for name, value in _raw(folder).items() if name not in UNSPOKEN}
    whole = hashlib.sha256(canonical_json([raw, weights, named]).encode()).hexdigest()[:32]
    positions = getattr(config, "max_position_embeddings", None)
    return Base(
        folder,
        config.model_type,
        vocabulary,
        eos if bos is None else bos,
        eos,
        positions,
        _shape(config),
        named,
        whole,
    )


def _shape(config: PretrainedConfig) -> Shape:
    """Dimensions for estimates of memory; what an architecture does not have counts as usual."""
    width = int(config.hidden_size)
    inner = getattr(config, "intermediate_size", None) or getattr(config, "ffn_dim", None) or 4 * width
    heads = getattr(config, "num_attention_heads", None) or 1
    return Shape(width, int(config.num_hidden_layers), int(heads), int(inner), bool(config.tie_word_embeddings))


def _raw(folder: Path) -> dict[str, Any]:
    """config.json as it stands."""
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"checkpoint: {str(folder)!r} has no {CONFIG}") from None
    except (OSError, ValueError) as problem:
        raise ValueError(f"checkpoint: {str(folder / CONFIG)!r} can't be read ({problem})") from problem
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise ValueError(f"checkpoint: {str(folder / CONFIG)!r} names no model_type")
    return found


def _hf_config(folder: Path) -> PretrainedConfig:
    from transformers import CONFIG_MAPPING, AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    name = _raw(folder)["model_type"]
    if name not in CONFIG_MAPPING or name not in CAUSAL:
        raise ValueError(
            f"checkpoint: {str(folder)!r} is a {name!r}, no causal model of transformers; code that comes with a "
            "model is not run"
        )
    try:
        return AutoConfig.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except Exception as problem:  # an architecture's own checks may raise anything
        raise ValueError(f"checkpoint: {str(folder / CONFIG)!r} can't be read ({_first(problem)})") from problem


def _specials(folder: Path) -> dict[str, str]:
    """Names of special tokens."""
    found: dict[str, str] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        path = folder / name
        if path.is_file():
            try:
                held = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as problem:
                raise ValueError(f"checkpoint: {str(path)!r} can't be read ({problem})") from problem
            words = {key: value.get("content") if isinstance(value, dict) else value for key, value in held.items()}
            found |= {key: word for key, word in words.items() if key in ("bos_token", "eos_token") and word}
    return found


def _id(tokenizer: Tokenizer, name: str | None, told: Any) -> int | None:
    """A special token's number: by its name, or what the config tells."""
    number: int | None = tokenizer.token_to_id(name) if name is not None else None
    if number is None:
        number = told[0] if isinstance(told, list) and told else told
    return number if isinstance(number, int) else None


def _tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a checkpoint.

    Raises:
        ValueError: there is none, or none that can be read without code of its own.
    """
    from tokenizers import Tokenizer

    whole = folder / TOKENIZER
    if not whole.is_file() and not any((folder / name).is_file() for name in OLDER[1:]):
        raise ValueError(
            f"checkpoint: {str(folder)!r} has no tokenizer ({TOKENIZER}); save its tokenizer there as well"
        )
    try:
        found = Tokenizer.from_file(str(whole)) if whole.is_file() else _converted(folder)
    except Exception as problem:  # the tokenizers library raises bare exceptions
        raise ValueError(f"checkpoint: the tokenizer of {str(folder)!r} can't be read ({_first(problem)})") from problem
    found.no_truncation()
    found.no_padding()
    return found


def _converted(folder: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    slow = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    found: Tokenizer = slow.backend_tokenizer
    return found


def _tokenizer_digest(folder: Path, eos: int, bos: int) -> str:
    names = (TOKENIZER,) if (folder / TOKENIZER).is_file() else OLDER
    total = hashlib.sha256(f"{eos} {bos}".encode())
    for name in names:
        if (folder / name).is_file():
            total.update(name.encode() + b"\x00" + (folder / name).read_bytes())
    return total.hexdigest()[:32]


def pretrained(config: LanguageConfig) -> dict[str, np.ndarray]:
    """The weights of the checkpoint that a config names, as `model.weights` gives them.

    Raises:
        ValueError: they are not those of the config's model, whole.
    """
    import torch
    from transformers import AutoModelForCausalLM

    base = config.base
    assert base is not None  # asked only where there is one
    try:
        with isolated(0), _quiet():
            model, found = AutoModelForCausalLM.from_pretrained(
                str(base.folder),
                config=hf_config(config),
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as problem:  # an architecture's own code may raise anything
        raise ValueError(f"checkpoint: {str(base.folder)!r} can't be loaded ({_first(problem)})") from problem
    for word, names in (("lacks", found["missing_keys"]), ("has in another shape", found["mismatched_keys"])):
        if names:
            raise ValueError(
                f"checkpoint: {str(base.folder)!r} is no whole {base.model_type}: it {word} {min(map(str, names))}"
            )
    return weights(model)


def write(model: PreTrainedModel, tokenizer: Tokenizer, config: LanguageConfig, folder: Path) -> None:
    """Write a model and its tokenizer as `from_pretrained` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    with _quiet():
        model.save_pretrained(str(folder), safe_serialization=True)
    tokenizer.save(str(folder / TOKENIZER))
    names = {"bos_token": tokenizer.id_to_token(config.bos), "eos_token": tokenizer.id_to_token(config.eos)}
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config.context, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars of transformers between the product's own lines."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _first(problem: Exception) -> str:
    """The first line of an error."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
