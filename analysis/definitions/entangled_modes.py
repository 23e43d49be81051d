"""Definition 6: modes of the real distribution become entangled."""

from __future__ import annotations

from analysis.definitions.base import Case, Definition, Measure, mean_of, unsupported
from analysis.stats import first, last


def measure(case: Case, threshold: float) -> Measure:
    """Rise of the share of samples that belong to no single mode; above τ is met."""
    overlap = case.first_of("overlap")
    if overlap is None:
        return unsupported("no modes are recorded")
    return mean_of(last(overlap.values) - first(overlap.values), threshold, case, overlap.metric)


DEFINITION = Definition(
    number=6,
    name="entangled_modes",
    title="entanglement of modes",
    statistic="rise of the share between modes",
    threshold=0.1,
    grid=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    meaning="τ, rise of the share between modes",
    beyond="above",
    measure=measure,
)
