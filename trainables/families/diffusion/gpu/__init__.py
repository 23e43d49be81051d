"""Denoisers on a GPU: updates and steps of the reverse process as recorded work on tensors that stay there. The
reference paths are `fit.py` and `process.py`; on any device both give the same, up to rounding.
"""

from trainables.families.diffusion.gpu.reverse import can_record, reversed_in_place
from trainables.families.diffusion.gpu.update import RecordedUpdate, can_stay

__all__ = ["RecordedUpdate", "can_record", "can_stay", "reversed_in_place"]
