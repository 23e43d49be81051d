"""Hyperparameters that are tuned at generation 1 before a study's policies are compared."""

from sweep.tune_first.run import FITS, settle
from sweep.tune_first.state import Standing, Tuned, presumed, settled, standing, tuned, untried

__all__ = [
    "FITS",
    "Standing",
    "Tuned",
    "presumed",
    "settle",
    "settled",
    "standing",
    "tuned",
    "untried",
]
