"""What to run: studies, search spaces and ladders. Loads neither Ray nor torch."""

from search_spaces.errors import StudyError
from search_spaces.expansion import Point, expand
from search_spaces.loading import load_study
from search_spaces.search import FalsifySearch, GridSearch, OptunaSearch, RandomSearch
from search_spaces.space import Choice, Grid, Range, when
from search_spaces.study import Block, Study, StudyBudget

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
