"""The peer: a model of transformers fitted by its `Trainer` and sampled by its `generate`, as a user writes it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from benchmarks.harness import seconds
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.fit import rate
from trainables.families.language.token_rows import Rows

Model = Any
"""A causal model of transformers."""

BOS, EOS = 0, 1
CACHES = (None, "static")
"""Cache implementations that are tried; None grows."""

ATTENTIONS = ("sdpa", "eager")
"""Implementations of attention that are tried; for one place at a time, the plainer is faster on a CPU."""

FOUND: dict[tuple[object, ...], tuple[float, Generation]] = {}
"""Ways that were the fastest, and their pace, by what they were tried on."""


@dataclass(frozen=True)
class Generation:
    """`generate` with one cache implementation and at most `batch` rows at a time."""

    cache: str | None
    batch: int = 1024
    attention: str = "sdpa"

    def __call__(self, model: Model, rows: int, length: int, seed: int) -> np.ndarray:
        """Sampled tokens, [rows, length]."""
        torch.manual_seed(seed)
        model.set_attn_implementation(self.attention)
        pieces = [self._some(model, min(self.batch, rows - start), length) for start in range(0, rows, self.batch)]
        return np.concatenate(pieces)

    def _some(self, model: Model, rows: int, length: int) -> np.ndarray:
        start = torch.full((rows, 1), BOS)
        words = {"do_sample": True, "top_k": 0, "max_new_tokens": length, "min_new_tokens": length}
        with torch.inference_mode():
            grown = model.generate(
                start,
                attention_mask=torch.ones_like(start),
                pad_token_id=EOS,
                eos_token_id=None,
                cache_implementation=self.cache,
                **words,
            )
        tokens: np.ndarray = grown[:, 1:].numpy()
        return tokens

    def __str__(self) -> str:
        return (
            f"{self.cache or 'dynamic'} cache, {self.attention} attention, {self.batch} rows at a time, its best here"
        )


def best_generation(model: Model, rows: int, length: int) -> tuple[float, Generation]:
    """The fastest cache and attention, then batch size, and its pace; tried once a model's make."""
    config = model.config
    make = (config.model_type, config.hidden_size, config.num_hidden_layers, min(rows, 256), length, model.dtype)
    if make not in FOUND:
        pace = partial(_pace, model=model, length=length)
        ways = [Generation(cache, min(rows, 64), attention) for cache in CACHES for attention in ATTENTIONS]
        chosen = min(ways, key=pace)
        tried = {replace(chosen, batch=min(rows, batch)) for batch in (64, 256)}
        FOUND[make] = min([(pace(way), way) for way in tried], key=lambda one: one[0])
    return FOUND[make]


def _pace(way: Generation, model: Model, length: int) -> float:
    """Seconds a row of one batch, the better of two."""
    return min(seconds(lambda: way(model, way.batch, length, 0)) for _ in range(2)) / way.batch


class Sequences(Dataset[dict[str, torch.Tensor]]):
    """Rows after BOS, with themselves as labels."""

    def __init__(self, rows: Rows, length: int) -> None:
        tokens = torch.from_numpy(rows.tokens.astype(np.int64)).view(-1, length)
        self.tokens = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens], dim=1)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.tokens[row], "labels": self.tokens[row]}


def create(config: LanguageConfig, seed: int = 0) -> Model:
    """The same model as the product's, with room for BOS before a whole row."""
    longer = config.model_copy(update={"overrides": {"max_position_embeddings": config.context + 1}})
    return architecture.create(longer, seed)


def fit(config: LanguageConfig, rows: Rows, seed: int) -> Model:
    """As many updates as the product makes, by the same optimiser at the same learning rates.

    `Trainer`'s own warm-up makes its first update at a rate of zero, an update lost; it is given the product's instead.
    """
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import Trainer

    class Scheduled(Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            relative = partial(rate, config, updates=num_training_steps)
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: relative(step=step))
            return self.lr_scheduler

    model = create(config, seed)
    with tempfile.TemporaryDirectory() as folder:
        chosen = arguments(config, rows, seed, folder)
        trainer = Scheduled(model, chosen, train_dataset=Sequences(rows, config.context))
        trainer.train()
    return trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False).eval()  # else autocast slows `generate`


def arguments(config: LanguageConfig, rows: Rows, seed: int, folder: str) -> Any:
    """Its best settings: fused AdamW, nothing logged, saved or evaluated on the way."""
    from transformers import TrainingArguments

    updates = config.updates(rows.rows)
    return TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=config.batch,
        max_steps=updates,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        adam_beta2=0.95,
        max_grad_norm=config.clip,
        optim="adamw_torch_fused",
        bf16=config.precision == "bfloat16",
        use_cpu=True,
        seed=seed,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )


def held_out(model: Model, test: Rows, length: int, precision: str = "float32") -> float:
    """Mean −log p of a token, in nats."""
    half = precision == "bfloat16"
    tokens = torch.stack([row["input_ids"] for row in map(Sequences(test, length).__getitem__, range(test.rows))])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        return float(np.mean([float(model(part, labels=part).loss) for part in tokens.split(64)]))


@dataclass(frozen=True)
class Rival:
    """Whichever precisions and cache are fastest here, of the product's precision and single.

    Attributes:
        precision: of `Trainer`.
        way: of `generate`.
        dtype: of the weights that `generate` reads.
    """

    precision: Literal["auto", "float32", "bfloat16"]
    way: Generation
    dtype: torch.dtype

    def generation(self, config: LanguageConfig, train: Rows, test: Rows, seed: int) -> float:
        """Fit, judge, sample; the held-out loss."""
        config = config.model_copy(update={"precision": self.precision})
        model = fit(config, train, seed)
        loss = held_out(model, test, config.context, self.precision)
        self.way(model.to(self.dtype), train.rows, config.context, seed)
        return loss

    def __str__(self) -> str:
        return f"Trainer in {self.precision}, generate in {str(self.dtype).removeprefix('torch.')}"


def rival(config: LanguageConfig, rows: Rows) -> Rival:
    """The fastest, by three updates and by half the places of a row."""
    few = config.model_copy(update={"steps": 3})
    fits = [few.model_copy(update={"precision": name}) for name in dict.fromkeys(("float32", config.precision))]
    if len(fits) > 1:
        fits.sort(key=lambda one: min(seconds(partial(fit, one, rows, 0)) for _ in range(2)))
    return Rival(fits[0].precision, *best_sampling(config, rows.rows))


def best_sampling(config: LanguageConfig, rows: int) -> tuple[Generation, torch.dtype]:
    """The fastest way to sample, its weights in single precision or, where the product's are, in bfloat16."""
    tried = []
    for dtype in dict.fromkeys((torch.float32, getattr(torch, config.sampling_precision))):
        pace, way = best_generation(create(config).eval().to(dtype), rows, config.context)
        tried.append((pace, way, dtype))
    _, way, dtype = min(tried, key=lambda one: one[0])
    return way, dtype
