"""Linear, Gaussian, discrete and kernel-density models: fits in closed form, thousands of recursions side by side."""

from trainables.families.closed_form.replicate_summary import summarise

__all__ = ["summarise"]
