"""Shapes that a curve over generations may follow, L_n = a + b·g(n; c), and their weighted least-squares fits.

Bounded laws are what accumulation gives (Gerstgrasser et al. 2024; Dey & Donoho 2024), logarithmic ones replacement
at growing corpus size (Σ1/i, exactly H_n in FIELD's closed forms), linear ones replacement at fixed size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
FLAT, BOUNDED, LOGARITHMIC, LINEAR, POWER = "flat", "bounded", "logarithmic", "linear", "power"
DIVERGING = frozenset({LOGARITHMIC, LINEAR, POWER})


@dataclass(frozen=True)
class Form:
    """One shape g(n; c).

    Attributes:
        name: of the form, unique.
        law: the class it belongs to.
        text: formula.
        shape: g(n, c).
        grid: values of c that are tried; a best value at either end is rejected. Empty where there is no c.
    """

    name: str
    law: str
    text: str
    shape: Callable[[Array, float], Array]
    grid: tuple[float, ...] = ()

    @property
    def parameters(self) -> int:
        """Fitted numbers, the noise's variance included."""
        return 2 if self.law == FLAT else 4 if self.grid else 3


def _partial(n: Array, power: float) -> Array:
    """Σ_{i≤n} i^−power for whole n; generations are whole."""
    terms = np.arange(1, int(n.max()) + 1, dtype=float) ** -power
    return np.asarray(np.cumsum(terms)[n.astype(int) - 1])


_BOUNDED_GRID = tuple(np.geomspace(0.2, 6, 60).tolist())
_POWER_GRID = tuple(np.geomspace(0.1, 6, 60).tolist())
FORMS = (
    Form("flat", FLAT, "a", lambda n, c: np.zeros_like(n)),
    Form("partial sum", BOUNDED, "a + b·Σ1/i²", lambda n, c: _partial(n, 2.0)),
    Form("approach", BOUNDED, "a − b·n^−c", lambda n, c: -(n**-c), _BOUNDED_GRID),
    Form("logarithm", LOGARITHMIC, "a + b·ln n", lambda n, c: np.log(n)),
    Form("harmonic", LOGARITHMIC, "a + b·Σ1/i", lambda n, c: _partial(n, 1.0)),
    Form("line", LINEAR, "a + b·n", lambda n, c: n),
    Form("power", POWER, "a + b·n^c", lambda n, c: n**c, _POWER_GRID),
)


@dataclass(frozen=True)
class Misfits:
    """Fits of several curves, [curves, forms].

    Attributes:
        squares: weighted residual sums of squares.
        position: of the best fit on the form's grid.
        edge: whether that is an end of the grid.
        rising: whether the fit rises with n.
    """

    squares: Array
    position: npt.NDArray[np.int64]
    edge: npt.NDArray[np.bool_]
    rising: npt.NDArray[np.bool_]


def misfits(curves: Array, generations: Array, weights: Array) -> Misfits:
    """Fit every form to every curve.

    Args:
        curves: [curves, generations].
        generations: their numbers, ascending.
        weights: of the generations, positive.
    """
    directions, owner = _directions(tuple(generations.tolist()), tuple((weights / weights.sum()).tolist()))
    root = np.sqrt(weights / weights.sum())
    centred = (curves - (curves * root**2).sum(axis=1, keepdims=True)) * root
    total = (centred**2).sum(axis=1, keepdims=True)
    along = centred @ directions
    left = np.maximum(total - along**2, 1e-13 * total + 1e-300)  # an exact fit has no logarithm
    squares = np.empty((len(curves), len(FORMS)))
    position = np.zeros((len(curves), len(FORMS)), dtype=np.int64)
    edge, rising = (np.zeros((len(curves), len(FORMS)), dtype=bool) for _ in range(2))
    for i, form in enumerate(FORMS):
        own = left[:, owner == i]
        position[:, i] = own.argmin(axis=1)
        squares[:, i] = own.min(axis=1)
        rising[:, i] = along[:, owner == i][np.arange(len(curves)), position[:, i]] > 0
        if form.grid:
            edge[:, i] = (position[:, i] == 0) | (position[:, i] == len(form.grid) - 1)
    return Misfits(squares, position, edge, rising)


@lru_cache(maxsize=512)
def _directions(generations: tuple[float, ...], weights: tuple[float, ...]) -> tuple[Array, npt.NDArray[np.int64]]:
    """Unit vectors of all shapes, weighted and orthogonal to the constant, [generations, shapes]; whose each is."""
    n, w = np.array(generations), np.array(weights)
    columns, owner = [], []
    for i, form in enumerate(FORMS):
        for c in form.grid or (1.0,):
            shape = form.shape(n, c)
            column = (shape - (shape * w).sum()) * np.sqrt(w)
            length = np.linalg.norm(column)
            columns.append(column / length if length > 0 else column)
            owner.append(i)
    return np.stack(columns, axis=1), np.array(owner)


def scores(squares: Array, generations: int) -> Array:
    """AICc of each fit (Hurvich & Tsai 1989), [..., forms]; +inf where there are too few generations for a form."""
    count = np.array([form.parameters for form in FORMS])
    room = generations - count - 1
    with np.errstate(divide="ignore"):
        plain = generations * np.log(squares / generations) + 2 * count
    return np.where(room > 0, plain + 2 * count * (count + 1) / np.maximum(room, 1), np.inf)
