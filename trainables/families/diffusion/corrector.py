"""Where conformers are moved to: the nearest real one of the same graph."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from trainables.sources.molecules import Conformers


def corrected(made: Conformers, real: Conformers, way: float) -> tuple[Conformers, float]:
    """Conformers at `way` between themselves and the nearest real one of their labelled graph, which is superposed on
    them first; one whose graph no real row has stays where it is.

    Returns:
        As many rows, and the root mean square distance of an atom from where it was, in ångström.
    """
    known: dict[bytes, list[np.ndarray]] = defaultdict(list)
    for row in range(len(real)):
        known[real.graph(row).key].append(real.place(row))
    steps = np.zeros_like(made.positions)
    for row in range(len(made)):
        places = known.get(made.graph(row).key)
        if places is not None:
            atoms = slice(made.atoms[row], made.atoms[row + 1])
            steps[atoms] = way * (nearest(made.place(row), np.stack(places)) - made.place(row))
    return made.moved(made.positions + steps), float(np.sqrt((steps.astype(float) ** 2).sum(axis=1).mean()))


def nearest(place: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of conformers [k, n, 3] the one of least RMSD from `place`, [n, 3], where it lies best on it.

    Best over rigid motions without reflections (Kabsch 1976).
    """
    centre = place.mean(axis=0)
    here, there = place - centre, places - places.mean(axis=1, keepdims=True)
    left, _, right = np.linalg.svd((there.swapaxes(1, 2) @ here).astype(float))
    left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    laid = there @ (left @ right)
    best = ((laid - here) ** 2).sum(axis=(1, 2)).argmin()
    found: np.ndarray = laid[best] + centre
    return found
