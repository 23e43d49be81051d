"""Linear, Gaussian, discrete and kernel-density models: fits in closed form, thousands of recursions side by side."""
