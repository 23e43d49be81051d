"""The tree that a stranger reads from `ls`: few modules a folder, one entrance a package, no import in a circle."""

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from search_spaces.studies import named_study
from trainables.families import FAMILIES, recorded

ROOT = Path(__file__).parents[1]
ROOMS = ("trainables", "search_spaces", "analysis", "sweep")
FLAT = {"trainables": 8, "search_spaces": 6, "analysis": 3, "sweep": 8}
"""Modules at most beside a room's packages, its `__init__` and `__main__` aside."""
REGISTRIES = {
    "trainables/policies",
    "search_spaces/studies",
    "analysis/report/sections",
    "sweep/commands",
    "analysis/definitions",
}
"""Folders of many small modules of one kind, which one registry names."""
OWN_NAME = {
    "trainables.families.base": "the family contract, which every family implements",
    "trainables.runtime.jit": "loads numba, so only kernels import it",
    "trainables.runtime.jit_math": "as `jit`",
    "trainables.families.diffusion.cpu.denoiser": "is built on the reference denoiser, which uses its package's door",
}
"""Modules that are imported past their package's door, and why."""


HALLS = {"trainables.sources", "trainables.families"}
"""Packages of packages: each of these has a door of its own."""


class Import(NamedTuple):
    """`from module import name` somewhere; `at_runtime` unless only type checkers see it."""

    by: str
    module: str
    name: str
    at_runtime: bool


def modules() -> dict[str, Path]:
    """Every module of the four rooms by its dotted name."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in paths}


MODULES = modules()
PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def imports_of(name: str) -> Iterator[Import]:
    """What a module imports from the rooms when it is loaded, or inside functions too."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    outer = {node for node in tree.body if isinstance(node, ast.ImportFrom)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ROOMS:
            for alias in node.names:
                yield Import(name, node.module, alias.name, node in outer)


def target(found: Import) -> str:
    """The module that is really meant: `from package import module` means the module."""
    inner = f"{found.module}.{found.name}"
    return inner if inner in MODULES else found.module


def exported(package: str) -> set[str]:
    """`__all__` of a package."""
    for node in ast.parse(MODULES[package].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def door(by: str, wanted: str) -> str:
    """The module or package through which `by` may reach `wanted`: next to one of its own packages, or a room's."""
    own = by.split(".") if by in PACKAGES else by.split(".")[:-1]
    parts = wanted.split(".")
    shared = 0
    while shared < min(len(own), len(parts)) and own[shared] == parts[shared]:
        shared += 1
    entrance = ".".join(parts[: max(shared + 1, 2)])
    return ".".join(parts[:3]) if entrance in HALLS else entrance


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_few_flat_modules(room):
    flat = {path.stem for path in (ROOT / room).glob("*.py")} - {"__init__", "__main__"}
    assert len(flat) <= FLAT[room], sorted(flat)


@pytest.mark.parametrize("package", sorted(PACKAGES - set(ROOMS)))
def test_a_folder_holds_at_most_fifteen_modules(package):
    folder = MODULES[package].parent
    own = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    if str(folder.relative_to(ROOT)) not in REGISTRIES:
        assert len(own) <= 15, sorted(own)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_package_is_entered_by_its_door(name):
    """Whoever stands outside a package imports what its `__all__` names, or a module that `__all__` names."""
    past = []
    for found in imports_of(name):
        wanted = target(found)
        entrance = door(name, wanted)
        if wanted == entrance or wanted in OWN_NAME:
            continue
        if entrance.replace(".", "/") in REGISTRIES and found.by.startswith(entrance.rpartition(".")[0]):
            continue  # a registry's module, by its own room
        if wanted == f"{entrance}.{found.name}" and found.name in exported(entrance):
            continue  # a module that the package offers as a namespace
        past.append(f"from {found.module} import {found.name}")
    assert past == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_what_is_imported_from_a_door_is_offered_there(name):
    hidden = [
        f"{found.module}: {found.name}"
        for found in imports_of(name)
        if found.module in PACKAGES and found.module not in name and f"{found.module}.{found.name}" not in MODULES
        if found.name not in exported(found.module)
    ]
    assert hidden == []


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_no_door_offers_a_function_by_the_name_of_a_module(package):
    """`import package.name as module` would find the function."""
    source = MODULES[package].read_text(encoding="utf-8")
    modules_below = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == package}
    functions = {
        alias.asname or alias.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and node.module != package
        for alias in node.names
    }
    assert functions & modules_below == set()


@pytest.mark.parametrize("room", ROOMS)
def test_the_floors_name_every_package_of_a_room(room):
    """A package that no floor names could import whatever it likes."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (floors,) = (c["layers"] for c in contracts if c["name"] == f"floors of {room}")
    named = {name for floor in floors for name in re.split(r"[|: ]+", floor)}
    packages = {name for name in PACKAGES if name.count(".") == 1 and name.startswith(f"{room}.")}
    assert packages - named == ({"analysis.theory"} if room == "analysis" else set())
    assert named <= set(MODULES)


def test_no_import_goes_in_a_circle():
    """Between files, as they are loaded; what is imported inside a function is not counted."""
    graph = {
        name: {target(found) for found in imports_of(name) if found.at_runtime and target(found) in MODULES} - {name}
        for name in MODULES
    }
    graphlib.TopologicalSorter(graph).prepare()


ASKS_FIRST = {"sweep.commands.doctor"}
"""What tells whether our own packages are there before it uses them."""
LIGHT = {"numpy", "pydantic", "typer", "yaml", "filelock"} | sys.stdlib_module_names
"""What any module may load."""


def statements(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """What is imported when a module is loaded."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            yield from statements(node.orelse)
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
            yield from statements(node.body)


def meant(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that an import names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [target(Import("", node.module or "", alias.name, True)) for alias in node.names]


@cache
def loads(name: str) -> frozenset[str]:
    """What a module imports when it is loaded: our modules, and others' packages."""
    if name not in MODULES:
        return frozenset()
    nodes = statements(ast.parse(MODULES[name].read_text(encoding="utf-8")).body)
    named = {module if module in MODULES else module.split(".")[0] for node in nodes for module in meant(node)}
    return frozenset(named - set(ROOMS))


@cache
def loaded_by(name: str) -> frozenset[str]:
    """All that comes with a module, and with the packages that it lies in."""
    found: set[str] = set()
    left = {name}
    while left:
        one = left.pop()
        found.add(one)
        parents = {one.rsplit(".", n)[0] for n in range(1, one.count(".") + 1)}
        left |= (parents | loads(one)) - found
    return frozenset(found)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_what_is_imported_late_is_heavy_or_would_go_in_a_circle(name):
    """See docs/decisions/0010-late-imports.md."""
    if name in ASKS_FIRST:
        return
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {module for function in functions for node in statements(function.body) for module in meant(node)}
    needless = [
        module
        for module in late & set(MODULES)
        if name not in loaded_by(module) and not loaded_by(module) - loaded_by(name) - set(MODULES) - LIGHT
    ]
    assert needless == []


FLAGS = {"test_loss", "infinite_mean", "separated"}
"""What statistics ask of any family."""
WORDS = {("analysis.stats.growth", "linear")}
"""A family's name in another meaning: a law of growth."""


@pytest.mark.parametrize("room", ["analysis", "search_spaces"])
def test_families_are_named_where_they_are_declared(room):
    """Neither room knows a family or a figure of one by name, but theory, which derives them, and named studies, which
    run them."""
    apart = ("analysis.theory", "search_spaces.studies")
    figures = {metric.name for kind in FAMILIES for metric in recorded(kind)} - FLAGS if room == "analysis" else set()
    named = {
        (name, node.value)
        for name in MODULES
        if name.startswith(f"{room}.") and not name.startswith(apart)
        for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in {*FAMILIES, *figures}
    }
    assert named - WORDS == set()


@pytest.mark.parametrize("kind", list(FAMILIES))
def test_every_family_has_a_study_of_all_policies(kind):
    assert named_study(f"policies/{kind}").blocks[0].cell["family"]["kind"] == kind
