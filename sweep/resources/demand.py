"""What a study's cells want of machines, those among them that open searches have yet to suggest."""

from __future__ import annotations

from collections.abc import Callable

from search_spaces import Point, Study
from search_spaces.expansion import explored, inner, is_open, random_draws
from search_spaces.resources import Resources
from sweep.scheduling import Job

DRAWS = 16
"""Random draws that stand for what an open search will suggest."""


def wants(study: Study) -> Callable[[Point], Resources]:
    """What each point's trial wants to reserve: its block's words, else the study's."""
    merged = [block.resources.over(study.resources) for block in study.blocks]
    return lambda point: merged[point.block]


def likely(study: Study) -> list[Job]:
    """One cell of each family and size that open searches may suggest, without stages: what no machine has room for
    is refused when a run starts, not when a search comes to it.
    """
    study = explored(study)
    found: dict[tuple[int, str, str], Job] = {}
    for number, block in enumerate(study.blocks):
        if is_open(block):
            for drawn in random_draws(block, DRAWS, 0):
                point = inner(study, number, drawn)[0]
                family = point.cell.family
                job = Job(point.cell, "", point.values, resources=wants(study)(point))
                found.setdefault((number, family.kind, family.title), job)
    return list(found.values())
