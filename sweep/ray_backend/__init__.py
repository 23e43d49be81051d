"""The only packages of Ray: clusters, trials, workers that die, shipped code. Only entered when something runs.

The door loads no Ray: what a client sends to a head is decided before Ray is imported (`send_token`). `head_watch`,
`nodes`, `tuner` and `tune_first_trials` import it.
"""

from sweep.ray_backend.code_shipping import packed
from sweep.ray_backend.security import send_token

__all__ = [
    "head_watch",
    "nodes",
    "packed",
    "send_token",
    "tune_first_trials",
    "tuner",
]
