"""Many recursions of one autoencoder side by side."""

from trainables.families.vae.replicates.batched import Replicate, Together, fit
from trainables.families.vae.replicates.recursions import Vaes

__all__ = ["Replicate", "Together", "Vaes", "fit"]
