"""Image sets: embedded, from files, or from the hub."""

from trainables.sources.images.base import IMAGE_SOURCES, ImageSource
from trainables.sources.images.embedded import Digits
from trainables.sources.images.pixels import LABEL, Pixels
from trainables.sources.images.splits import Images, load

__all__ = [
    "IMAGE_SOURCES",
    "LABEL",
    "Digits",
    "ImageSource",
    "Images",
    "Pixels",
    "load",
]
