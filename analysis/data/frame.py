"""The tidy frame: one row per cell and generation, hyperparameters in columns named by dotted path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.runs import BROKEN, FAILED, CellRun, Points

if TYPE_CHECKING:
    import pandas as pd

IDENTITY = (
    "study", "cell", "family", "policy", "architecture", "size", "seed", "rows", "replicates", "generation",
    "test_loss", "corpus_rows", "real_fraction", "status", "config",
)  # fmt: skip
"""Columns that every frame has, in this order; metrics and hyperparameters follow."""

_APART = frozenset({"policy", "seed", "fork", "generations"})
"""Parts of a cell that are not its configuration: what is compared, what is averaged over, and how long it went on."""


SUMMARIES = frozenset({"growth", "growth_ratio"})
"""Metrics of a whole cell that its run shows, to be sorted by; here they are computed anew, never read."""


def tidy(runs: Iterable[CellRun], points: Points) -> pd.DataFrame:
    """One row per cell and generation; `cell_config` holds the cell's canonical JSON.

    A cell logged twice in one study counts once: the run that got furthest, the latest of equals. So does a cell that
    a later version of the code computed again under another key: of equal configs the latest run, however far it got.

    Args:
        runs: cells in the order they were started.
        points: their metrics.

    Raises:
        ValueError: a run's config is missing or is not JSON.
    """
    import pandas as pd

    values = _values(points)
    cells = pd.DataFrame(_describe(runs))
    if cells.empty or values.empty:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in IDENTITY})
    frame = cells.merge(values, on="run")
    furthest = frame.groupby("run", sort=False)["generation"].max()
    keep = (
        cells.assign(reached=cells["run"].map(furthest))
        .dropna(subset=["reached"])
        .sort_values("reached", kind="stable")
        .drop_duplicates(["study", "cell"], keep="last")
        .sort_index()
        .drop_duplicates(["study", "recursion"], keep="last")
    )
    frame = frame[frame["run"].isin(keep["run"])].drop(columns=["run", "recursion"])
    return arrange(frame.assign(cell_config=frame["cell_config"].astype("category")))


def arrange(frame: pd.DataFrame) -> pd.DataFrame:
    """Label policies, order the columns (all of `IDENTITY` first) and the rows."""
    frame = frame.assign(policy=policy_labels(frame), **{c: np.nan for c in IDENTITY if c not in frame})
    rest = [c for c in frame.columns if c not in IDENTITY]
    about = [c for c in ("reason", "cell_config") if c in rest]
    hyper = sorted(c for c in rest if is_parameter(c))
    metrics = sorted(set(rest) - {*about, *hyper})
    ordered = [*IDENTITY, *metrics, *hyper, *about]
    by = ["study", "family", "config", "policy", "seed", "cell", "generation"]
    return frame[ordered].sort_values(by, kind="stable").reset_index(drop=True)


def parameters(frame: pd.DataFrame) -> list[str]:
    """Columns that hold hyperparameters of a configuration (policies' own left out)."""
    return [c for c in frame.columns if c in ("rows", "replicates") or str(c).startswith(("family.", "population."))]


def policy_labels(frame: pd.DataFrame) -> pd.Series[str]:
    """Names of policies, each its own: the kind, and in brackets those parameters that differ among its uses in this
    frame; where these are many, as few as tell the uses apart."""
    import pandas as pd

    columns = [c for c in frame.columns if c.startswith(("policy.", "fork.")) and c != "policy.kind"]
    number = frame.groupby(["policy", *columns], dropna=False, sort=False).ngroup().to_numpy()
    uses = frame.iloc[np.unique(number, return_index=True)[1]]
    labels = pd.Series("", index=uses.index, dtype=object)
    for kind, group in uses.groupby("policy", sort=False):
        settings = _settings(group[columns])
        varying = [c for c in settings if settings[c].nunique(dropna=False) > 1]
        texts = pd.DataFrame({c: told_apart(settings[c]) for c in varying}, index=group.index)
        named = _bracketed(str(kind), texts)
        if named.map(len).max() > LONG:
            named = _bracketed(str(kind), texts[_telling(texts)])
        labels[group.index] = named
    return pd.Series(labels.to_numpy()[number], index=frame.index, dtype=object)


LONG = 60
"""Characters of a policy's name beyond which it says no more than it must."""


def _settings(uses: pd.DataFrame) -> pd.DataFrame:
    """Parameters of policies, one use a row; a list of parts, as `compose` has, by the parts' own parameters."""
    import pandas as pd

    rows = [dict(_leaves(row)) for row in uses.to_dict("records")]
    found = pd.DataFrame(rows, index=uses.index, dtype=object)
    return found.where(found.notna(), np.nan)


def _leaves(row: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, str) and value.startswith("[{"):
            for number, part in enumerate(json.loads(value)):
                yield from flatten(part, f"{name}.{number}.").items()
        else:
            yield str(name), value


def _bracketed(kind: str, texts: pd.DataFrame) -> pd.Series[Any]:
    """The kind and, in brackets, what is said of each use."""
    import pandas as pd

    names = [str(name).removeprefix("policy.") for name in texts]
    said = [
        ", ".join(f"{name}={text}" for name, text in zip(names, row, strict=True) if text) for row in texts.to_numpy()
    ]
    return pd.Series([f"{kind}({one})" if one else kind for one in said], index=texts.index, dtype=object)


def _telling(texts: pd.DataFrame) -> list[str]:
    """Of the columns, in order, those that tell rows apart which the ones before do not."""
    chosen: list[str] = []
    for name in texts:
        apart = len(texts[chosen].drop_duplicates()) if chosen else 1
        if apart < len(texts) and len(texts[[*chosen, name]].drop_duplicates()) > apart:
            chosen.append(str(name))
    return chosen


_DIGITS = range(3, 18)
"""Of numbers in labels; seventeen tell any two apart."""


def told_apart(values: pd.Series[Any]) -> pd.Series[Any]:
    """Each value in few characters, with as many digits as tell every two different ones apart; empty for a missing
    one."""
    distinct = {(isinstance(value, bool), value) for value in values if value is not None and value == value}
    for digits in _DIGITS:  # yes is not 1, to which it is equal
        texts = {key: short(key[1], digits) for key in distinct}
        if len(set(texts.values())) == len(distinct):
            break
    return values.map(lambda value: texts.get((isinstance(value, bool), value), ""))


def short(value: Any, digits: int = 3) -> str:
    """A hyperparameter's value in few characters, so many significant digits; empty for a missing one."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() and abs(value) < 1e6 else f"{value:.{digits}g}"
    return str(value)


def configuration(cell: Mapping[str, Any]) -> str:
    """Names everything of a cell but policy, seed and length; 10 hex digits."""
    held = {name: value for name, value in cell.items() if name not in _APART}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:10]


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted paths; a list becomes its JSON text, so that columns stay hashable."""
    flat: dict[str, Any] = {}
    for name, held in value.items():
        if isinstance(held, Mapping):
            flat |= flatten(held, f"{prefix}{name}.")
        else:
            flat[prefix + name] = json.dumps(held) if isinstance(held, list) else held
    return flat


def _values(points: Points) -> pd.DataFrame:
    """Metrics in columns, one row per run and step that has a `test_loss`."""
    import pandas as pd

    run, runs = pd.factorize(np.asarray(points.run, dtype=object))
    name, names = pd.factorize(np.asarray(points.name, dtype=object))
    step = np.asarray(points.step, dtype=np.int64)
    place, inverse = np.unique(np.stack([run, step]), axis=1, return_inverse=True)
    table = np.full((place.shape[1], len(names)), np.nan)
    table[inverse, name] = points.value
    values = pd.DataFrame(table, columns=list(names))
    values.insert(0, "run", runs[place[0]])
    values.insert(1, "generation", place[1])
    if "test_loss" not in values:
        return values.iloc[:0]
    logged = np.zeros(len(values), dtype=bool)
    logged[inverse[name == list(names).index("test_loss")]] = True
    return values[logged & (values["generation"].to_numpy() >= 1)].drop(columns=[*SUMMARIES], errors="ignore")


def _describe(runs: Iterable[CellRun]) -> list[dict[str, Any]]:
    """What each cell is: tags, config id and hyperparameters."""
    described = []
    for run in runs:
        try:
            cell = json.loads(run.config)
        except ValueError as problem:
            raise ValueError(
                f"config: run {run.run} of study {run.tags['study']!r} holds none that is JSON"
            ) from problem
        flat = {k: v for k, v in flatten(cell).items() if k != "seed"}
        if "population.anchor.kind" not in flat:
            flat.pop("population.anchored", None)  # members who would follow an anchor
        tags = run.tags
        described.append(
            {
                "run": run.run,
                "recursion": json.dumps({k: v for k, v in cell.items() if k != "generations"}, sort_keys=True),
                "study": tags["study"],
                "cell": tags["cell"],
                "family": tags.get("family") or cell["family"]["kind"],
                "policy": tags.get("policy") or cell["policy"]["kind"],
                "architecture": tags.get("architecture", ""),
                "size": tags.get("size", ""),
                "seed": int(tags.get("seed", cell.get("seed", 0))),
                "status": _status(tags),
                "reason": tags.get("reason", ""),
                "config": configuration(cell),
                "cell_config": run.config,
            }
            | flat
        )
    return described


def _status(tags: Mapping[str, str]) -> str:
    """As the run tells it; a failure that the next run tries again says nothing of the recursion."""
    status = tags.get("status", "")
    return BROKEN if status == FAILED and tags.get("error") == "unexpected" else status


def is_parameter(column: str) -> bool:
    """Whether a column is a hyperparameter (as against a metric, or what names the cell)."""
    return column.startswith(("family.", "policy.", "fork", "population.")) or column == "generations"
