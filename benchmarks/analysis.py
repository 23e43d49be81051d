"""Claims about analysis: loading 2,000 cells × 20 generations from MLflow, and making their report."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.harness import Ratio, seconds
from benchmarks.profiles import REPOSITORY, checkout

CELLS, GENERATIONS = 2000, 20
METRICS = ("test_loss", "corpus_rows", "real_fraction", "entropy", "tail_mass", "seconds.fit")
LAWS = {
    "replace": lambda n: 0.1 * n,
    "accumulate": lambda n: 0.1 * np.cumsum(1 / n**2),
    "replace_multiple": lambda n: 0.1 * np.cumsum(1 / n),
    "accumulate_subsample": lambda n: 0.1 * (3 * np.cumsum(1 / n**2) - 2),
}


def claims() -> list[Ratio]:
    """Loading against MLflow's own calls; load, report and memory against their limits of 5 s, 60 s and 1 GiB."""
    import analysis

    with tempfile.TemporaryDirectory() as folder:
        uri = database(Path(folder))
        loaded = []
        ours = tuple(seconds(lambda: loaded.append(analysis.load(folder))) for _ in range(3))
        theirs = (seconds(lambda: by_client(uri)),) * 3
        load, made, memory = apart(folder)
        assessed = assessments(folder)
    size = f"{CELLS:,} runs × {GENERATIONS} generations × {len(METRICS)} metrics"
    note = "the peer, a minute long, is timed once"
    return [
        Ratio(f"load {size}", "mlflow search_runs + get_metric_history", 20, ours, theirs, note),
        Ratio(f"load {size}", "the limit of 5 s", 1, (load,), (5.0,), APART),
        Ratio(f"report of {size}", "the limit of 60 s", 1, (made,), (60.0,), APART),
        Ratio("peak memory of both", "the limit of 1 GiB", 1, (memory,), (1.0,), APART, "GiB"),
        Ratio(f"verdicts of {CELLS:,} runs × {GENERATIONS} generations", f"commit {BEFORE}", 1 / 1.5, *assessed, APART),
    ]


BEFORE = "d29f122"
"""The last commit whose words were decided by fixed rules on point estimates."""
APART = "a process of its own; processor time"
LOAD_AND_REPORT = """
import json, sys, time
import analysis
from analysis.report import build_report
from benchmarks.harness import peak
began = time.process_time()
frame = analysis.load(sys.argv[1])
loaded = time.process_time()
build_report(frame, f"{sys.argv[1]}/report", "benchmark")
spent = time.process_time() - loaded
print(json.dumps([loaded - began, spent, peak()]))
"""


def apart(folder: str) -> tuple[float, float, float]:
    """Processor seconds to load the runs of a folder and to report on them, and the process's largest GiB."""
    command = [sys.executable, "-c", LOAD_AND_REPORT, folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    load, made, memory = json.loads(done.stdout)
    return load, made, memory


ASSESS = """
import sys, time
import analysis
try:
    from analysis.verdicts.robustness import assess
except ImportError:
    from analysis.robustness import assess
frame = analysis.load(sys.argv[1])
assess(frame)
began = time.process_time()
assess(frame)
print(time.process_time() - began)
"""


def assessments(folder: str, rounds: int = 3) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Processor seconds of the second assessment of a process, as the product is and as it was at `BEFORE`, in turn;
    needs the repository's history."""
    with checkout(BEFORE) as earlier:
        found = [(_assess(REPOSITORY, folder), _assess(earlier, folder)) for _ in range(rounds)]
    ours, theirs = zip(*found, strict=True)
    return ours, theirs


def _assess(tree: Path, folder: str) -> float:
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASSESS, folder],
        env=os.environ | {"PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


def by_client(uri: str) -> int:
    """What a user writes with MLflow alone; returns how many values it read."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    count, token = 0, None
    while True:
        page = client.search_runs(["0"], max_results=1000, page_token=token)
        for run in page:
            for name in run.data.metrics:
                count += len(client.get_metric_history(run.info.run_id, name))
        token = page.token
        if not token:
            return count


def database(folder: Path) -> str:
    """An MLflow database with the schema that MLflow makes, filled by SQL, since its client takes minutes."""
    from mlflow import MlflowClient

    path = folder / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    rng, n = np.random.default_rng(0), np.arange(1, GENERATIONS + 1)
    runs, tags, metrics, latest = [], [], [], []
    for number in range(CELLS):
        seed, policy = number % 5, list(LAWS)[number // 5 % len(LAWS)]
        rate = round(10 ** float(np.random.default_rng(number // 20).uniform(-4, -2)), 7)
        family = {"kind": "language", "architecture": "llama", "size": ("0.1M", "0.4M")[number // 20 % 2]}
        cell = {"family": family | {"learning_rate": rate}, "policy": {"kind": policy}, "rows": 100, "replicates": 1}
        run = f"{number:032x}"
        held = {"study": "s", "cell": run, "family": "language", "policy": policy, "architecture": "llama"}
        held |= {
            "size": family["size"],
            "seed": str(seed),
            "status": "done",
            "config": json.dumps(cell | {"seed": seed}),
        }
        runs.append((run, run, "UNKNOWN", "", "", "user", "FINISHED", number, number, "", "active", "", 0))
        tags += [(name, value, run) for name, value in held.items()]
        loss = 5 + (1 + 30 * rate) * LAWS[policy](n) + 0.02 * rng.standard_normal(GENERATIONS)
        columns = dict.fromkeys(METRICS, 1 / n) | {"test_loss": loss, "corpus_rows": np.full(GENERATIONS, 100.0)}
        for name, values in columns.items():
            rows = [(name, float(v), 1000 + int(step), run, int(step), 0) for step, v in zip(n, values, strict=True)]
            metrics += rows
            latest.append((name, rows[-1][1], rows[-1][2], rows[-1][4], 0, run))
    with sqlite3.connect(path) as target:
        fields = "run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time"
        fields += ", source_version, lifecycle_stage, artifact_uri, experiment_id"
        target.executemany(f"INSERT INTO runs ({fields}) VALUES ({', '.join('?' * 13)})", runs)
        target.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", tags)
        fields = "key, value, timestamp, run_uuid, step, is_nan"
        target.executemany(f"INSERT INTO metrics ({fields}) VALUES (?, ?, ?, ?, ?, ?)", metrics)
        fields = "key, value, timestamp, step, is_nan, run_uuid"
        target.executemany(f"INSERT INTO latest_metrics ({fields}) VALUES (?, ?, ?, ?, ?, ?)", latest)
    return f"sqlite:///{path}"
