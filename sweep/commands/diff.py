"""`collapse-sweep diff`."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from typing import Any

from search_spaces import load_study
from search_spaces.loading import Setting, differences
from sweep.commands.outcome import DONE
from sweep.terminal import columns


def diff(first: str, second: str, json: bool) -> int:
    """Print the settings in which two studies differ."""
    studies = [load_study(first), load_study(second)]
    found = differences(*studies)
    if json:
        print(jsonlib.dumps(plain(found)))
    elif not found:
        print(f"{first} and {second} say the same")
    else:
        print(settings_table(found, [study.name for study in studies]))
    return DONE


def plain(found: Sequence[Setting]) -> list[dict[str, Any]]:
    """Settings as plain data."""
    return [{"path": one.path, "values": list(one.values)} for one in found]


def settings_table(found: Sequence[Setting], labels: Sequence[str]) -> str:
    """One line per path, one column per study."""
    head = ["setting", *labels]
    return columns([head, *([one.path, *map(shown, one.values)] for one in found)], left=len(head))


def shown(value: Any) -> str:
    """A setting for people."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else jsonlib.dumps(value, ensure_ascii=False)
