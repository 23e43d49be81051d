"""`collapse-sweep doctor`: what this machine lacks, and what would mend it."""

from __future__ import annotations

import io
import json as jsonlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from sweep.commands.outcome import DONE, INCOMPLETE
from sweep.errors import UsageError
from sweep.terminal import columns
from sweep.workspace import Workspace
from trainables.lineage import make_key
from trainables.runtime import pick_device, redact
from trainables.store import Payload, StoreError, open_store

MARKS = {"ok": "ok", "warning": "warning", "wrong": "WRONG"}
FREE = 2 * 10**9
"""Bytes of free disk below which a study may well stop."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: what was looked at.
        state: how it is.
        found: what was found.
        fix: what would mend it, empty where all is well.
    """

    what: str
    state: Literal["ok", "warning", "wrong"]
    found: str
    fix: str = ""


def doctor(workspace: Workspace, json: bool) -> int:
    """Look at everything a study needs. Exit code 1 where something has to be mended."""
    checks: list[Callable[[Workspace], Iterator[Finding]]] = [
        _packages,
        _names,
        _optional,
        _devices,
        _workspace,
        _storage,
        _tracking,
    ]
    findings = [_shown(finding) for check in checks for finding in _made(check, workspace)]
    if json:
        print(jsonlib.dumps([asdict(finding) for finding in findings]))
    else:
        print(columns([[MARKS[f.state], f.what, f.found] for f in findings], left=3))
        for finding in findings:
            if finding.fix:
                print(f"{finding.what}: {finding.fix}")
    return INCOMPLETE if any(finding.state == "wrong" for finding in findings) else DONE


def _made(check: Callable[[Workspace], Iterator[Finding]], workspace: Workspace) -> Iterator[Finding]:
    """A check's findings; that it can't be made without a package is one too."""
    try:
        yield from check(workspace)
    except ImportError as problem:
        what = check.__name__.strip("_").replace("_", " ")
        yield Finding(what, "wrong", f"can't be checked: {problem}", "mend the packages that are named above")


def _shown(finding: Finding) -> Finding:
    """As it may be printed: passwords in URLs are masked."""
    return replace(finding, found=redact(finding.found), fix=redact(finding.fix))


def _packages(workspace: Workspace) -> Iterator[Finding]:
    """Every dependency of ours, at a version that will do."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    try:
        needed = [Requirement(text) for text in requires("collapse-sweep") or []]
    except PackageNotFoundError:
        yield Finding("collapse-sweep", "wrong", "is not installed", "pip install -e . in its folder")
        return
    yield Finding("collapse-sweep", "ok", version("collapse-sweep"))
    for requirement in needed:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        fix = f'pip install "{requirement.name}{requirement.specifier}"'
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Finding(requirement.name, "wrong", "is missing", fix)
            continue
        good = requirement.specifier.contains(found, prereleases=True)
        yield Finding(requirement.name, "ok" if good else "wrong", found, "" if good else fix)


def _names(workspace: Workspace) -> Iterator[Finding]:
    """Whether our four top-level packages are ours: their names are common words."""
    from importlib.metadata import packages_distributions
    from importlib.util import find_spec

    home, owners = Path(__file__).resolve().parents[2], packages_distributions()
    for name in ("trainables", "search_spaces", "analysis", "sweep"):
        spec = find_spec(name)
        found = Path(spec.origin).resolve() if spec and spec.origin else None
        others = sorted({owner for owner in owners.get(name, []) if owner.lower() != "collapse-sweep"})
        if found is None or home not in found.parents:
            fix = "start from another folder, or remove what shadows it from PYTHONPATH"
            yield Finding(f"package {name}", "wrong", f"resolves to {found}, not to {home / name}", fix)
        elif others:
            fix = f"pip uninstall {' '.join(others)}, or use an environment of its own"
            yield Finding(f"package {name}", "warning", f"is also installed by {', '.join(others)}", fix)
        else:
            yield Finding(f"package {name}", "ok", str(found.parent))


def _optional(workspace: Workspace) -> Iterator[Finding]:
    """What runs and reports do without, where a server has not got it."""
    yield _tried(
        "pictures of molecules", _draws_molecules, 'pip install "collapse-sweep[molecules]"; apt install libxrender1'
    )
    yield _tried("pictures of images", _draws_images, 'pip install "collapse-sweep[images]"')
    yield _tried("figures of reports", _draws_figures, "unset MPLBACKEND, or install matplotlib anew")
    yield _tried("compiled loops", _keeps_loops, "set NUMBA_CACHE_DIR to a folder that can be written")
    yield _tried("git", _finds_git, "install git, so that records name the commit of the code")


def _tried(what: str, attempt: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(what, "ok", attempt())
    except Exception as problem:
        return Finding(what, "warning", " ".join(f"{type(problem).__name__}: {problem}".split()), fix)


def _draws_molecules() -> str:
    from rdkit.Chem.Draw.rdMolDraw2D import MolDraw2DCairo

    MolDraw2DCairo(8, 8)
    return "RDKit draws them"


def _draws_images() -> str:
    from PIL import Image

    Image.new("L", (8, 8)).save(io.BytesIO(), format="PNG")
    return "Pillow draws them"


def _draws_figures() -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    figure.subplots().set_title("words need a font")
    figure.savefig(io.BytesIO(), format="png")
    return "matplotlib draws them"


def _keeps_loops() -> str:
    from trainables.runtime.jit import kept_at

    folder = kept_at()
    if folder is None:
        raise OSError("no folder to keep them in, every process compiles its own")
    return f"kept in {folder}"


def _finds_git() -> str:
    found = shutil.which("git")
    if found is None:
        raise FileNotFoundError("git is not on the PATH")
    return found


def _devices(workspace: Workspace) -> Iterator[Finding]:
    import psutil

    from sweep.resources import cores

    memory = psutil.virtual_memory()
    yield Finding("cores", "ok", f"{cores()} (trials at a time)")
    low = memory.available < 2 * 10**9
    fix = "end other programs, or run with --cpus 1" if low else ""
    yield Finding("memory", "warning" if low else "ok", f"{memory.available / 1e9:.1f} GB free", fix)
    try:
        yield Finding("device", "ok", str(pick_device()))
    except ValueError as problem:
        yield Finding("device", "wrong", str(problem), "unset COLLAPSE_SWEEP_DEVICE")
    shared = shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else None
    if shared is not None and shared < 200 * 2**20:
        fix = "start the container with --shm-size=1g"
        yield Finding("shared memory", "warning", f"{shared / 2**20:.0f} MB free", fix)


def _workspace(workspace: Workspace) -> Iterator[Finding]:
    folder = workspace.root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    fix = "free some space, or choose another --workspace" if free < FREE else ""
    yield Finding("disk", "warning" if free < FREE else "ok", f"{free / 1e9:.1f} GB free at {folder}", fix)


def _storage(workspace: Workspace) -> Iterator[Finding]:
    """Write, read and remove a probe."""
    key = make_key("probe")
    try:
        store = open_store(workspace.storage)
        store.put("probe", key, Payload(meta={"probe": True}))
        good = store.get("probe", key) is not None
        store.delete("probe", key)
    except StoreError as problem:
        yield Finding("storage", "wrong", str(problem), "choose a --storage that can be written")
        return
    fix = "" if good else "choose another --storage: what is written there does not come back"
    yield Finding("storage", "ok" if good else "wrong", f"{workspace.storage} can be written", fix)


def _tracking(workspace: Workspace) -> Iterator[Finding]:
    for uri in workspace.tracking_uris:
        yield _tracker(uri, workspace)


def _tracker(uri: str, workspace: Workspace) -> Finding:
    from sweep.tracking import check

    if uri == workspace.mlflow_uri and workspace.local_tracking and not (workspace.root / "mlflow.db").exists():
        return Finding("tracking", "ok", f"{uri} will be made by the first run")
    try:
        check(uri)
    except UsageError as problem:
        fix = "start the server, or leave --tracking-uri out to use a database in the workspace"
        return Finding("tracking", "wrong", str(problem), fix)
    return Finding("tracking", "ok", f"{uri} can be used")
