"""The words of a search space (grids, ranges, choices) and the conditions under which a path applies."""

from search_spaces.space import conditions
from search_spaces.space.conditions import Space, applies, drawn_apart, drawn_words, in_order
from search_spaces.space.words import WORDS, Choice, Grid, Range, Word, parse_word, when

__all__ = [
    "WORDS",
    "Choice",
    "Grid",
    "Range",
    "Space",
    "Word",
    "applies",
    "conditions",
    "drawn_apart",
    "drawn_words",
    "in_order",
    "parse_word",
    "when",
]
