"""From a study to its cells."""

from search_spaces.expansion.combinations import every_combination
from search_spaces.expansion.falsify import expected, explored, independent, retest
from search_spaces.expansion.points import (
    Point,
    Values,
    build,
    check,
    expand,
    inner,
    is_open,
    place,
    put,
    random_draws,
)
from search_spaces.expansion.tune_first import Tuning, frozen, tunings

__all__ = [
    "Point",
    "Tuning",
    "Values",
    "build",
    "check",
    "every_combination",
    "expand",
    "expected",
    "explored",
    "frozen",
    "independent",
    "inner",
    "is_open",
    "place",
    "put",
    "random_draws",
    "retest",
    "tunings",
]
