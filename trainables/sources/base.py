"""`Source`: what all configs of real data have in common."""

from __future__ import annotations

from typing import ClassVar

from pydantic import model_validator

from trainables.config import Config
from trainables.runtime import has_password


class Source(Config):
    """Base of every source of real data. A config is shown in reports and trackers, so it never holds a password."""

    @model_validator(mode="after")
    def _without_passwords(self) -> Source:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, str) and has_password(value):
                raise ValueError(
                    f"{name}: the URL holds a password or a token, which every report would show; give it through "
                    "the environment (AWS_ACCESS_KEY_ID, HF_TOKEN, …) or fsspec's own configuration"
                )
        return self

    PEEK: ClassVar[int] = 16
    """Rows of each file that `peek` looks at."""

    def notes(self) -> list[str]:
        """What `peek` finds, why the data can't be read included."""
        try:
            return self.peek()
        except ValueError as problem:
            return [str(problem)]

    def peek(self) -> list[str]:
        """What is wrong with the first rows of each file, a line each, for whoever plans a study: columns that are not
        there, nothing in it, pictures that can't be read. Reads little, and nothing of a server's.

        Raises:
            ValueError: the data can't be read; one line says which and why.
        """
        return []
