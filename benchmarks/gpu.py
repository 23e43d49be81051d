"""Language models on one card: fits, samples and whole generations beside what one would write otherwise.

`python -m benchmarks gpu` on a machine with a card; `python -m benchmarks gpu --device cpu` rehearses all of it small,
on the same code: its ratios say nothing. Peers are a plain eager loop, the same under `torch.compile`, `Trainer`, and
`generate` with a static cache. After them come seeds side by side, compiled steps, images and conformers
(`gpu_small.py`). Rounds are timed after one that is not: compiling and recording are told in notes.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.harness import Ratio
from trainables.cell import Cell
from trainables.families.batches import shuffled
from trainables.families.language import gpu
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.fit import BETAS, fit
from trainables.families.language.gpu import train
from trainables.families.language.sampling import sample_rows
from trainables.families.language.token_rows import Rows, RowsView
from trainables.lineage import Stream
from trainables.recursion import Recursion
from trainables.runtime import DEVICE, pick_device
from trainables.store import MemoryStore

ROUNDS = 3


@dataclass(frozen=True)
class Plan:
    """How large everything is.

    Attributes:
        models: architecture, size, and the ratio aimed at to `Trainer`.
        shape: fields of every config.
        batches: rows of an update.
        steps: updates of a fit.
        rows: sampled side by side.
        generation: rows of a whole generation, and its epochs.
    """

    models: tuple[tuple[str, str, float], ...]
    shape: dict[str, Any]
    batches: tuple[int, ...]
    steps: int
    rows: int
    generation: tuple[int, float]


CARD = Plan(
    (("gpt2", "9M", 2.5), ("llama", "12M", 2.5), ("llama", "42M", 2.0)),
    {"vocabulary": 8000, "context": 512, "learning_rate": 1e-3, "initializer_range": 0.02},
    (128, 32),
    128,
    1024,
    (4000, 8.0),
)
REHEARSAL = Plan(
    (("gpt2", "0.1M", 2.5), ("llama", "0.1M", 2.5)),
    {"vocabulary": 512, "context": 32, "learning_rate": 1e-3, "initializer_range": 0.02},
    (4,),
    4,
    8,
    (32, 1.0),
)


def claims() -> Iterator[Ratio]:
    """One comparison after another; none on a machine without a card, unless a CPU was asked for."""
    device = pick_device()
    if device.type != "cuda" and not os.environ.get(DEVICE):
        print("gpu: no card here; --device cpu rehearses it small")
        return
    plan = CARD if device.type == "cuda" else REHEARSAL
    for name, size, target in plan.models:
        for batch in plan.batches:
            for sequences in ("fixed_length", "documents"):
                config = LanguageConfig(
                    architecture=name, size=size, batch=batch, sequences=sequences, steps=plan.steps, **plan.shape
                )
                yield from fits(config, target)
        config = LanguageConfig(architecture=name, size=size, **plan.shape)
        yield samples(config, plan.rows)
    yield generation(plan)
    from benchmarks import gpu_small

    yield from gpu_small.claims(card=device.type == "cuda")


def fits(config: LanguageConfig, target: float) -> Iterator[Ratio]:
    """Updates of random rows; documents are of half a context on the mean."""
    rows = noise(config, 8 * config.batch)
    product = timed(partial(packed_fit, config, rows))
    name = (
        f"{config.architecture} {config.size}, {config.batch} {config.sequences} rows an update, {config.steps} updates"
    )
    note = f"{speed(config, rows, product.seconds)}; first fit {product.first:.3g} s{peak()}"
    peers: dict[str, tuple[float, Callable[[], object]]] = {
        "Trainer": (target, partial(trainer, config, rows)),
        "plain eager loop": (1.0, partial(plain, config, rows, False)),
        "plain loop under torch.compile": (1.0, partial(plain, config, rows, True)),
    }
    if pick_device().type == "cpu":
        peers.pop("plain loop under torch.compile")  # minutes on a core, and nothing learned
    for peer, (aim, work) in peers.items():
        try:
            theirs = timed(work)
        except Exception as problem:  # the next peer still says what it can
            print(f"gpu: {peer}: {type(problem).__name__}: {str(problem).splitlines()[:1]}")
            continue
        yield Ratio(name, peer, aim, product.seconds, theirs.seconds, f"{note}; peer's first {theirs.first:.3g} s")


def samples(config: LanguageConfig, rows: int) -> Ratio:
    """Whole rows of a fresh model."""
    model = architecture.create(config, 0).eval()
    product = timed(lambda: in_place(config, lambda: sample_rows(config, model, rows, Stream("s"))))
    theirs = timed(partial(generated, config, rows))
    tokens = rows * config.context / statistics.median(product.seconds)
    note = f"{tokens:,.0f} tokens/s, first {product.first:.3g} s{peak()}; peer's first {theirs.first:.3g} s"
    name = f"{config.architecture} {config.size}: {rows} rows of {config.context}"
    return Ratio(name, "generate, static cache", 4.0, product.seconds, theirs.seconds, note)


def generation(plan: Plan) -> Ratio:
    """Fit, judge and sample as a recursion does, by this engine and by the padded path."""
    rows, epochs = plan.generation
    name, size, _ = plan.models[0]
    family = plan.shape | {"kind": "language", "architecture": name, "size": size, "sequences": "documents"}
    family |= {"epochs": epochs, "batch": plan.batches[-1]}
    seeds = count()
    work = partial(recursion, family, rows)
    ours = timed(lambda: in_place(LanguageConfig.model_validate(family), lambda: work(next(seeds))))
    theirs = timed(lambda: by_reference(lambda: work(next(seeds))))
    note = f"first {ours.first:.3g} s{peak()}; reference's first {theirs.first:.3g} s"
    return Ratio(f"a generation of {name} {size}, {rows} rows, {epochs:g} epochs", "the padded path", 6.0,
                 ours.seconds, theirs.seconds, note)  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """Seconds of the first call, and of `ROUNDS` after it."""

    first: float
    seconds: tuple[float, ...]


def timed(work: Callable[[], object]) -> Timed:
    """Wall time, the device's work included."""
    taken = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return Timed(taken[0], tuple(taken[1:]))


def noise(config: LanguageConfig, rows: int) -> Rows:
    """Random tokens, in rows of the context or in documents of any length up to it."""
    draws = np.random.default_rng(0)
    whole = config.sequences == "fixed_length"
    lengths = np.full(rows, config.context) if whole else draws.integers(1, config.context + 1, rows)
    tokens = draws.integers(2, config.vocabulary, lengths.sum()).astype(np.uint16)
    return Rows(tokens, np.concatenate([[0], np.cumsum(lengths)]))


def packed_fit(config: LanguageConfig, rows: Rows) -> object:
    """The engine's fit; on a CPU too, where the product takes another way."""
    if pick_device().type == "cuda":
        return fit(config, RowsView((rows,)), Stream("fit"))
    model = architecture.create(config, 0).train()
    train.fit_packed(config, model, RowsView((rows,)), shuffled(rows.rows, config.batch, np.random.default_rng(0)))
    return model


def padded(config: LanguageConfig, rows: Rows) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Updates as a plain loop makes them: every row padded to the context, and which tokens are real."""
    for index in shuffled(rows.rows, config.batch, np.random.default_rng(0)):
        tokens, inside = rows.padded(index, config.eos)
        short = config.context - tokens.shape[1]
        tokens, inside = (torch.nn.functional.pad(part, (0, short)) for part in (tokens, inside))
        yield tokens.to(pick_device()), inside.to(pick_device())


_compiled: dict[str, tuple[Any, Any]] = {}


def plain(config: LanguageConfig, rows: Rows, compiled: bool) -> None:
    """A loop as one writes it: autocast, fused AdamW, clipped gradients, logits whole."""
    key = f"{config} {compiled}"
    if key not in _compiled:
        model = architecture.create(config, 0).train()
        _compiled.clear()
        _compiled[key] = (model, torch.compile(model) if compiled else model)
    model, net = _compiled[key]
    cuda = pick_device().type == "cuda"
    optimizer = torch.optim.AdamW(model.parameters(), config.learning_rate, betas=BETAS, fused=True)
    for tokens, inside in islice(padded(config, rows), config.updates(rows.rows)):
        with torch.autocast(pick_device().type, torch.bfloat16, enabled=cuda):
            logits = net(tokens).logits[:, :-1]
            aims = tokens[:, 1:].masked_fill(~inside[:, 1:], -100)
            loss = cross_entropy(logits.flatten(0, 1).float(), aims.flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()


def trainer(config: LanguageConfig, rows: Rows) -> None:
    """`Trainer` on rows padded to the context, nothing logged, saved or evaluated on the way."""
    from transformers import PrinterCallback, Trainer, TrainingArguments

    tokens, inside = rows.padded(np.arange(rows.rows), config.eos)
    labels = tokens.masked_fill(~inside, -100)
    pairs = [{"input_ids": row, "labels": aim} for row, aim in zip(tokens, labels, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        words = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=config.batch,
            max_steps=config.updates(rows.rows),
            learning_rate=config.learning_rate,
            optim="adamw_torch_fused",
            bf16=pick_device().type == "cuda",
            use_cpu=pick_device().type == "cpu",
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        peer = Trainer(architecture.create(config, 0), words, train_dataset=pairs)
        peer.remove_callback(PrinterCallback)
        peer.train()


_peers: dict[str, Any] = {}


def generated(config: LanguageConfig, rows: int) -> object:
    """`generate` of transformers with a static cache, weights in bfloat16 on a card."""
    device = pick_device()
    longer = {"max_position_embeddings": config.context + 1}
    key = str(config)
    if key not in _peers:
        model = architecture.create(config.model_copy(update={"overrides": longer}), 0).eval()
        _peers.clear()
        _peers[key] = model.to(torch.bfloat16 if device.type == "cuda" else torch.float32)
    start = torch.full((rows, 1), config.bos, device=device)
    with torch.inference_mode():
        return _peers[key].generate(
            start,
            attention_mask=torch.ones_like(start),
            do_sample=True,
            top_k=0,
            max_new_tokens=config.context,
            min_new_tokens=config.context,
            pad_token_id=config.eos,
            eos_token_id=None,
            cache_implementation="static",
        )


def recursion(family: dict[str, Any], rows: int, seed: int) -> float:
    """The held-out loss of generation 1, whose batch is drawn too."""
    cell = {"family": family, "policy": {"kind": "replace"}, "generations": 2, "rows": rows, "seed": seed}
    whole = Recursion(Cell.model_validate(cell), MemoryStore())
    loss = whole.record(1).test_loss
    whole.batch(whole.steps.batch(1))
    return loss


def in_place(config: LanguageConfig, work: Callable[[], Any]) -> Any:
    """Work by this engine, on a CPU too."""
    from trainables.families.language.gpu.grow import growable

    choices = {"can_pack": lambda c, m, r: train.packable(m), "can_grow": growable}
    return replaced(gpu, choices | {"can_grow_together": lambda c: True}, work)


def by_reference(work: Callable[[], Any]) -> Any:
    """Work by the padded path and growing caches."""
    return replaced(gpu, dict.fromkeys(("can_pack", "can_grow", "can_grow_together"), lambda *_: False), work)


def replaced(module: ModuleType, choices: Mapping[str, Any], work: Callable[[], Any]) -> Any:
    """Work while names of a module mean something else."""
    held = {name: getattr(module, name) for name in choices}
    try:
        for name, choice in choices.items():
            setattr(module, name, choice)
        return work()
    finally:
        for name, choice in held.items():
            setattr(module, name, choice)


def speed(config: LanguageConfig, rows: Rows, seconds: tuple[float, ...]) -> str:
    """Real tokens a second, and operations: six a parameter and token (Kaplan et al. 2020)."""
    tokens = config.updates(rows.rows) * config.batch * float(rows.lengths.mean()) / statistics.median(seconds)
    return f"{tokens:,.0f} tokens/s, {6 * config.parameters * tokens / 1e12:.3g} TFLOP/s"


def peak() -> str:
    """Memory of the card that was reserved at most so far."""
    if not torch.cuda.is_available():
        return ""
    return f", {torch.cuda.max_memory_reserved() / 2**30:.3g} GiB at most so far"
