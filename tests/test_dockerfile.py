"""The Dockerfile copies what the package is made of, installs pinned versions and runs as nobody in particular."""

from __future__ import annotations

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
KNOWN = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments, continued lines joined, comments left out."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def test_every_instruction_is_one_and_the_first_names_a_version() -> None:
    found = instructions()
    assert {name for name, _ in found} <= KNOWN
    assert found[0][0] == "FROM"
    assert re.fullmatch(r"python:3\.\d+-slim", found[0][1])
    version = found[0][1].removeprefix("python:").removesuffix("-slim")
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert tuple(map(int, version.split("."))) >= tuple(map(int, needed.removeprefix(">=").split(".")))


def test_what_is_copied_is_there_and_is_the_whole_package() -> None:
    copied = [word for name, words in instructions() if name == "COPY" for word in words.split()[:-1]]
    assert all((ROOT / word).exists() for word in copied)
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = built["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*packages, "pyproject.toml", built["project"]["readme"]} <= set(copied)
    kept = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"]
    assert all(any(fnmatch(word, pattern) for pattern in kept) for word in copied), "not sent to the builder"


def test_versions_are_pinned_torch_comes_from_the_chosen_index_and_extras_exist() -> None:
    found = instructions()
    installs = [words for name, words in found if name == "RUN" and "pip install" in words]
    assert len(installs) == 2
    assert all("-c constraints.txt" in words for words in installs)
    assert '--index-url "$TORCH_INDEX"' in installs[0]
    given = dict(words.split("=", 1) for name, words in found if name == "ARG")
    assert given["TORCH_INDEX"].endswith("/cpu"), "a CPU image unless asked otherwise"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(given["EXTRAS"].split(",")) <= set(extras)


def test_it_runs_the_command_without_rights_of_root() -> None:
    found = instructions()
    users = [words for name, words in found if name == "USER"]
    assert users == ["sweep"]
    assert found.index(("USER", "sweep")) > max(i for i, (name, _) in enumerate(found) if name == "RUN")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert json.loads(dict(found)["ENTRYPOINT"]) == [*scripts]
