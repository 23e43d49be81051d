"""Conformers of molecules by a denoising diffusion model, after GeoDiff."""
