"""One thread, no network, no usage reporting: set before any library is imported. What contract suites say of a failed
assertion; the order of files."""

import os
from pathlib import Path

for name, value in {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MPLBACKEND": "Agg",
}.items():
    os.environ.setdefault(name, value)

import pytest  # noqa: E402 - the environment comes first
from hypothesis import HealthCheck, settings  # noqa: E402

pytest.register_assert_rewrite(
    "trainables.testing.abilities",
    "trainables.testing.bench",
    "trainables.testing.families",
    "trainables.testing.keys",
    "trainables.testing.policies",
    "trainables.testing.sources",
    "trainables.testing.stores",
    "analysis.testing.definitions",
    "sweep.testing.trackers",
)

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

WAITING = ("cluster", "e2e", "faults", "security")
"""Folders of tests that start clusters, runs and servers: these take cores in turns, and mostly wait for each other."""

SPREAD = 0.85
"""Share of the whole over which they are spread: what takes long begins while there is other work beside it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of tests that mostly wait, evenly between those of tests that compute: where several workers take files in
    this order, seldom do two of them have a cluster at the same time, or none. The last ones compute."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    kinds: tuple[list[Path], list[Path]] = ([], [])
    for path in files:
        kinds[path.relative_to(Path(__file__).parent).parts[0] not in WAITING].append(path)
    shares = zip(kinds, (SPREAD, 1.0), strict=True)
    places = {path: share * number / len(kind) for kind, share in shares for number, path in enumerate(kind)}
    items[:] = [item for path in sorted(files, key=lambda path: places[path]) for item in files[path]]
