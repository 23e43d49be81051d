#!/usr/bin/env bash
# lifelines 0.30.0: the restricted mean beyond the last observation is told as if nothing happened from there on.
#
# Guess before running: the mean time to collapse within 100 generations is not known from runs of 20, of which some have not
# collapsed: nan, an error, or at least a warning.
# Seen: for five runs of 20 generations, two of which collapsed after 5 and 7, it is 14.4 within 20, 26.4 within 40 and 62.4
# within 100: the three others are taken to last to the bound, however far off it is. Where the last run ends with an event it
# is 0 from there on, and the mean the same for any bound. No warning, and no word in the docstring.
# Output seen: "within 20: 14.4", "within 40: 26.4", "within 100: 62.4, warnings 0", "all collapsed, within 20 and 100: 11.8
# 11.8".
# Who it hits: policies compared by one bound, whose runs are of different lengths: of two that do the same, the one that was run
# for fewer generations looks better. Take the shortest of the longest runs as the bound.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    lifelines==0.30.0 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6 2> /dev/null
cat > "$folder/means.py" <<'P'
import warnings

from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

LENGTHS, COLLAPSED = [5, 7, 20, 20, 20], [1, 1, 0, 0, 0]


def within(bound, lengths=LENGTHS, collapsed=COLLAPSED):
    return float(restricted_mean_survival_time(KaplanMeierFitter().fit(lengths, collapsed), t=bound))


with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    means = [within(bound) for bound in (20, 40, 100)]
told = [f"within {bound}: {mean:.1f}" for bound, mean in zip((20, 40, 100), means, strict=True)]
print(", ".join(told), f"warnings {len(warned)}", sep=", ")
assert [round(mean, 6) for mean in means] == [14.4, 26.4, 62.4] and not warned
ended = [within(bound, [5, 7, 12, 15, 20], [1] * 5) for bound in (20, 100)]
print("all collapsed, within 20 and 100:", *(f"{mean:.1f}" for mean in ended))
assert ended[0] == ended[1]
P
"$folder/venv/bin/python" "$folder/means.py"
