"""What a hunt for counterexamples came to, in words, tables and tags. Figures only; `sweep` runs the hunt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.data import settings
from analysis.report import tables
from analysis.report.context import Exhibit, Section
from analysis.verdicts import share_bound

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Candidate:
    """A suspicious configuration and its retest.

    Attributes:
        values: what the hunt set, by path.
        explored: strength on exploration seeds: effect less one standard error, in units of the first loss.
        effect, low, high: on fresh seeds; NaN where the retest is not finished or a run failed.
        p: one-sided, of "the claim holds here"; 1 where a run failed.
        p_holm: adjusted over all candidates.
        runs: fresh seeds that finished.
        confirmed: whether it refutes the claim.
    """

    values: Mapping[str, Any]
    explored: float
    effect: float
    low: float
    high: float
    p: float
    p_holm: float
    runs: int
    confirmed: bool


@dataclass(frozen=True)
class Hunt:
    """A hunt so far.

    Attributes:
        claim: what was to be refuted.
        name: of the study's block, "" for the only one.
        samples: configurations asked for.
        tried: configurations that were judged.
        unjudged: configurations that can't be: a run failed, or the family flags an infinite mean.
        seeds: of each configuration.
        fresh: seeds of the retest.
        alpha: level of the retest, over all candidates.
        region: what was searched, by path.
        independent: judged configurations that were drawn independently of all results.
        suspicious: of these, those that spoke against the claim and were not retested.
        candidates: retested ones, strongest first.
        finished: whether nothing of it is left to run.
    """

    claim: str
    name: str
    samples: int
    tried: int
    unjudged: int
    seeds: int
    fresh: int
    alpha: float
    region: Mapping[str, str]
    independent: int
    suspicious: int
    candidates: Sequence[Candidate] = field(default_factory=tuple)
    finished: bool = False

    @property
    def confirmed(self) -> list[Candidate]:
        """Counterexamples that stood the retest."""
        return [candidate for candidate in self.candidates if candidate.confirmed]

    @property
    def titles(self) -> list[str]:
        """Every candidate's values in one line."""
        return settings([candidate.values for candidate in self.candidates])

    @property
    def outcome(self) -> str:
        """`refuted`, `not refuted`, or `unfinished`."""
        if not self.finished:
            return "unfinished"
        return "refuted" if self.confirmed else "not refuted"

    @property
    def bound(self) -> float | None:
        """Upper bound on the share of the region that such a hunt would refute; None where none is valid."""
        if not self.finished or self.confirmed or not self.independent:
            return None
        return share_bound(self.independent, self.suspicious, 1 - self.alpha)

    @property
    def sentences(self) -> list[str]:
        """The account, a sentence or two each."""
        said = [f"Claim: {self.claim}. Outcome: {self.outcome}.", self._searched()]
        titled = zip(self.titles, self.candidates, strict=True)
        said += [self._counterexample(title, candidate) for title, candidate in titled if candidate.confirmed]
        if self.finished and not self.confirmed:
            said.append(self._without())
        return said

    def tags(self) -> dict[str, str]:
        """The outcome as tags of a tracking server's run."""
        head = f"falsify.{self.name}." if self.name else "falsify."
        shown = [{"values": dict(c.values), "effect": c.effect, "p_holm": c.p_holm} for c in self.confirmed]
        tags = {"claim": self.claim, "outcome": self.outcome, "searched": str(self.tried)}
        tags |= {"retested": str(len(self.candidates)), "counterexamples": json.dumps(shown)}
        return {head + name: value for name, value in tags.items()}

    def table(self) -> pd.DataFrame:
        """One row per retested configuration."""
        import pandas as pd

        columns = ["claim", "configuration", "explored", "effect", "low", "high", "runs", "p", "p_holm", "confirmed"]
        rows = [
            (self.claim, title, c.explored, c.effect, c.low, c.high, c.runs, c.p, c.p_holm, c.confirmed)
            for title, c in zip(self.titles, self.candidates, strict=True)
        ]
        return pd.DataFrame(rows, columns=columns)

    def _searched(self) -> str:
        tried = f"{self.tried} of {self.samples} configurations were tried on {self.seeds} seeds each"
        if self.unjudged:
            tried += f" ({self.unjudged} more can't be judged: a run failed, or the mean is infinite)"
        if not self.finished:
            return f"{tried}; the search is not finished."
        if not self.candidates:
            return f"{tried}; none spoke against it, so that none was run again."
        return (
            f"{tried}; the {len(self.candidates)} strongest of those that spoke against it were run again on "
            f"{self.fresh} seeds that the search never saw, at a level of {self.alpha:.0%} over all of them (Holm)."
        )

    def _counterexample(self, title: str, c: Candidate) -> str:
        effect = tables.interval(c.effect, c.low, c.high)
        p = tables.probability(c.p_holm)
        return (
            f"Counterexample: {title}; against the claim by {effect} of the first loss on fresh seeds (0 or less where "
            f"it holds), adjusted p {p}."
        )

    def _without(self) -> str:
        region = "; ".join(f"{path} {word}" for path, word in self.region.items())
        text = f"No counterexample was confirmed in the region {region}."
        if self.bound is None:
            return text + " No independent draw could be judged, so that nothing is said of the rest of the region."
        rule = "rule of three" if not self.suspicious else f"{self.suspicious} not retested count against it"
        return (
            f"{text} By its {self.independent} independent draws, a hunt like this one would refute the claim in at "
            f"most {self.bound:.0%} of the region, as drawn ({1 - self.alpha:.0%} confidence, {rule}); an effect too "
            f"small for {self.seeds} and {self.fresh} seeds is not excluded anywhere."
        )


def hunt_section(hunts: Sequence[Hunt]) -> Section | None:
    """The report's part on hunts; None where there was none."""
    import pandas as pd

    if not hunts:
        return None
    tested = [hunt.table() for hunt in hunts if hunt.candidates]
    exhibits = [_exhibit(pd.concat(tested, ignore_index=True))] if tested else []
    text = [sentence for hunt in hunts for sentence in hunt.sentences]
    text.append(
        "Only this section is corrected for the search. The tables below pool exploration with retests, and a "
        "configuration that was chosen for how it looked on its exploration seeds looks more extreme there than it is."
    )
    return Section("falsify", "Was the claim refuted?", text, (), exhibits)


def _exhibit(found: pd.DataFrame) -> Exhibit:
    shown = found[["claim", "configuration"]].copy()
    shown["on exploration seeds"] = found["explored"].map(tables.number)
    bounds = found[["effect", "low", "high"]].itertuples(index=False, name=None)
    shown["on fresh seeds"] = [tables.interval(*values) for values in bounds]
    shown["seeds"] = found["runs"]
    shown["p (Holm)"] = found["p_holm"].map(tables.probability)
    shown["counterexample"] = found["confirmed"].map({True: "confirmed", False: "no"})
    caption = (
        "Retested configurations. Effects are in units of the first loss, above 0 where they speak against the claim; "
        "on exploration seeds less one standard error, on fresh seeds with a 95 % interval."
    )
    return Exhibit("falsify", caption, found, shown)
