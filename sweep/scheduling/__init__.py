"""Where every cell of a study stands and which one runs next: the driver's state, without Ray."""

from sweep.scheduling.artifact_pruner import Pruner
from sweep.scheduling.board import Board
from sweep.scheduling.budget import Spending
from sweep.scheduling.cost import Work, cell_work, real_batches
from sweep.scheduling.job import Failure, Job, Stage, make_job, stage, title
from sweep.scheduling.listener import Listener
from sweep.scheduling.stored_progress import asker, read_records, settle
from sweep.scheduling.suggestion import Later, Suggestion, SuggestionSource

__all__ = [
    "Board",
    "Failure",
    "Job",
    "Later",
    "Listener",
    "Pruner",
    "Spending",
    "Stage",
    "Suggestion",
    "SuggestionSource",
    "Work",
    "asker",
    "cell_work",
    "make_job",
    "read_records",
    "real_batches",
    "settle",
    "stage",
    "title",
]
