"""What a reader of somebody else's table must know of it beside its figures, in lines for the terminal and the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FIRST = "first_generation"
"""In a frame's `attrs`: what the file calls its first generation, which is 1 here."""
ASIDE = "set_aside"
"""In a frame's `attrs`: columns that are constant within each run and no hyperparameters, and why."""
TURNED = "turned"
"""In a frame's `attrs`: the file's name of a `test_loss` whose sign was turned; empty where none was."""

DOUBT = "doubt"
"""In a frame's `attrs`: why the direction of a `test_loss` is doubtful that nobody told; empty where it is not."""

BETTER = re.compile(
    r"acc|likelihood|loglik|logprob|logp|ll|elbo|auprc|map|ap|bleu\d?|rouge\w*|chrf|meteor|f1|r2|rsquared|r²|rewards?"
    r"|precision|recall|iou|jaccard|dice|ssim|psnr|mrr|ndcg|top\d+|hits?|pass|em|exact|correct|wins?|winrate|success|kappa"
    r"|mcc|similarity|coverage|diversity|quality|agreement|corr|correlation|returns?|\w*(accuracy|likelihood|score|auc|auroc)",
    re.IGNORECASE,
)
"""Words in names of figures that are better when they are larger."""
WORSE = re.compile(
    r"\w*loss(es)?|\w*errors?|err|nll|mse|rmse|mae|perplexity|ppl|crossentropy|xent|bpb|bpc|kl|fid|kid|wer|cer"
    r"|brier|distance|divergence|regret|risk|ece|toxicity|lpips",
    re.IGNORECASE,
)
"""Words in names of figures that are worse when they are larger, whatever else the name holds: a dice loss."""
_TURNED = re.compile(r"(neg(ative)?|minus|-)[_ -]*(log[_ -]*)?(likelihood|prob|elbo|ll|reward|score)", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[fFrR]\d")
_TOLERANCE = 0.05


def notes(frame: pd.DataFrame) -> list[str]:
    """What was done to a table's figures and columns, a line each.

    Args:
        frame: what was read.
    """
    return [told for told in (turned(frame), renumbered(frame), spacing(frame), set_aside(frame)) if told]


def require_direction(frame: pd.DataFrame) -> None:
    """Refuse a table of whose `test_loss` nobody knows which way is for the worse.

    Args:
        frame: what was read.

    Raises:
        ValueError: it is doubtful, and nobody said.
    """
    if frame.attrs.get(DOUBT):
        raise ValueError(f"{frame.attrs[DOUBT]}, else --worse higher (in Python `worse=` of `load` or `assess`)")


def turned(frame: pd.DataFrame) -> str:
    """Says so where less is worse; empty elsewhere.

    Args:
        frame: what was read.
    """
    name = frame.attrs.get(TURNED, "")
    return f"test_loss: is minus {name}, of which less is worse; what grows here gets worse" if name else ""


def suspicion(columns: Mapping[str, str], frame: pd.DataFrame | None = None) -> str:
    """Why a mapped loss may be none; empty where neither its name nor its values say anything of the kind.

    By its name, or, where that says neither, as what lies between 0 and 1, or below 0, falls over the generations: as a
    loss it gets better.

    Args:
        columns: our names -> the file's.
        frame: what was read.
    """
    theirs = columns.get("test_loss", "test_loss")
    words = _words_of(_TURNED.sub("", theirs))
    if _are(WORSE, words):
        return ""
    if _are(BETTER, words):
        return f"test_loss={theirs}: looks like something that is better when it is larger; if so, say --worse lower"
    return "" if frame is None else _falling(theirs, frame)


def _words_of(name: str) -> list[str]:
    """Words of a name however it is written, pairs of neighbours as one too: `log prob`, `win_rate`."""
    found = []
    for words in (re.split(r"[^A-Za-z0-9²]+", name), _WORDS.findall(name)):
        found += [*words, *(first + second for first, second in pairwise(words))]
    return found


def _are(kind: re.Pattern[str], words: Iterable[str]) -> bool:
    return any(kind.fullmatch(word) for word in words)


def renumbered(frame: pd.DataFrame) -> str:
    """Says so where the file's first generation is not 1; empty elsewhere.

    Args:
        frame: what was read.
    """
    first = frame.attrs.get(FIRST, 1)
    return "" if first == 1 else f"generation: counted from 1 here; the file's first is {first}"


def spacing(frame: pd.DataFrame) -> str:
    """Says so where generations are numbered in steps: growth is then per label, not per fit; empty elsewhere.

    Args:
        frame: what was read.
    """
    gaps = np.diff(np.unique(frame["generation"].to_numpy()))
    if len(gaps) == 0 or gaps.min() == 1:
        return ""
    steps = f"in steps of {gaps[0]}" if len(set(gaps)) == 1 else f"in steps of {gaps.min()} to {gaps.max()}"
    return f"generation: numbered {steps}; verdicts do not depend on it, growth is per number and not per fit"


def set_aside(frame: pd.DataFrame) -> str:
    """Says which columns were taken for no hyperparameters; empty where there is none.

    Args:
        frame: what was read.
    """
    told = [f"{name} {why}" for name, why in frame.attrs.get(ASIDE, {}).items()]
    if not told:
        return ""
    first = next(iter(frame.attrs[ASIDE]))
    return f"{'; '.join(told)}: no hyperparameter here; to make it one, map it (--column family.{_word(first)}={first})"


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_") or "name"


def _falling(name: str, frame: pd.DataFrame) -> str:
    values = frame.loc[np.isfinite(frame["test_loss"]), ["cell", "generation", "test_loss"]].sort_values("generation")
    low, high = values["test_loss"].min(), values["test_loss"].max()
    runs = values.groupby("cell")["test_loss"]
    first, last = runs.first().mean(), runs.last().mean()
    where = "between 0 and 1" if low >= 0 and high <= 1 else "below 0" if high < 0 else ""
    if not where or last >= first - _TOLERANCE * abs(first):
        return ""
    return (
        f"test_loss={name}: lies {where} and falls, from {first:.3g} to {last:.3g} in the mean, which counts as "
        f"getting better; if it is {'an accuracy' if low >= 0 else 'a log-likelihood'}, say --worse lower"
    )
