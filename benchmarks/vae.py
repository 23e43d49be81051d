"""A VAE generation (fit, judge, sample) on 4,000 MNIST images against a plain PyTorch `DataLoader` loop.

What is the schedule's gain and what the engine's is kept apart: most rows give both sides the same updates.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.harness import Ratio, matrix_rate, seconds
from benchmarks.vae_peer import LATENT, WIDTH, Peer
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.base import World
from trainables.families.vae import network, objective
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.family import Vae
from trainables.lineage import Stream
from trainables.sources.images import load
from trainables.store import MemoryStore

ROWS = 4000
LONG = (128, 15)
"""Batch and epochs by which the plain loop's Adam, at its usual 1e-3, comes to about 116 nats."""

SHORT = (64, 4)
"""Batch and epochs by which the product comes to as many: at a higher rate that falls along a cosine."""

TARGET = 3.0
ROUNDS = 3


@dataclass
class Product:
    """The family's own fit, held-out loss and sampler."""

    family: Vae
    loss: float = float("nan")

    def __call__(self) -> None:
        real = self.family.real(0, ROWS)
        corpus = Corpus((RealisedDraw((Batch(0, "real", ROWS, lambda: real),), None, 1.0),))
        model = self.family.fit(corpus, Stream("fit"))
        fitted = network.load(self.family.config, model.tensors)
        parts = objective.judge(self.family.config, fitted, self.family.images.test.pixels, Stream("judge"))
        self.loss = float(sum(part.mean() for part in parts))
        self.family.sample(model, ROWS, Stream("sample"))

    @property
    def operations(self) -> float:
        """Floating-point operations of the fit's matrix products, and of the samples'."""
        cost = self.family.config.cost(ROWS)
        return ROWS * (cost.fit_flops + cost.sample_flops)


@dataclass
class Side:
    """One side of a comparison, with the seconds of its rounds.

    Attributes:
        work: what is timed.
        times: seconds, round by round.
    """

    work: Product | Peer
    times: tuple[float, ...] = ()

    def run(self) -> None:
        """One more round."""
        self.times += (seconds(self.work),)


def product(batch: int, epochs: float, precision: str) -> Product:
    """The product on MNIST with the peer's layers."""
    shape = {"source": {"kind": "mnist5k"}, "width": WIDTH, "latent": LATENT, "observation": "bernoulli"}
    schedule = {"batch": batch, "epochs": epochs, "learning_rate": 5e-3}
    config = VaeConfig.model_validate({**shape, **schedule, "precision": precision, "elbo_draws": 1})
    return Product(config.build(World(rows=ROWS, replicates=1, seed=0, store=MemoryStore())))


def sides() -> dict[str, Side]:
    """Everything that is timed, in the order of a round."""
    short = product(*SHORT, "float32").family
    train = load(short.config.source).train.pixels.array()[:ROWS, :, :, 0]
    plan, test = objective.schedule(short.config, ROWS), short.images.test.pixels.array()[..., 0]
    made: dict[str, Product | Peer] = {
        "long": product(*LONG, "bfloat16"),
        "long peer": Peer(train, test, *LONG),
        "bfloat16": product(*SHORT, "bfloat16"),
        "bfloat16 peer": Peer(train, test, *SHORT, schedule=plan, bfloat16=True),
        "float32": product(*SHORT, "float32"),
        "float32 peer": Peer(train, test, *SHORT, schedule=plan),
    }
    return {name: Side(work) for name, work in made.items()}


def claims() -> list[Ratio]:
    """Equal updates in the precisions of both sides; then each side by its own schedule to the same loss."""
    timed = sides()
    for precision in ("bfloat16", "float32"):
        product(64, 0.1, precision)()  # compiles oneDNN's kernels
    for _ in range(ROUNDS):
        for side in timed.values():
            side.run()
    short = "4 epochs of batch 64, AdamW at 5e-3 along a cosine, for both"
    usual = "float32, Adam at its usual 1e-3"

    def row(work: str, peer: str, ours: str, theirs: str, note: Callable[[Side], str] | None = None) -> Ratio:
        mine, other = timed[ours], timed[theirs]
        losses = f"held-out nats per image {mine.work.loss:.1f} against {other.work.loss:.1f}"
        more = "" if note is None else f"; {note(mine)}"
        name = f"VAE generation, 28×28, 4,000 images, {work}"
        return Ratio(name, f"PyTorch DataLoader loop, {peer}", TARGET, mine.times, other.times, losses + more)

    return [
        row("bfloat16, equal updates: 15 epochs of batch 128", usual, "long", "long peer", _share),
        row(f"bfloat16, equal schedule: {short}", "float32", "bfloat16", "float32 peer", _share),
        row(f"bfloat16, equal schedule: {short}", "bfloat16 autocast, channels last", "bfloat16", "bfloat16 peer"),
        row(f"float32, equal schedule: {short}", "float32", "float32", "float32 peer"),
        row(
            "bfloat16, to the same held-out loss, each by its own schedule: the schedule's gain times the engine's",
            usual,
            "bfloat16",
            "long peer",
        ),
    ]


def _share(side: Side) -> str:
    """How near the side came to the machine's matrix rate."""
    assert isinstance(side.work, Product)  # asked of the product alone
    rate, top = side.work.operations / statistics.median(side.times), matrix_rate("bfloat16")
    return (
        f"{rate / 1e9:.0f} GFLOP/s, {rate / top:.0%} of the bfloat16 matrix rate, at all of which the ratio would be "
        f"{top / rate:.1f} times as high"
    )
