"""How far a corrector of rows goes."""

from __future__ import annotations


def share_moved(strength: float) -> float:
    """γ/(1 + γ), of the way to the data (Gillman et al. 2024, arXiv 2402.07087)."""
    return strength / (1 + strength)
