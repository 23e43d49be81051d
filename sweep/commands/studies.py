"""`collapse-sweep studies`."""

from __future__ import annotations

import json as jsonlib

from search_spaces.studies import STUDIES, named_study


def studies(json: bool) -> int:
    """List the named studies."""
    found = {name: named_study(name).description for name in STUDIES}
    if json:
        print(jsonlib.dumps([{"name": name, "description": text} for name, text in found.items()]))
        return 0
    width = max(map(len, found))
    for name, text in found.items():
        print(f"{name:<{width}}  {text}")
    return 0
