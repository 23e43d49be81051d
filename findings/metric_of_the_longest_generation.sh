#!/usr/bin/env bash
# mlflow 3.17.2: a run's metric is the value at the largest step, not the one logged last: where steps begin anew in each
# generation it stays that of an earlier one.
#
# Guess before running: `run.data.metrics` and the column of `search_runs` hold what was logged last; steps are for plots.
# Seen: of three generations of 10, 9 and 8 steps, with losses around 0, 1 and 2, logged one after the other, the run has 0.09,
# the end of generation 0; so has the table, and a search for losses above 1 finds no run. Of generations that are equally long
# it is the last one's. Logged without a step, which is step 0, it is the last one's too. The history has everything.
# Output seen: "10, 9 and 8 steps: metric 0.09, in the table 0.09, runs above 1: 0", "10, 10 and 10 steps: metric 2.09, … 2.09,
# runs above 1: 1", "no steps: metric 2.07, …".
# Who it hits: recursions that log each generation's training by its own steps into one run: generations that stop early, or get
# less data, don't count, so that a run that has collapsed is listed with its healthy loss. Count steps through, or log under a
# name for each generation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    mlflow==3.17.2 pandas==3.1.1 numpy==2.4.6 2> /dev/null
cat > "$folder/metric.py" <<'P'
import tempfile

import mlflow

with tempfile.TemporaryDirectory() as folder:
    mlflow.set_tracking_uri(f"sqlite:///{folder}/runs.db")

    def logged(name, lengths, stated=True):
        """A run's metric after its generations, as the run and the table have it, and whether a search finds it."""
        experiment = mlflow.set_experiment(name).experiment_id
        with mlflow.start_run() as run:
            for generation, length in enumerate(lengths):
                for step in range(length):
                    mlflow.log_metric("loss", generation + step / 100, **({"step": step} if stated else {}))
        metric = mlflow.get_run(run.info.run_id).data.metrics["loss"]
        table = float(mlflow.search_runs([experiment])["metrics.loss"].iloc[0])
        above = len(mlflow.search_runs([experiment], filter_string="metrics.loss > 1"))
        print(f"{name}: metric {metric}, in the table {table}, runs above 1: {above}")
        return metric, table, above

    assert logged("10, 9 and 8 steps", (10, 9, 8)) == (0.09, 0.09, 0)
    assert logged("10, 10 and 10 steps", (10, 10, 10)) == (2.09, 2.09, 1)
    assert logged("no steps", (10, 9, 8), stated=False) == (2.07, 2.07, 1)
P
"$folder/venv/bin/python" "$folder/metric.py" 2> /dev/null
