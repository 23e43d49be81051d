#!/usr/bin/env bash
# optuna 5.0.0: a study that is resumed with the same seeded sampler tries the same configurations again, and workers that share
# a study and a seed all try the same ones.
#
# Guess before running: the sampler goes on where the study's trials end, as the study does; a seed with a study in storage
# gives one sequence of trials, however often it is interrupted, and workers share it.
# Seen: of two runs of five trials each with `RandomSampler(seed=0)`, or `TPESampler(seed=0)`, whose first ten trials are drawn
# at random, the second repeats the first one's five parameters to the last digit; so do two workers that take turns. A sampler
# begins its random numbers when it is made, whatever trials there are. Without a seed ten trials are ten configurations. No
# warning.
# Output seen: "RandomSampler, resumed: 10 trials, 5 configurations", "RandomSampler, two workers: 10 trials, 5 …",
# "TPESampler, …" likewise, "RandomSampler without a seed: 10 trials, 10 configurations".
# Who it hits: searches over recursions on machines that are taken away, or on several: half of the budget goes into repeats,
# which, with the recursion's own seed, are equal to the last digit, and read as perfect reproducibility. Derive the seed from
# the number of trials there are, and from the worker.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    optuna==5.0.0 numpy==2.4.6 2> /dev/null
cat > "$folder/turns.py" <<'P'
import tempfile

import optuna
from optuna.samplers import RandomSampler, TPESampler

optuna.logging.set_verbosity(optuna.logging.ERROR)


def loss(trial):
    return trial.suggest_float("rate", 0, 1) ** 2


def configurations(name, make, turns):
    """How many configurations ten trials try, by two samplers that take turns of some trials each."""
    with tempfile.TemporaryDirectory() as folder:
        place = {"storage": f"sqlite:///{folder}/study.db", "study_name": "study", "load_if_exists": True}
        studies = [optuna.create_study(sampler=make(), **place) for _ in range(2)]
        for turn in range(10 // turns):
            studies[turn % 2].optimize(loss, n_trials=turns)
        tried = [trial.params["rate"] for trial in studies[0].trials]
    print(f"{name}: {len(tried)} trials, {len(set(tried))} configurations")
    return len(tried), len(set(tried))


for sampler in (RandomSampler, TPESampler):
    assert configurations(f"{sampler.__name__}, resumed", lambda kind=sampler: kind(seed=0), turns=5) == (10, 5)
    assert configurations(f"{sampler.__name__}, two workers", lambda kind=sampler: kind(seed=0), turns=1) == (10, 5)
assert configurations("RandomSampler without a seed", RandomSampler, turns=5) == (10, 10)
P
"$folder/venv/bin/python" "$folder/turns.py" 2> /dev/null
