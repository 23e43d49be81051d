"""Real data: texts, images and molecules, each embedded, from files or from the hub. Stands on one contract, `base`."""

__all__ = []
