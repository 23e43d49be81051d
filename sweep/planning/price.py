"""What a study takes on named machines, at the price that the user states. No price is known to the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from sweep.errors import UsageError
from sweep.planning.accelerators import PEAK, UTILISATION, seconds_on, time_on
from sweep.planning.forecast import Effort, Forecast
from sweep.planning.plan import Left
from sweep.planning.speeds import Make
from sweep.progress import duration
from trainables.config import Config, did_you_mean, explain
from trainables.families import FAMILIES


class Cluster(Config):
    """Machines of one kind, as a user describes them.

    Attributes:
        name: for people.
        nodes: how many.
        cpus_per_node: trials at a time of a node without accelerators, at this machine's measured speed.
        gpu: accelerator of a node, of `sweep.planning.accelerators`' table; "" for none.
        gpus_per_node: how many.
        utilisation: share of an accelerator's peak that is reached; None: rates that were measured, where there
            are some, else `sweep.planning.accelerators.UTILISATION`.
        price_per_hour: of one node.
        currency: of the price.
    """

    name: str = "cluster"
    nodes: int = Field(default=1, ge=1)
    cpus_per_node: int = Field(default=1, ge=1)
    gpu: str = ""
    gpus_per_node: int = Field(default=1, ge=1)
    utilisation: float | None = Field(default=None, gt=0, le=1)
    price_per_hour: float = Field(ge=0)
    currency: str = "USD"

    @model_validator(mode="after")
    def _known(self) -> Cluster:
        if self.gpu and self.gpu not in PEAK:
            raise ValueError(f"gpu: unknown accelerator {self.gpu!r}{did_you_mean(self.gpu, PEAK)}")
        return self


@dataclass(frozen=True)
class Bill:
    """What a study comes to on a cluster.

    Attributes:
        cluster: the machines.
        seconds: wall time; None where this machine's speeds, which it rests on, are not known.
        price: of all nodes for that time.
        measured: families that are judged by rates measured on a card.
        on_cores: families that take no card, and are not counted where nodes have some.
    """

    cluster: Cluster
    seconds: float | None
    price: float | None
    measured: Sequence[str] = ()
    on_cores: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"cluster": self.cluster.canonical()}

    def line(self) -> str:
        """What people are told."""
        c = self.cluster
        if self.seconds is None or self.price is None:
            return f"On {c.name}: unknown, for it rests on the time on this machine."
        if self.on_cores and not self.seconds:
            who, needs = ", ".join(self.on_cores), "needs" if len(self.on_cores) == 1 else "need"
            return f"On {c.name}: {who} {needs} no {c.gpu}; for the price of cores leave gpu out and say cpus_per_node."
        what = f"{c.gpus_per_node} {c.gpu}" if c.gpu else f"{c.cpus_per_node} cores of this machine's speed"
        share = f"{UTILISATION if c.utilisation is None else c.utilisation:.0%} of its peak, arithmetic alone"
        known = f"measured rates of {', '.join(self.measured)}, all else at " if self.measured else ""
        rests = f" at {known}{share}" if c.gpu else ""
        cores = f"what {', '.join(self.on_cores)} takes of cores is not counted, and " if self.on_cores else ""
        return (
            f"On {c.name} ({c.nodes} × {what}{rests}): about {duration(self.seconds)}, {self.price:,.2f} {c.currency} "
            f"at the stated {c.price_per_hour:g} {c.currency} a node and hour; {cores}starting nodes is not counted."
        )


def read_cluster(path: Path) -> Cluster:
    """The machines that a YAML file describes.

    Raises:
        UsageError: it can't be read, or is wrong; the message names the field.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict):
            raise UsageError(f"--cluster {path}: a mapping with nodes and price_per_hour is needed, not {raw!r:.60}")
        return Cluster.model_validate({"name": path.stem} | raw)
    except ValidationError as problem:
        raise UsageError(f"--cluster {path}: {explain(problem, Cluster)}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        reason = getattr(problem, "strerror", None) or "not valid YAML"
        raise UsageError(f"--cluster {path}: can't be read: {reason}") from None


def bill(cluster: Cluster, left: Left, here: Forecast) -> Bill:
    """What is left of a study, on these machines; the longest cell is never shorter than one trial makes it."""
    measured: Sequence[str] = ()
    on_cores: Sequence[str] = ()
    if cluster.gpu:
        card = time_on(cluster.gpu, left.efforts)
        on_cores = card.on_cores
        measured = sorted(card.measured) if cluster.utilisation is None else ()
        every = [_on_a_card(cluster, *one) for one in left.efforts.items()]
        longest = max((_on_a_card(cluster, *one) for one in left.cells), default=0.0)
        seconds = max(sum(every) / (cluster.nodes * cluster.gpus_per_node), longest)
    elif here.unknown:
        return Bill(cluster, None, None)
    else:
        seconds = max(here.work / (cluster.nodes * cluster.cpus_per_node), here.longest)
    return Bill(cluster, seconds, seconds / 3600 * cluster.nodes * cluster.price_per_hour, measured, on_cores)


def _on_a_card(cluster: Cluster, make: Make, effort: Effort) -> float:
    """Seconds of one card; none of what runs on cores."""
    accelerated = FAMILIES.get(make.family).accelerated
    return sum(seconds_on(cluster.gpu, make, effort, cluster.utilisation)) if accelerated else 0.0
