"""What a report opens with: what the study is, one answer a policy, and the picture that shows it."""

from analysis.report.opening.answers import Answer, answers_of
from analysis.report.opening.corpora import Bar, Strip
from analysis.report.opening.facts import Facts, facts_of
from analysis.report.opening.overview import picture_of

__all__ = [
    "Answer",
    "Bar",
    "Facts",
    "Strip",
    "answers_of",
    "facts_of",
    "picture_of",
]
