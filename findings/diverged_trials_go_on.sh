#!/usr/bin/env bash
# ray 2.60.0: ASHA (`AsyncHyperBandScheduler`, also called `ASHAScheduler`) never stops a trial whose loss is NaN, and stops
# healthy ones beside it.
#
# Guess before running: a trial that reports NaN is among the worst at its rung and stops there, as one that reports inf does.
# Seen: it runs to `max_t`, however many of them there are, while of four finite losses beside it three stop at the first rung.
# A trial stops where its value is below the rung's cutoff, and NaN is below nothing. Ray's `MedianStoppingRule` stops NaN at
# once; with inf in place of NaN so does ASHA. No warning.
# Output seen: "ASHA, nan: steps of the losses 0.1, 0.2, 0.3, 0.9, nan: [27, 1, 1, 1, 27]", "ASHA, inf: … [27, 1, 1, 1, 1]",
# "median rule, nan: … [27, 27, 27, 1, 1]".
# Who it hits: searches over recursions that can diverge: runs that are lost keep their machines to the last generation, and by
# the generations it survived a configuration that diverges looks as good as the best. Report inf, or a large number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[tune]==2.60.0" pandas==3.1.1 numpy==2.4.6 2> /dev/null
cat > "$folder/rungs.py" <<'P'
import math
import warnings

warnings.simplefilter("ignore")
from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule

STEPS, LOSSES = 27, [0.1, 0.2, 0.3, 0.9]


class Trial:
    """As much of a trial as these schedulers ask for."""

    def __init__(self, number):
        self.trial_id, self.status = str(number), "RUNNING"


class Controller:
    def __init__(self, trials):
        self.trials = trials

    def get_live_trials(self):
        return self.trials


def steps(name, scheduler, losses):
    """How long each trial runs; all report in turn."""
    trials = [Trial(number) for number in range(len(losses))]
    controller, run = Controller(trials), dict.fromkeys(trials, 0)
    for trial in trials:
        scheduler.on_trial_add(controller, trial)
    live = dict(zip(trials, losses, strict=True))
    for step in range(1, STEPS + 1):
        for trial, loss in list(live.items()):
            run[trial] = step
            if scheduler.on_trial_result(controller, trial, {"training_iteration": step, "loss": loss}) == "STOP":
                del live[trial]
    print(f"{name}: steps of the losses {', '.join(map(str, losses))}: {list(run.values())}")
    return list(run.values())


def asha():
    return AsyncHyperBandScheduler(metric="loss", mode="min", max_t=STEPS, grace_period=1, reduction_factor=3)


def median():
    return MedianStoppingRule(
        time_attr="training_iteration", metric="loss", mode="min", grace_period=1, min_samples_required=3
    )


assert steps("ASHA, nan", asha(), [*LOSSES, math.nan]) == [STEPS, 1, 1, 1, STEPS]
assert steps("ASHA, three nan", asha(), [*LOSSES, *[math.nan] * 3]) == [STEPS, 1, 1, 1, STEPS, STEPS, STEPS]
assert steps("ASHA, inf", asha(), [*LOSSES, math.inf]) == [STEPS, 1, 1, 1, 1]
assert steps("median rule, nan", median(), [*LOSSES, math.nan]) == [STEPS, STEPS, STEPS, 1, 1]
P
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" "$folder/rungs.py"
