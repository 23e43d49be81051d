"""What to run: studies, search spaces and ladders. Loads neither Ray nor torch."""

from search_spaces.errors import StudyError
from search_spaces.expand import Point, expand
from search_spaces.falsify import FalsifySearch
from search_spaces.loading import load_study
from search_spaces.search import GridSearch, OptunaSearch, RandomSearch
from search_spaces.study import Block, Study, StudyBudget
from search_spaces.words import Choice, Grid, Range, when

__all__ = [
    "Block",
    "Choice",
    "FalsifySearch",
    "Grid",
    "GridSearch",
    "OptunaSearch",
    "Point",
    "RandomSearch",
    "Range",
    "Study",
    "StudyBudget",
    "StudyError",
    "expand",
    "load_study",
    "when",
]
