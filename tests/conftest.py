"""One thread, no network, no usage reporting: set before any library is imported."""

import os

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

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, tests that share what their module has set up run in one process: no cluster, server or
    trained model is made twice, whatever the distribution.
    """
    for item in items:
        held = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
        if any(fixture.scope == "module" for defined in held.values() for fixture in defined):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
