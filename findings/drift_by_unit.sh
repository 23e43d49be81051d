#!/usr/bin/env bash
# river 0.26.1: ADWIN never finds a jump of three standard deviations if the loss is stated in a unit in which it is small.
#
# Guess before running: ADWIN compares the means of two windows with a bound that goes by their variance, so that a jump of
# three standard deviations is found in any unit; `PageHinkley`, whose threshold is a number, is another matter and says so.
# Seen: a jump by three deviations after 300 observations is found in 20 of 20 series where the deviation is 0.1, 1 or 100,
# and in none where it is 0.01 or 0.001, at the latter not with `delta=0.5` in place of 0.002 either. The bound has a second
# term, which is there for numbers between 0 and 1 and does not shrink with them. The documentation asks for no range. No
# false alarms in any unit.
# Output seen: "deviation 0.001, delta 0.002: found in 0 of 20, false alarms in 0", 0.01 likewise, "deviation 0.1, …: found in
# 20 of 20, …", 1 and 100 likewise.
# Who it hits: watching recursions for the generation at which they begin to collapse, by rates, errors and divergences that
# are small where models are good: the watch is deaf just there. Divide by a deviation first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    river==0.26.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6 2> /dev/null
cat > "$folder/drift.py" <<'P'
import numpy as np
from river.drift import ADWIN


def found(deviation, delta=0.002):
    """In how many of 20 series the jump is found, and in how many there is an alarm before."""
    hits = alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        series = deviation * np.concatenate([rng.normal(0, 1, 300), rng.normal(3, 1, 300)])
        detector, when = ADWIN(delta=delta), []
        for number, value in enumerate(series.tolist()):
            detector.update(value)
            if detector.drift_detected:
                when.append(number)
        hits += any(number >= 300 for number in when)
        alarms += any(number < 300 for number in when)
    print(f"deviation {deviation}, delta {delta}: found in {hits} of 20, false alarms in {alarms}")
    return hits, alarms


for deviation in (0.001, 0.01):
    assert found(deviation) == (0, 0)
assert found(0.001, delta=0.5) == (0, 0)
for deviation in (0.1, 1, 100):
    assert found(deviation)[0] == 20
P
"$folder/venv/bin/python" "$folder/drift.py"
