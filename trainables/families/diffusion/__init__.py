"""Diffusion family: conformers of given molecular graphs, by an E(3)-equivariant denoiser."""
