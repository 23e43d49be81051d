"""Packages that not everyone installs: which extra brings each, and one line for who lacks it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

EXTRAS = {
    "PIL": "images",
    "diffusers": "molecules",
    "flask_wtf": "auth",
    "mlxtend": "images",
    "peft": "lora",
    "psycopg": "postgres",
    "qm9pack": "qm9",
    "rdkit": "molecules",
    "s3fs": "s3",
    "wandb": "wandb",
}
"""The extra that brings a module; any other is installed by its own name."""


def require(package: str, user: str, error: type[Exception] = ValueError) -> None:
    """Refuse what needs a package that is not installed; nothing is imported.

    Args:
        package: as it is imported.
        user: what needs it, as in "family: diffusion"; the line begins with it.
        error: what is raised.
    """
    if importlib.util.find_spec(package) is None:
        raise error(_lacking(package, user))


def required_version(package: str, user: str) -> str:
    """The installed version of a package; refused as by `require`."""
    require(package, user)
    return version(package)


@contextmanager
def required_by(user: str, error: type[Exception] = ValueError) -> Iterator[None]:
    """Whatever is imported here and not installed is refused as by `require`."""
    try:
        yield
    except ModuleNotFoundError as problem:
        raise error(_lacking(problem.name or str(problem), user)) from None


def _lacking(package: str, user: str) -> str:
    wanted = f'"collapse-sweep[{EXTRAS[package]}]"' if package in EXTRAS else package
    return f"{user}: needs {package}, which is not installed; pip install {wanted}"
