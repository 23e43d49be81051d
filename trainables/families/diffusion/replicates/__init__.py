"""Many recursions of one denoiser side by side."""

from trainables.families.diffusion.replicates.recursions import Diffusions
from trainables.families.diffusion.replicates.training import Replicate, fit

__all__ = ["Diffusions", "Replicate", "fit"]
