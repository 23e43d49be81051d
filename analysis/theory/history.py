"""A cell's recursion as plain numbers: sizes, weights and biases of what each generation averages over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.cell import Cell
    from trainables.policies import Draw, Recipe

LIMIT = 500
"""Generations that closed forms are evaluated for; exact recursions cost the cube of it."""

REAL = 0
Source = int | tuple[str, int]
"""A batch: 0 is real, j is sampled from model j, ("fresh", start) are new real rows."""


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
    """

    corpora: tuple[tuple[Share, ...], ...]
    sizes: dict[Source, int]
    bias: dict[Source, float]

    def only_latest(self) -> bool:
        """Whether each generation is fitted on the whole batch of the one before and on nothing else."""
        return all(
            len(shares) == 1 and shares[0].how == "all" and shares[0].sources == (n,)
            for n, shares in enumerate(self.corpora)
        )

    def everything(self) -> bool:
        """Whether each generation is fitted on all batches so far, rows weighted alike."""
        return all(
            len(shares) == 1 and shares[0].how == "all" and shares[0].sources == tuple(range(n + 1))
            for n, shares in enumerate(self.corpora)
        )

    def whole(self) -> bool:
        """Whether no generation draws rows at random."""
        return all(share.how in ("all", "first") for shares in self.corpora for share in shares)


def history(cell: Cell) -> History | None:
    """The history of a cell's recipes; None where rows are judged or edited, which no closed form here covers."""
    sizes: dict[Source, int] = {REAL: cell.rows}
    bias: dict[Source, float] = {}
    corpora = []
    for n in range(1, min(cell.generations, LIMIT) + 1):
        recipe = cell.recipe(n)
        if not _covered(recipe):
            return None
        if recipe.sampling is not None:
            sizes[n - 1], bias[n - 1] = recipe.sampling.rows, recipe.sampling.bias
        corpora.append(tuple(_share(draw, sizes) for draw in recipe.draws))
    return History(tuple(corpora), sizes, bias)


def _covered(recipe: Recipe) -> bool:
    edited = recipe.sampling is not None and recipe.sampling.edit is not None
    known = all(d.how != "scored" and (d.start == 0 or d.batches[0] < 0) for d in recipe.draws)
    return recipe.selection is None and not edited and known


def _share(draw: Draw, sizes: dict[Source, int]) -> Share:
    if draw.batches[0] < 0:  # the reserve: each range of it is a batch of its own
        source = ("fresh", draw.start)
        sizes[source] = draw.rows or 0
        return Share((source,), "all", sizes[source], draw.weight)
    rows = draw.rows if draw.rows is not None else sum(sizes[number] for number in draw.batches)
    return Share(draw.batches, draw.how, rows, draw.weight)
