"""Many recursions of one language model side by side."""

from trainables.families.language.replicates.recursions import Languages
from trainables.families.language.replicates.training import Replicate, fit

__all__ = ["Languages", "Replicate", "fit"]
