"""`Population`: several lineages that feed each other by a directed graph with weights. Plain data, as a policy is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from trainables.config import Config
from trainables.policies import POLICIES, Draw, PolicyConfig

if TYPE_CHECKING:
    AnyPolicy = PolicyConfig
else:
    AnyPolicy = POLICIES.union()

Matrix = tuple[tuple[float, ...], ...]

SUM = 1e-9
"""How far a row of shares may be from 1."""


def _shares(value: Any) -> Any:
    """A number, or rows of numbers; anything else gets one line here rather than one for each form."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    rows = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    if rows and all(isinstance(row, Sequence) and not isinstance(row, str) for row in value):
        return value
    raise ValueError(f"must be one number, or for graph: matrix a list of rows of numbers, not {value!r}")


class Population(Config):
    """Members 1 … `models` of one cell, each a lineage of its own.

    Where a member's policy says batch j, it reads batch j of every member that feeds it, itself included, each whole,
    and batch j's part of the loss is split among them by `shares`. Real rows are never split. Without `anchor`, all
    members follow the cell's policy.

    Attributes:
        models: k, members.
        graph: who feeds whom. `ring`: member i − 1 feeds member i, and the last the first. `complete`: everyone feeds
            everyone. `star`: member 1 feeds all others and is fed by none. `alone`: nobody feeds anybody. `matrix`: as
            `shares` says.
        shares: part of the loss of a synthetic batch that comes from others, split evenly among those that feed a
            member; for `matrix`, row i is what member i takes from members 1 … k, and adds up to 1.
        real: `shared`, all begin with the same real rows, and so with one model; `own`, each with N rows of its own,
            disjoint from everybody else's, the fresh ones too.
        anchor: policy of the members in `anchored`, in place of the cell's: one that holds on to real data, say.
        anchored: numbers of these members, from 1.
    """

    models: int = Field(default=3, ge=2, le=100)
    graph: Literal["ring", "complete", "star", "alone", "matrix"] = "ring"
    shares: Annotated[float | Matrix, BeforeValidator(_shares)] = 0.5
    real: Literal["shared", "own"] = "shared"
    anchor: AnyPolicy | None = None
    anchored: tuple[int, ...] = Field(default=(1,), min_length=1)

    @model_validator(mode="after")
    def _possible(self) -> Population:
        if self.graph == "matrix":
            self._check_matrix()
        elif not isinstance(self.shares, float):
            raise ValueError(f"shares: graph {self.graph} takes one number; rows of numbers are for graph: matrix")
        elif not 0 < self.shares <= 1:
            raise ValueError(f"shares: the part that comes from others lies above 0 and up to 1, not {self.shares}")
        wrong = [number for number in self.anchored if not 1 <= number <= self.models]
        if wrong or len(set(self.anchored)) < len(self.anchored):
            raise ValueError(f"anchored: members are numbered 1 to {self.models}, each named once, not {self.anchored}")
        return self

    def _check_matrix(self) -> None:
        if isinstance(self.shares, float):
            raise ValueError(f"shares: graph matrix takes {self.models} rows of {self.models} numbers")
        sizes = [len(row) for row in self.shares]
        if sizes != [self.models] * self.models:
            raise ValueError(f"shares: {self.models} members take {self.models} rows of {self.models}, not {sizes}")
        for number, row in enumerate(self.shares, 1):
            if min(row) < 0 or abs(sum(row) - 1) > SUM:
                raise ValueError(f"shares: row {number} must hold shares of at least 0 that add up to 1, not {row}")

    @property
    def weights(self) -> Matrix:
        """W: row i is what member i takes from members 1 … k; rows add up to 1."""
        return self.shares if not isinstance(self.shares, float) else _weights(self.graph, self.models, self.shares)

    def sources(self, reader: int) -> list[tuple[int, float]]:
        """The members whose batches a member reads, and the share of each."""
        row = enumerate(self.weights[reader - 1], 1)
        return [(number, weight) for number, weight in row if weight > 0]

    def readers(self, source: int) -> list[int]:
        """The members that read a member's batches."""
        return [number for number, row in enumerate(self.weights, 1) if row[source - 1] > 0]


@lru_cache(maxsize=256)
def _weights(graph: str, models: int, share: float) -> Matrix:
    """W of a named graph."""
    numbers = range(1, models + 1)
    fed = {reader: _feeders(graph, models, reader) for reader in numbers}
    return tuple(tuple(_weight(share, fed[reader], reader, source) for source in numbers) for reader in numbers)


def _weight(share: float, feeders: Sequence[int], reader: int, source: int) -> float:
    """What a member takes from another, or from itself."""
    if reader == source:
        return 1.0 - share if feeders else 1.0
    return share / len(feeders) if source in feeders else 0.0


def _feeders(graph: str, models: int, reader: int) -> list[int]:
    """Whom a member reads, itself left out."""
    match graph:
        case "ring":
            return [reader - 1 if reader > 1 else models]
        case "complete":
            return [number for number in range(1, models + 1) if number != reader]
        case "star":
            return [1] if reader > 1 else []
    return []


class Feed(Draw):
    """A member's draw on the batches that one member, `source`, has sampled; batch 0 and the reserve are its own."""

    source: int


def feeds(
    population: Population, reader: int, draws: Sequence[Draw], scale: Callable[[int, int], float] | None
) -> tuple[Feed, ...]:
    """A policy's draws, shared out among those that feed a member.

    Whole batches keep their part of the loss, whatever rows each of them holds. Random rows and first rows are drawn as
    many from each source, from that source's batches and the reader's own batch 0, and weigh by its share.

    Args:
        population: whose graph it is.
        reader: the member's number.
        draws: of its policy.
        scale: by source and j, rows of batch j as the reader's policy plans it over those that the source's holds;
            None where these are the same.
    """
    found: list[Feed] = []
    for draw in draws:
        if max(draw.batches) <= 0:
            found.append(_feed(draw, draw.batches, draw.weight, reader))
        elif draw.how == "all":
            found += _whole(population, reader, draw, scale)
        else:
            sources = population.sources(reader)
            found += [_feed(draw, draw.batches, draw.weight * share, source) for source, share in sources]
    return tuple(found)


def _whole(
    population: Population, reader: int, draw: Draw, scale: Callable[[int, int], float] | None
) -> Iterator[Feed]:
    if 0 in draw.batches:
        yield _feed(draw, (0,), draw.weight, reader)
    synthetic = [number for number in draw.batches if number > 0]
    for source, share in population.sources(reader):
        split: dict[float, list[int]] = {}
        if scale is None:
            split[share] = synthetic
        else:
            for number in synthetic:
                split.setdefault(share * scale(source, number), []).append(number)
        for weight, batches in split.items():
            yield _feed(draw, tuple(batches), draw.weight * weight, source)


def _feed(draw: Draw, batches: tuple[int, ...], weight: float, source: int) -> Feed:
    return Feed(batches=batches, how=draw.how, rows=draw.rows, start=draw.start, weight=weight, source=source)
