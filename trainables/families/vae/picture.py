"""A grid of images as a PNG."""

from __future__ import annotations

import io

import numpy as np

SHORTEST_SIDE = 512
"""Pixels of the grid's side, about: small images are enlarged by whole factors."""


def grid(images: np.ndarray, columns: int = 8) -> bytes:
    """Images of bytes, [rows, height, width, 1 or 3], side by side with a border of one pixel, as PNG."""
    from PIL import Image

    rows = -(-len(images) // columns)
    height, width, channels = images.shape[1:]
    canvas = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), 128, np.uint8)
    for number, image in enumerate(images):
        top, left = (number // columns) * (height + 1) + 1, (number % columns) * (width + 1) + 1
        canvas[top : top + height, left : left + width] = image
    factor = max(1, SHORTEST_SIDE // canvas.shape[1])
    large = canvas.repeat(factor, axis=0).repeat(factor, axis=1)
    picture = Image.fromarray(large[..., 0] if channels == 1 else large)
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()
