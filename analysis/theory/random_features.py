"""Ridge on random features of labels that several teachers gave: deterministic equivalents of ‖ŵ_n − w*‖²_Σ.

Settings of Dohmatob, Feng & Kempe 2024, "Model collapse demystified" (arXiv 2402.07712), and Dohmatob, Feng,
Subramonian & Kempe 2024, "Strong model collapse" (arXiv 2410.04840). In white coordinates u = Σ^½w, a fit on parts of
n_i rows with teachers u_i is û = ΣA_i·u_i + noise. With D = Σ(Σ + κ)⁻¹, t1 = tr D, t2 = tr D², p_i = n_i/n and

    κ(1 − t1/m)(1 − t1/n) = penalty,    a = D(1 − D)/√(m − t2)  (0 where m is infinite)
    [B M B] = D²M + a·tr(aM),           [(1 − B)M(1 − B)] = (1 − D)²M + a·tr(aM)
    V = [B²]/(n − tr [B²])

the diagonals of E A_i and E A_i M A_jᵀ are, to leading order in the dimension,

    p_i·D,    p_i·p_j·([B M B] + V·(tr [(1 − B)M(1 − B)] − tr M)) + 1{i = j}·p_i·tr M·V

and noise adds Σp_i·σ_i²·V. Rows of a part are exchangeable: what differs between i = j and i ≠ j is one row seen twice.
Moments of teachers are carried from generation to generation, so that the recursion is closed where no model is fitted
again on inputs that its teacher has seen. Diagonals are enough, since signs
of the target are random.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.theory.curve import Curve
from analysis.theory.history import REAL, History, Share, Source

SOURCE = "deterministic equivalents, leading order in dim; Dohmatob et al. 2024, arXiv 2402.07712 and 2410.04840"


def kappa(spectrum: np.ndarray, penalty: float, rows: float, width: float = math.inf) -> float:
    """The κ that solves κ(1 − t1/m)(1 − t1/n) = penalty; `width` m and `rows` n may be infinite."""
    from scipy.optimize import brentq

    def gap(log: float) -> float:
        value = math.exp(log)
        degrees = float((spectrum / (spectrum + value)).sum())
        return value * max(1 - degrees / width, 0.0) * max(1 - degrees / rows, 0.0) - penalty

    low = high = math.log(penalty)
    while gap(high) < 0:
        high += 1.0
    return math.exp(float(brentq(gap, low, high, xtol=1e-14, rtol=1e-14))) if high > low else penalty


@dataclass(frozen=True)
class Fit:
    """Deterministic equivalents of one fit.

    Attributes:
        mean: D, [dim].
        coupling: a, [dim].
        spread: V, [dim].
    """

    mean: np.ndarray
    coupling: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, spectrum: np.ndarray, penalty: float, rows: float, width: float = math.inf) -> Fit:
        """Ridge of this penalty on `rows` rows and `width` features; either may be infinite."""
        mean = spectrum / (spectrum + kappa(spectrum, penalty, rows, width))
        finite = width < math.inf
        coupling = mean * (1 - mean) / math.sqrt(width - (mean**2).sum()) if finite else np.zeros_like(mean)
        square = mean**2 + coupling * coupling.sum()
        return cls(mean, coupling, square / (rows - square.sum()))

    def kept(self, moment: np.ndarray) -> np.ndarray:
        """[A M Aᵀ] of two parts, but for their shares; M is diagonal, [dim]."""
        through = self.mean**2 * moment + self.coupling * (self.coupling @ moment)
        lost = (1 - self.mean) ** 2 @ moment + self.coupling.sum() * (self.coupling @ moment)
        found: np.ndarray = through + self.spread * (lost - moment.sum())
        return found


class Teachers:
    """Second moments of what labels rows, by eigenvalue: the truth, a surrogate of it, and models by number."""

    def __init__(self, family: Any) -> None:
        self.distortion = np.full(family.dim, family.distortion / family.dim)
        self.surrogate = family.labeller == "surrogate"
        self._energy = family.energy
        self._pairs: dict[tuple[int, int], np.ndarray] = {}

    def of(self, source: Source) -> int:
        """Who labelled a batch: 0 is the truth, −1 the surrogate."""
        if not isinstance(source, int) or source == REAL:
            return 0
        return -1 if self.surrogate else source

    def product(self, one: int, other: int) -> np.ndarray:
        """E[u_one,k·u_other,k], [dim]."""
        if one > 0 or other > 0:
            return self._pairs[min(one, other), max(one, other)]
        worse = self.distortion if one == other == -1 else 0.0
        found: np.ndarray = self._energy + worse
        return found

    def fitted(self, model: int, parts: Sequence[Labelled], fit: Fit) -> float:
        """Takes note of a model that is fitted on such parts; its expected error."""
        others = range(-1, 1) if self.surrogate else range(model)
        for other in others:
            mixed = sum((part.share * self.product(part.teacher, other) for part in parts), np.zeros(len(fit.mean)))
            self._pairs[other, model] = fit.mean * mixed
        self._pairs[model, model] = self._square(parts, fit)
        moment = self._pairs[model, model] - 2 * self._pairs[0, model] + self._energy
        return float(moment.sum())

    def _square(self, parts: Sequence[Labelled], fit: Fit) -> np.ndarray:
        total = np.zeros(len(fit.mean))
        for one in parts:
            for other in parts:
                total += one.share * other.share * fit.kept(self._moment(one, other))
            total += one.share * (self._moment(one, one).sum() + one.noise) * fit.spread
        return total

    def _moment(self, one: Labelled, other: Labelled) -> np.ndarray:
        own = one is other and one.teacher > 0
        return self.product(one.teacher, other.teacher) + (self.distortion if own else 0.0)


@dataclass(frozen=True)
class Labelled:
    """A part of a corpus.

    Attributes:
        teacher: as `Teachers.of` has it.
        share: p, of the rows.
        noise: variance of a label about its teacher.
    """

    teacher: int
    share: float
    noise: float


def curves(family: Any, rows: int, past: History) -> list[Curve]:
    """`test_loss`, up to the generation where inputs return that a teacher has seen."""
    if past.members > 1:
        return []
    teachers, seen, values = Teachers(family), set[Source](), []
    for number, shares in enumerate(past.corpora, start=1):
        held = _held(shares, past)
        if held is None or not _independent(family, number, held, seen):
            break
        seen |= held.keys()
        total = sum(held.values())
        parts = [
            Labelled(teachers.of(source), count / total, family.noise**2 * past.bias.get(source, 1.0))
            for source, count in held.items()
        ]
        fit = Fit.of(family.spectrum, family.penalty, total, family.width or math.inf)
        values.append(teachers.fitted(number, parts, fit))
    return [Curve("test_loss", tuple(values), SOURCE)]


def _held(shares: Sequence[Share], past: History) -> dict[Source, int] | None:
    """Rows of each batch; None where rows are drawn at random, weighted apart, or there twice."""
    found: dict[Source, int] = {}
    plain = len({share.weight for share in shares}) == 1 and all(share.how in ("all", "first") for share in shares)
    for share in shares:
        left = share.rows
        for source in share.sources:
            count = min(left, past.sizes[source])
            left -= count
            if source in found:
                return None
            if count:
                found[source] = count
    return found if plain else None


def _independent(family: Any, number: int, held: dict[Source, int], seen: set[Source]) -> bool:
    """Whether no teacher has seen inputs, or features, of the fit."""
    if family.labeller == "surrogate" or number == 1:
        return True
    kept = family.features == "shared" and family.width is not None
    return not kept and not seen & held.keys()
