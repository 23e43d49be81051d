"""What is planted in files and in the environment, to see whether it comes alive or comes out."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path


class Evil:
    """When unpickled, it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def evil_pickle(mark: Path) -> bytes:
    """A pickle that makes the folder `mark` when it is loaded."""
    return pickle.dumps(Evil(mark))


def evil_torch(mark: Path) -> bytes:
    """A torch checkpoint, as `torch.save` lays it out, whose pickle makes the folder `mark`."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", evil_pickle(mark))
        archive.writestr("archive/version", "3\n")
    return data.getvalue()


def evil_npy(mark: Path) -> bytes:
    """A numpy array of objects whose pickle makes the folder `mark`."""
    import numpy as np

    data = io.BytesIO()
    np.save(data, np.array([Evil(mark)], dtype=object), allow_pickle=True)
    return data.getvalue()
