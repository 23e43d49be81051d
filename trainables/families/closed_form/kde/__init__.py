"""Gaussian kernel density estimates of two- and three-dimensional shapes, many recursions side by side."""
