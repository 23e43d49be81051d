"""From a study to its cells."""

from search_spaces.expansion import falsify
from search_spaces.expansion.falsify import explored, independent, retest
from search_spaces.expansion.points import (
    Point,
    Values,
    build,
    check,
    drawn_words,
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
    "drawn_words",
    "expand",
    "explored",
    "falsify",
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
