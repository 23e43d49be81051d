"""Studies and cells from YAML files, with the place of every mistake."""

from search_spaces.loading.study import load_cell, load_study

__all__ = [
    "load_cell",
    "load_study",
]
