"""Several machines, one of which dies: the study ends as if nothing had happened. Storage is reached by URL only."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Command, call
from tests.support.fleet import Fleet, bucket, can_be_apart, fleet, s3
from tests.support.gates import unfinished
from trainables.store import Store, open_store

pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

STUDY = """\
name: nodes
cell: {family: {kind: gaussian, dim: 3}, rows: 30, generations: 10, replicates: 1000}
space:
  policy.kind: {grid: [replace, accumulate]}
  seed: {grid: [0, 1, 2]}
"""
FITS = 6 * 10 - 3
"""Models of the study: both policies share generation 1."""


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with s3() as found, pytest.MonkeyPatch.context() as patch:
        found |= {"COLLAPSE_SWEEP_LEASE_SECONDS": "15"}
        for name, value in found.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def machines(environment: dict[str, str]) -> Iterator[Fleet]:
    """A head that runs no trials and two machines of one core."""
    with fleet(**environment) as made:
        made.head(dashboard=True)
        made.join("first", "second")
        yield made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the study ran on this machine alone."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "nodes.yaml").write_text(STUDY)
    call(folder, "run", "nodes.yaml", "--workspace", "w", "--cpus", "1", timeout=400)
    return folder


def run(folder: Path, machines: Fleet, *more: str) -> Command:
    command = ["run", "nodes.yaml", "--address", machines.address, *more]
    return Command(folder, *command, environment=machines.environment)


@cache
def client(endpoint: str) -> Any:
    """Of the S3 server, which is asked again and again."""
    import boto3

    return boto3.client("s3", endpoint_url=endpoint)


def versions(name: str) -> list[str]:
    """Every object that was ever written to a bucket, once for each time."""
    pages = client(os.environ["AWS_ENDPOINT_URL"]).get_paginator("list_object_versions").paginate(Bucket=name)
    return [found["Key"] for page in pages for found in page.get("Versions", [])]


def read(store: Store, record: str) -> str:
    """The model of a record."""
    found = store.get("record", record)
    assert found is not None
    return str(found.meta["model"])


def fitted(name: str) -> int:
    return len({key for key in versions(name) if re.search(r"/model/.*\.json$", key)})


def test_a_machine_dies_and_another_joins_and_the_table_is_that_of_an_undisturbed_run(
    undisturbed: Path, machines: Fleet
) -> None:
    name = bucket()
    with unfinished(undisturbed / "nodes.yaml", f"s3://{name}/store"):
        process = run(undisturbed, machines, "--workspace", "c", "--storage", f"s3://{name}/store")
        wait_for(lambda: fitted(name) >= 8, process)
        machines.kill("first")
        at_death = fitted(name)
    machines.join("third")
    _, said = process.communicate(timeout=400)
    assert process.returncode == 0, said
    assert at_death < FITS, "it died in the middle"
    tables = [undisturbed / place / "reports" / "nodes" / "robustness.csv" for place in ("w", "c")]
    assert tables[0].read_text() == tables[1].read_text(), "to the last digit"
    computed = re.compile(r"/(model|batch|record)/.*\.json$")
    written = Counter(key for key in versions(name) if computed.search(key))
    assert sum("/model/" in key for key in written) == FITS
    assert {key: times for key, times in written.items() if times > 1} == {}, "what was committed is never made again"
    found = [re.search(r"/leases/(\w+)-(\w+)\.[2-9]$", key) for key in versions(name)]
    interrupted = sorted({(claim[1], claim[2]) for claim in found if claim})
    store = open_store(f"s3://{name}/store")
    generations = {key if kind != "record" else read(store, key) for kind, key in interrupted if kind != "batch"}
    assert len(generations) <= 1, "one trial was lost, and with it at most the generation that it was at"
    assert sum(kind == "batch" for kind, _ in interrupted) <= 1


def test_a_folder_that_machines_do_not_share_is_refused_before_anything_is_trained(
    undisturbed: Path, machines: Fleet
) -> None:
    if not can_be_apart():
        pytest.skip("this system gives nodes no folders of their own")
    process = run(undisturbed, machines, "--workspace", "local")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 2
    assert re.fullmatch(r"collapse-sweep: --storage .*/local/store: can't be used from node .*\n", said)
    assert not list((undisturbed / "local" / "store").glob("model/*"))


def test_resources_that_no_machine_has_are_refused(undisturbed: Path, machines: Fleet) -> None:
    storage = f"s3://{bucket()}/store"
    process = run(undisturbed, machines, "--workspace", "r", "--storage", storage, "-o", "resources.gpu=1")
    _, heard = process.communicate(timeout=300)
    assert process.returncode == 2, heard
    expected = r"no node has room for a trial with cpu 1, gpu 1 \(gaussian .*\); there are .*1 × \(.*\).*; ask for less"
    assert re.fullmatch(rf"collapse-sweep: resources: {expected}.*\n", heard)


def test_a_submitted_study_runs_on_the_head_and_is_followed_to_its_end(undisturbed: Path, machines: Fleet) -> None:
    import analysis

    page = f"http://127.0.0.1:{machines.ports['dashboard']}"
    places = ["--workspace", str(undisturbed / "sent"), "--storage", f"s3://{bucket()}/store"]
    command = ["submit", "nodes.yaml", "-o", "generations=3", "--address", page, *places]
    plain = {name: value for name, value in machines.environment.items() if name != "RAY_AUTH_MODE"}  # a user's shell
    stranger = plain | {"RAY_AUTH_TOKEN": "f" * 64}
    refused = Command(undisturbed, *command, environment=stranger)
    _, said = refused.communicate(timeout=300)
    assert refused.returncode == 2, said
    assert said.splitlines()[-1].startswith(f"collapse-sweep: --address {page}: the head asks for the cluster's")
    followed = Command(undisturbed, *command, environment=plain)
    out, said = followed.communicate(timeout=400)
    assert followed.returncode == 0, out + said
    assert out.startswith("raysubmit_")
    assert "[6/6 cells done" in out, "what the job says is printed here"
    sent = analysis.load(undisturbed / "sent", study="nodes")
    alone = analysis.load(undisturbed / "w", study="nodes")
    columns = ["cell", "generation", "test_loss", "trace_ratio", "theory_trace_ratio"]
    first = alone[alone["generation"] <= 3][columns].sort_values(columns[:2]).reset_index(drop=True)
    assert sent[columns].sort_values(columns[:2]).reset_index(drop=True).equals(first), "to the last digit"


def wait_for(condition: Callable[[], bool], process: Command) -> None:
    deadline = time.monotonic() + 400
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.3)  # the server shares its processor time with the test
