"""Studies and cells from YAML files, with the place of every mistake."""

from search_spaces.loading.difference import Setting, differences
from search_spaces.loading.reference import reference as reference_page
from search_spaces.loading.schema import SCHEMA_FILES, SCHEMA_KEY, SCHEMAS, schema_text
from search_spaces.loading.study import load_cell, load_study
from search_spaces.loading.template import template as study_template

__all__ = [
    "SCHEMAS",
    "SCHEMA_FILES",
    "SCHEMA_KEY",
    "Setting",
    "differences",
    "load_cell",
    "load_study",
    "reference_page",
    "schema_text",
    "study_template",
]
