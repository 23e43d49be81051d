"""What a hunt for counterexamples runs: an Optuna search under the claim's policies, and retests on fresh seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from search_spaces.expansion.combinations import every_combination
from search_spaces.expansion.points import Point, Values, inner, is_open, random_draws
from search_spaces.search import FalsifySearch, OptunaSearch
from search_spaces.space import Grid, drawn_words
from search_spaces.study import Block, Study


def explored(study: Study) -> Study:
    """The study with every hunt as the search that it explores by."""
    blocks = [
        _explored(block, block.search) if isinstance(block.search, FalsifySearch) else block for block in study.blocks
    ]
    return study.model_copy(update={"blocks": tuple(blocks)})


def independent(block: Block, search: FalsifySearch) -> list[Values]:
    """The draws that depend on no result: the first of the hunt."""
    return list(random_draws(block, min(search.independent, search.num_samples), search.seed))


def retest(points: Sequence[Point], seeds: Sequence[int]) -> list[Point]:
    """A suggestion's cells on other seeds."""
    first = [point for point in points if point.cell.seed == points[0].cell.seed]
    return [
        Point(point.block, point.values | {"seed": seed}, point.cell.model_copy(update={"seed": seed}))
        for point in first
        for seed in seeds
    ]


def expected(study: Study) -> list[Point]:
    """Cells that stand for those which depend on results: random draws in place of suggestions, but a grid sampler's
    own, and of hunts the retests of the first of them."""
    found: list[Point] = []
    searched = explored(study)
    for number, block in enumerate(study.blocks):
        if is_open(block):
            search = block.search
            tried = [inner(searched, number, values) for values in _suggested(block)]
            again = [retest(points, search.fresh_seeds) for points in tried[: search.retests]]
            found += [point for points in [*tried, *again] for point in points]
    return found


def _suggested(block: Block) -> Iterable[Values]:
    search = block.search
    if isinstance(search, OptunaSearch) and search.sampler.kind == "grid":
        return every_combination(search, drawn_words(block.space))[: search.suggestions]
    return random_draws(block, search.suggestions, search.draw_seed)


def _explored(block: Block, search: FalsifySearch) -> Block:
    claim, own = search.parsed, block.cell.get("policy")
    subject = dict(own) if isinstance(own, Mapping) else {"kind": claim.policy}
    policies = [subject, *([{"kind": claim.rival}] if claim.rival else [])]
    grids = {"policy": Grid(values=tuple(policies)), "seed": Grid(values=tuple(range(search.seeds)))}
    seeking = search.exploration.model_copy(update={"points": tuple(independent(block, search))})
    return block.model_copy(update={"space": grids | block.space, "search": seeking})
