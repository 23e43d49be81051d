"""CPU kernels of the denoiser. The door holds what the reference denoiser itself uses; the compiled denoiser
(`cpu.denoiser`) is built on that one and is imported by its own name, so that no import goes in a circle.
"""

from trainables.families.diffusion.cpu.messages import pull_and_sum

__all__ = ["pull_and_sum"]
