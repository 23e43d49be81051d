"""The eight published definitions of collapse, one module each, named here.

Schaeffer et al. 2025, "Position: Model Collapse Does Not Mean What You Think" (arXiv 2503.03150), list them; the
statistics and tests are this project's.
"""

from __future__ import annotations

import importlib

from analysis.definitions.base import Definition

_MODULES = (
    "catastrophic_increase",
    "any_increase",
    "diverging_risk",
    "collapsing_variance",
    "changed_scaling",
    "entangled_modes",
    "lost_tail",
    "hallucinated_data",
)


def definitions() -> list[Definition]:
    """All definitions, in the literature's order."""
    found: list[Definition] = [importlib.import_module(f"analysis.definitions.{name}").DEFINITION for name in _MODULES]
    return found


def definition(name: str) -> Definition:
    """A definition by number or name: `definition("7")`, `definition("lost_tail")`.

    Raises:
        ValueError: no such definition.
    """
    for found in definitions():
        if name in (str(found.number), found.name):
            return found
    known = ", ".join(f"{d.number} {d.name}" for d in definitions())
    raise ValueError(f"definition: no {name!r} (known: {known})")
