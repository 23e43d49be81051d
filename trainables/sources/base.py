"""`Source`: what all configs of real data have in common."""

from __future__ import annotations

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
