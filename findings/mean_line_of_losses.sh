#!/usr/bin/env bash
# seaborn 0.13.2 with matplotlib 3.11.2 and pandas 3.1.1: the mean over seeds that `lineplot`, `pointplot` and `barplot` draw
# leaves out infinities, and is a geometric mean on an axis that is logarithmic already.
#
# Guess before running: the mean of [1, 1.2, inf] is inf, a gap in the line; and what is plotted is the mean whatever the axis.
# Seen: [1, 1.2, inf] is drawn at 1.1, as if the third seed had never been; no warning. [1, 100] is drawn at 50.5 on a linear
# axis, at 10 if `set_yscale("log")` came before the call, or by `log_scale=True`, and at 50.5 if it came after: values are
# turned into the axis's own before they are averaged.
# Output seen: "lineplot: [1, 1.2, inf] at 1.1; [1, 100] at 50.5, on a logarithmic axis 10.0", the same for pointplot and
# barplot; "lineplot, logarithmic afterwards: 50.5".
# Who it hits: curves of loss over generations, a line per policy: seeds that diverge vanish from the mean in the generation in
# which they do, so that the worst policy's curve comes down; and two figures of the same runs differ by which line of code came
# first. Mark diverged seeds, and average before plotting.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    seaborn==0.13.2 matplotlib==3.11.2 pandas==3.1.1 numpy==2.4.6 2> /dev/null
cat > "$folder/line.py" <<'P'
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

warnings.simplefilter("error")


def drawn(plot, losses, before="linear", after=None):
    _, axes = plt.subplots()
    axes.set_yscale(before)
    frame = pd.DataFrame({"generation": [1] * len(losses) + [2], "loss": [*losses, 20]})
    plot(frame, x="generation", y="loss", errorbar=None, ax=axes)
    if after:
        axes.set_yscale(after)
    height = axes.patches[0].get_height() if axes.patches else axes.lines[0].get_ydata()[0]
    plt.close()
    return round(float(height), 6)


for plot in (sns.lineplot, sns.pointplot, sns.barplot):
    infinite = drawn(plot, [1, 1.2, np.inf])
    linear, logarithmic = drawn(plot, [1, 100]), drawn(plot, [1, 100], before="log")
    print(f"{plot.__name__}: [1, 1.2, inf] at {infinite}; [1, 100] at {linear}, on a logarithmic axis {logarithmic}")
    assert (infinite, linear, logarithmic) == (1.1, 50.5, 10.0)
late = drawn(sns.lineplot, [1, 100], after="log")
print(f"lineplot, logarithmic afterwards: {late}")
assert late == 50.5
P
"$folder/venv/bin/python" "$folder/line.py"
