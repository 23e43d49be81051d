#!/usr/bin/env bash
# ray 2.60.0: Tune's `Repeater` scores a configuration by those of its repeats that neither diverged nor failed.
#
# Guess before running: "averaged among all repeats": if two of three seeds end with NaN, so does the mean, and the searcher
# counts the configuration as failed.
# Seen: losses 0.2, nan, nan are told as 0.2, and are preferred to 0.3, 0.3, 0.3; the searcher hears of no NaN. Two trials that
# end in an error before one that ends with 0.2 are told as 0.2, without an error; if the last one of the three fails, as an error
# and 0.2. With inf for NaN the mean is inf. The mean is numpy's `nanmean`, and what failed counts as NaN. No warning.
# Output seen: "0.2, nan, nan: told 0.2", "0.2, inf, inf: told inf", "error, error, 0.2: told 0.2", "0.3, 0.3, 0.3: told 0.3".
# Who it hits: searches over recursions that repeat each configuration with several seeds because some diverge: the more seeds
# diverge, the more the score is that of a lucky one. Report inf, or a large number, and catch what a recursion raises.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[tune]==2.60.0" pandas==3.1.1 numpy==2.4.6 2> /dev/null
cat > "$folder/repeats.py" <<'P'
import math
import warnings

warnings.simplefilter("ignore")
from ray.tune.search import Repeater, Searcher

warnings.simplefilter("error")


class Listener(Searcher):
    """Suggests anything, and keeps what it is told."""

    def __init__(self):
        super().__init__(metric="loss", mode="min")
        self.told = []

    def suggest(self, trial_id):
        return {"rate": 0.1}

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.told.append((float(result["loss"]), error))


def told(*losses):
    """What a searcher hears of one configuration; None for a trial that ended in an error."""
    searcher = Listener()
    repeater = Repeater(searcher, repeat=len(losses))
    for number, loss in enumerate(losses):
        repeater.suggest(str(number))
        if loss is None:
            repeater.on_trial_complete(str(number), error=True)
        else:
            repeater.on_trial_complete(str(number), result={"loss": loss})
    ((mean, error),) = searcher.told
    print(f"{', '.join('error' if loss is None else str(loss) for loss in losses)}: told {mean:.2g}{' as an error' * error}")
    return mean, error


assert told(0.3, 0.3, 0.3)[0] == 0.3
assert told(0.2, math.nan, math.nan) == (0.2, False)
assert told(0.2, math.inf, math.inf) == (math.inf, False)
assert told(None, None, 0.2) == (0.2, False)
assert told(0.2, None, None) == (0.2, True)
P
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" "$folder/repeats.py"
