"""`ClusterCapacity`: the nodes that a study may use: those there are, and those an autoscaler may add. Without Ray."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PREFIX = "accelerator_type:"

GIB = 2.0**30
GPU_GIB = {
    "H200": 141,
    "H100": 80,
    "A100": 40,
    "A100-40G": 40,
    "A100-80G": 80,
    "L40S": 48,
    "L4": 24,
    "A10G": 24,
    "V100": 16,
    "T4": 16,
}
"""Memory by Ray's name of the accelerator's type, of its smallest variant, for nodes that are not there yet."""


@dataclass(frozen=True)
class NodeType:
    """Nodes of one kind.

    Attributes:
        resources: what each has, in Ray's words.
        count: how many there are, or may be.
        gpu_bytes: memory of its smallest GPU; None where unknown.
        name: of its node type, where an autoscaler names one.
    """

    resources: Mapping[str, float]
    count: int = 1
    gpu_bytes: float | None = None
    name: str = ""

    def holds(self, bundle: Mapping[str, float]) -> bool:
        """Whether such a node, empty, has room for a trial."""
        return self.count > 0 and all(self.resources.get(key, 0.0) >= amount for key, amount in bundle.items())

    def __str__(self) -> str:
        words = [f"{key} {value:g}" for key, value in sorted(self.resources.items()) if key in ("CPU", "GPU")]
        words += [key.removeprefix(PREFIX) for key in sorted(self.resources) if key.startswith(PREFIX)]
        words += [f"memory {self.resources['memory'] / GIB:.3g}GiB"] if "memory" in self.resources else []
        return f"{self.count} × ({', '.join(words) or 'nothing for trials'})"


class ClusterCapacity:
    """The nodes of a study.

    Args:
        present: nodes that are there.
        possible: node types of an autoscaler, each with its largest number of nodes.
    """

    def __init__(self, present: Iterable[NodeType], possible: Iterable[NodeType] = ()) -> None:
        self.present, self.possible = list(present), list(possible)

    @property
    def grows(self) -> bool:
        """Whether nodes may come that are not there yet."""
        return bool(self.possible)

    @property
    def gpus(self) -> bool:
        """Whether there are GPUs, or may be."""
        return any(shape.count and shape.resources.get("GPU", 0) for shape in self._all())

    def gpu_bytes(self, accelerator: str | None) -> float | None:
        """Memory of the smallest GPU that a trial may get; None where one of them is unknown."""
        key = PREFIX + (accelerator or "")
        found = [
            _memory(shape)
            for shape in self._all()
            if shape.count and shape.resources.get("GPU", 0) and (not accelerator or key in shape.resources)
        ]
        known = [each for each in found if each is not None]
        return min(known) if known and len(known) == len(found) else None

    def holds(self, bundle: Mapping[str, float]) -> bool:
        """Whether some node, empty, has room for a trial: what no node has is waited for in vain."""
        return any(shape.holds(bundle) for shape in self._all())

    def totals(self) -> dict[str, float]:
        """What all nodes have together; of a growing pool, at its largest."""
        present, possible = _sum(self.present), _sum(self.possible)
        return {key: max(present.get(key, 0.0), possible.get(key, 0.0)) for key in present | possible}

    def slots(self, bundle: Mapping[str, float]) -> int:
        """How many trials of this kind run side by side at most."""

        def here(shapes: list[NodeType]) -> int:
            return sum(shape.count * _times(shape, bundle) for shape in shapes)

        return max(here(self.present), here(self.possible))

    def __str__(self) -> str:
        """As the line that refuses a study tells it."""
        alike: Counter[str] = Counter()
        for shape in self.present:
            alike[str(shape).partition(" × ")[2]] += shape.count
        words = [f"{count} × {what}" for what, count in alike.items()]
        words += [f"up to {shape} of type {shape.name}" for shape in self.possible if shape.count]
        return ", ".join(words) or "no nodes"

    def _all(self) -> list[NodeType]:
        return [*self.present, *self.possible]


def _memory(shape: NodeType) -> float | None:
    if shape.gpu_bytes is not None:
        return shape.gpu_bytes
    named = [key.removeprefix(PREFIX) for key in shape.resources if key.startswith(PREFIX)]
    known = [GPU_GIB[name] * GIB for name in named if name in GPU_GIB]
    return min(known) if known else None


def _times(shape: NodeType, bundle: Mapping[str, float]) -> int:
    return min(int(shape.resources.get(key, 0.0) / amount + 1e-6) for key, amount in bundle.items())


def _sum(shapes: Iterable[NodeType]) -> dict[str, float]:
    total: dict[str, float] = {}
    for shape in shapes:
        for key, amount in shape.resources.items():
            total[key] = total.get(key, 0.0) + shape.count * amount
    return total
