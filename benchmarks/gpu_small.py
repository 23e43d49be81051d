"""What else a card shows: seeds side by side, compiled steps of sampling, small networks recorded whole.

Part of `python -m benchmarks gpu`. Peers are cells one after another, and the product's own plain paths, which compute
the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from benchmarks.gpu import Timed, in_place, peak, replaced, timed
from benchmarks.harness import Ratio
from benchmarks.seeds import generation
from trainables.families.diffusion import gpu as recorded
from trainables.families.diffusion import process
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.data import prepare
from trainables.families.diffusion.fit import create, fit
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.gpu import grow
from trainables.families.language.sampling import sample_rows
from trainables.families.vae import objective, training
from trainables.families.vae.config import VaeConfig
from trainables.lineage import Stream
from trainables.runtime import pick_device
from trainables.sources.images import Pixels
from trainables.sources.molecules import Chain
from trainables.store import MemoryStore


@dataclass(frozen=True)
class Plan:
    """How large everything is.

    Attributes:
        language: fields of a language cell besides its family's kind, and of one whose steps are compiled.
        seeds: side by side.
        rows: sampled by compiled steps.
        images: of a fit, 28×28 each; `passes` over them.
        molecules: of a fit, and sampled; `epochs` over them.
        backend: of `torch.compile`.
    """

    language: dict[str, Any]
    compiled: dict[str, Any]
    seeds: tuple[int, ...]
    rows: int
    images: int
    passes: float
    molecules: int
    epochs: float
    backend: str


CARD = Plan({}, {"size": "12M", "vocabulary": 8000, "context": 512}, (8, 64), 1024, 8000, 20.0, 1000, 20.0, "inductor")
REHEARSAL = Plan({"steps": 2, "test_rows": 8, "sample_rows": 8}, {"context": 32}, (2,), 8, 64, 1.0, 24, 1.0, "eager")


def claims(card: bool) -> Iterator[Ratio]:
    """One comparison after another."""
    plan = CARD if card else REHEARSAL
    for seeds in plan.seeds:
        yield side_by_side(plan, seeds)
    for name in ("gpt2", "llama"):
        yield compiled_steps(plan, name)
    yield images(plan)
    yield from conformers(plan)


def side_by_side(plan: Plan, seeds: int) -> Ratio:
    """A generation of so many replicates, against one cell's, so many times."""
    fields = {"family": {"kind": "language", **plan.language}}
    config, store, numbers = LanguageConfig.model_validate(fields["family"]), MemoryStore(), count()

    def made(replicates: int) -> Callable[[], object]:
        return lambda: in_place(config, lambda: generation(store, fields, replicates, next(numbers)))

    ours, one = timed(made(seeds)), timed(made(1))
    theirs = tuple(seeds * seconds for seconds in one.seconds)
    note = f"the time of one cell, {one.seconds[-1]:.3g} s, {seeds} times; first {ours.first:.3g} s{peak()}"
    work = f"a generation of {seeds} replicates, the default language cell"
    return Ratio(work, "one after another", 16.0 if seeds > 16 else 1.7, ours.seconds, theirs, note)


def compiled_steps(plan: Plan, name: str) -> Ratio:
    """Rows by compiled steps and by the same steps as they are, both recorded."""
    config = LanguageConfig(architecture=name, **plan.compiled)
    model = architecture.create(config, 0).eval()

    def rows() -> object:
        return in_place(config, lambda: sample_rows(config, model, plan.rows, Stream("s")))

    theirs = timed(rows)
    (work,) = grow._kept.values()
    for shape in list(work._steps):
        work.compile(shape, backend=plan.backend)
    ours = timed(rows)
    grow._kept.clear()
    note = f"first {ours.first:.3g} s, which compiles; as they are {theirs.first:.3g} s{peak()}"
    title = f"{name} {config.size}: {plan.rows} rows of {config.context}, compiled steps"
    return Ratio(title, "the steps as they are", 1.0, ours.seconds, theirs.seconds, note)


def images(plan: Plan) -> Ratio:
    """A fit of an autoencoder by recorded updates and by plain ones."""
    config = VaeConfig.model_validate({"source": {"kind": "mnist5k"}, "epochs": plan.passes})
    draws = np.random.default_rng(0)
    given = Pixels.of(draws.integers(0, 256, (plan.images, *config.shape), dtype=np.uint8))

    def fits(kind: type[training._Update]) -> Timed:
        both = {"_Update": kind, "_Recorded": kind}
        return timed(lambda: replaced(training, both, lambda: objective.fit(config, given, None, Stream("fit"))))

    theirs, ours = fits(training._Update), fits(training._Recorded)
    rate = plan.images * plan.passes / ours.seconds[-1]
    note = f"{rate:,.0f} images/s, first {ours.first:.3g} s{peak()}"
    work = f"fit of a VAE: {plan.images} images of 28×28, {plan.passes:g} epochs"
    return Ratio(work, "plain updates", 5.0, ours.seconds, theirs.seconds, note)


def conformers(plan: Plan) -> Iterator[Ratio]:
    """A fit and a sample of a denoiser by recorded work and by plain loops."""
    source = {"kind": "nci", "limit": 2 * plan.molecules}
    held_out = max(plan.molecules // 10, 2)
    config = DiffusionConfig.model_validate({"source": source, "epochs": plan.epochs, "test_molecules": held_out})
    rows = prepare(config, MemoryStore()).train.take(np.arange(plan.molecules))
    model = create(config, 0).to(pick_device()).eval()
    works: dict[str, Callable[[], object]] = {
        f"fit of a denoiser: {plan.molecules} molecules, {plan.epochs:g} epochs": lambda: fit(
            config, Chain((rows,), None), np.ones(len(rows)), Stream("fit")
        ),
        f"{plan.molecules} conformers, {config.sampling_steps} steps": lambda: process.sample(
            config, model, rows, Stream("sample")
        ),
    }
    for name, work in works.items():
        theirs, ours = (timed(lambda on=on, work=work: _recording(on, work)) for on in (False, True))
        note = f"first {ours.first:.3g} s{peak()}"
        yield Ratio(name, "the plain loop", 4.0, ours.seconds, theirs.seconds, note)


def _recording(on: bool, work: Callable[[], object]) -> object:
    """Work with what is recorded in place, on a CPU too, or without it; by torch's own functions both."""
    choices = {"can_stay": lambda *_: on, "can_record": lambda _: on}
    return replaced(process, {"predictor": lambda model: model}, lambda: replaced(recorded, choices, work))
