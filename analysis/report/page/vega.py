"""The scripts that draw a page's charts: Vega, Vega-Lite and Vega-Embed as one, which takes seconds to put together."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from trainables.runtime import write_whole


def script() -> str:
    """All three, in a scope of their own: they declare hundreds of short names."""
    return f"(()=>{{{_kept() or _made()}}})();"


def _folder() -> Path:
    return Path(user_cache_dir("collapse-sweep", appauthor=False), "vega", version("vl-convert-python"))


def _kept() -> str | None:
    """What an earlier report has put together; its file bears its digest, so that a torn one is not used."""
    with suppress(OSError):
        for path in _folder().glob("*.js"):
            text = path.read_bytes()
            if hashlib.sha256(text).hexdigest() == path.stem:
                return text.decode()
    return None


def _made() -> str:
    import vl_convert

    bundle: Any = vl_convert.javascript_bundle  # its stub asks for a snippet that it does not need
    text: str = bundle()
    with suppress(OSError):  # no such folder: every report makes its own
        write_whole(_folder() / f"{hashlib.sha256(text.encode()).hexdigest()}.js", text)
    return text
