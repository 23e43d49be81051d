"""A cell's recursion as plain numbers: sizes, weights and biases of what each generation averages over.

A population of k members is one history of k corpora a generation, in the order of members: model i of generation n is
number (n − 1)k + i, and so is its batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.cell import Cell
    from trainables.policies import Draw, Recipe

LIMIT = 500
"""Generations that closed forms are evaluated for; exact recursions cost the cube of it."""

REAL = 0
Source = int | tuple[str, int]
"""A batch: 0 is real, j is sampled from model j, ("fresh", start) are new real rows or a member's own."""


@dataclass(frozen=True)
class Share:
    """A part of a corpus: `rows` rows of the union of `sources`, each with `weight`."""

    sources: tuple[Source, ...]
    how: str
    rows: int
    weight: float


@dataclass(frozen=True)
class History:
    """All that closed forms need to know of a recursion.

    Attributes:
        corpora: what generation 1, 2, … is fitted on.
        sizes: rows of each batch.
        bias: λ of each synthetic batch's sampler.
        members: k, corpora of one generation.
        kept: 1/(1 + γ), what a corrected batch keeps of its model; 1 where it is not named.
    """

    corpora: tuple[tuple[Share, ...], ...]
    sizes: dict[Source, int]
    bias: dict[Source, float]
    members: int = 1
    kept: dict[Source, float] = field(default_factory=dict)

    def only_latest(self) -> bool:
        """Whether each generation is fitted on the whole batch of the one before and on nothing else."""
        return self.members == 1 and all(
            len(shares) == 1 and shares[0].how == "all" and shares[0].sources == (n,)
            for n, shares in enumerate(self.corpora)
        )

    def everything(self) -> bool:
        """Whether each generation is fitted on all batches so far, rows weighted alike."""
        return self.members == 1 and all(
            len(shares) == 1 and shares[0].how == "all" and shares[0].sources == tuple(range(n + 1))
            for n, shares in enumerate(self.corpora)
        )

    def whole(self) -> bool:
        """Whether no generation draws rows at random."""
        return all(share.how in ("all", "first") for shares in self.corpora for share in shares)


def history(cell: Cell) -> History | None:
    """The history of a cell's recipes; None where rows are judged or edited, which no closed form here covers."""
    past, sizes = _Flat(cell), cache(cell.batch_sizes)
    for n in range(1, min(cell.generations, LIMIT // len(cell.members)) + 1):
        recipes = {member: cell.recipe(n, member) for member in cell.members}
        draws = {member: cell.draws(recipes[member], member, sizes) for member in cell.members}
        if not all(_covered(recipes[member], draws[member]) for member in cell.members):
            return None
        for member, recipe in recipes.items():
            if recipe.sampling is not None:
                batch = past.number(n - 1, member)
                past.sizes[batch], past.bias[batch] = recipe.sampling.rows, recipe.sampling.bias
                if recipe.sampling.correct is not None:
                    past.kept[batch] = 1 / (1 + recipe.sampling.correct)
        for member in cell.members:
            past.corpora.append(tuple(past.share(draw, member) for draw in draws[member]))
    return History(tuple(past.corpora), past.sizes, past.bias, len(cell.members), past.kept)


class _Flat:
    """A history while it is put together."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.corpora: list[tuple[Share, ...]] = []
        self.sizes: dict[Source, int] = {self.number(0, member): cell.rows for member in cell.members}
        self.bias: dict[Source, float] = {}
        self.kept: dict[Source, float] = {}

    def number(self, batch: int, member: int) -> Source:
        """Of a batch of a member."""
        if batch == 0:
            origin = self.cell.origin(member)
            return ("fresh", origin - self.cell.rows) if origin else REAL
        return (batch - 1) * len(self.cell.members) + member

    def share(self, draw: Draw, member: int) -> Share:
        """A draw of a member, which may name another member's batches."""
        if draw.batches[0] < 0:  # the reserve: each range of it is a batch of its own
            reserve: Source = ("fresh", draw.start)
            self.sizes[reserve] = draw.rows or 0
            return Share((reserve,), "all", self.sizes[reserve], draw.weight)
        source, k = getattr(draw, "source", member), len(self.cell.members)
        sources = tuple([self.number(0, member) if j == 0 else (j - 1) * k + source for j in draw.batches])
        rows = draw.rows if draw.rows is not None else sum(self.sizes[batch] for batch in sources)
        return Share(sources, draw.how, rows, draw.weight)


def _covered(recipe: Recipe, draws: tuple[Draw, ...]) -> bool:
    edited = recipe.sampling is not None and recipe.sampling.edit is not None
    known = all(d.how != "scored" and (d.start == 0 or d.batches[0] < 0) for d in draws)
    return recipe.selection is None and not edited and known
