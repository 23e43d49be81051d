"""What a search may seek, by name: `STATISTIC[:ARGUMENT][:POLICY]`. `sweep.search.objectives` takes them of cells."""

from __future__ import annotations

OBJECTIVES = {
    "final_loss": "held-out loss of the last generation",
    "first_loss": "held-out loss of generation 1",
    "growth": "least-squares slope of the held-out loss per generation",
    "growth_ratio": "held-out loss of the last generation over that of generation 1",
    "flops": "floating-point operations of the whole recursion, as if nothing were shared",
    "growth_gap": "growth under one policy less growth under another, on the same seeds",
    "time_to_collapse": "mean generations until collapse, up to the last one (restricted mean survival time)",
    "definition": "the statistic of a definition of collapse, by number or name",
}
"""Name -> what it is."""

METRICS = ("final_loss", "growth", "growth_ratio")
"""Objectives that a cell has at every generation, of the generations so far."""
