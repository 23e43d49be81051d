"""Linear, Gaussian, discrete and kernel-density models: fits in closed form, thousands of recursions side by side."""

from trainables.families.replicate_summary import summarise

__all__ = ["summarise"]
