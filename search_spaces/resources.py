"""`Resources`: what a trial asks of the machine it runs on. A matter of execution: it is in no key and changes no
record, except that sums over another number of threads differ in their last digits.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from trainables.config import Config

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


class Resources(Config):
    """What each trial reserves. What is left out is taken from the study's own `resources`, then from the family.

    Attributes:
        cpu: cores; as many threads work for the trial.
        gpu: share of one accelerator, or several whole ones; `auto`: none for closed forms, and for networks, where
            there are GPUs, the share that their memory needs.
        accelerator: type of accelerator by Ray's name, as H100, A100-40G, L4.
        memory: main memory, in bytes or as 2GiB.
    """

    cpu: int | None = Field(default=None, ge=1)
    gpu: Literal["auto"] | float | None = Field(default=None)
    accelerator: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    memory: int | None = Field(default=None, ge=1)

    @field_validator("gpu")
    @classmethod
    def _share(cls, value: Any) -> Any:
        if isinstance(value, float) and (value < 0 or (value > 1 and value != int(value))):
            raise ValueError(f"a share from 0 to 1, a whole number of GPUs, or auto is needed, not {value:g}")
        return value

    @field_validator("memory", mode="before")
    @classmethod
    def _bytes(cls, value: Any) -> Any:
        return size(value) if isinstance(value, str) else value

    def over(self, other: Resources) -> Resources:
        """These, and from `other` what is left out here."""
        mine = {name: value for name, value in self.canonical().items() if value is not None}
        return Resources.model_validate(other.canonical() | mine)


def size(text: str) -> int:
    """Bytes of a text such as 2GiB, 500 MB.

    Raises:
        ValueError: it is no size.
    """
    found = _SIZE.fullmatch(text)
    if not found or found[2] not in UNITS:
        raise ValueError(f"a size such as 2GiB or 500MB is needed, not {text!r}")
    return int(float(found[1]) * UNITS[found[2]])
