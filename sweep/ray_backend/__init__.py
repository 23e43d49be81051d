"""The only packages of Ray: clusters, trials, workers that die, shipped code. Only entered when something runs."""

from sweep.ray_backend.code_shipping import packed
from sweep.ray_backend.security import send_token
from sweep.ray_backend.tune_first_trials import run_tuning

__all__ = [
    "nodes",
    "packed",
    "run_tuning",
    "send_token",
    "tuner",
]
