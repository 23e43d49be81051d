"""The science of recursive training: cells, policies, families and the generation loop.

Runs without Ray or MLflow (`tune.py` excepted). Importing it loads neither torch nor transformers.
"""

from trainables.cell import Cell, Fork, Record
from trainables.errors import CollapseSweepError
from trainables.recursion import CellFailed, run

__all__ = ["Cell", "CellFailed", "CollapseSweepError", "Fork", "Record", "run"]
