"""Open searches: Optuna suggests cells, is told what they came to, and stops the hopeless ones early."""

from sweep.search import summary
from sweep.search.early_stopping import Stopping, cautions
from sweep.search.falsification import FalsifySource, hunts
from sweep.search.optuna_source import OptunaSource
from sweep.search.sources import open_searches
from sweep.search.storage import known_journal, ready_journal
from sweep.search.warm_start import warm_up

__all__ = [
    "FalsifySource",
    "OptunaSource",
    "Stopping",
    "cautions",
    "hunts",
    "known_journal",
    "open_searches",
    "ready_journal",
    "summary",
    "warm_up",
]
