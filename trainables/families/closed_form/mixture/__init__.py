"""Mixtures of two Gaussians, fitted by expectation maximisation."""
