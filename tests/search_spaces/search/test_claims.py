"""Claims that a hunt can try to refute, and what a hunt takes."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces import Block, Choice, FalsifySearch, Grid, OptunaSearch, Range
from search_spaces.search import Confirm
from search_spaces.search.claims import FEWEST_GENERATIONS, Claim, parse_claim
from search_spaces.study import Study
from trainables.config import explain

CELL: dict[str, Any] = {"family": {"kind": "linear"}, "rows": 50, "generations": 6}
SPACE = {"family.noise": Range(low=0.1, high=3.0)}


def line(**block: Any) -> str:
    """What a study with this block is told."""
    raw = {"cell": CELL, "space": SPACE, "search": {"kind": "falsify", "claim": "replace diverges"}} | block
    with pytest.raises(ValueError, match=r".") as caught:
        Study.model_validate({"name": "s", "blocks": [raw]})
    return explain(caught.value, Study)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("accumulate stays bounded", Claim("accumulate", "bounded")),
        ("accumulate does not collapse", Claim("accumulate", "bounded")),
        ("replace diverges", Claim("replace", "diverges")),
        ("replace collapses", Claim("replace", "diverges")),
        ("accumulate beats replace", Claim("accumulate", "beats", "replace")),
        ("  accumulate\n stays   bounded ", Claim("accumulate", "bounded")),
    ],
)
def test_a_claim_is_a_policy_and_what_is_said_of_it(text: str, claim: Claim) -> None:
    assert parse_claim(text) == claim


def test_a_comparison_runs_both_policies_and_other_claims_one() -> None:
    assert parse_claim("accumulate beats replace").policies == ("accumulate", "replace")
    assert parse_claim("replace diverges").policies == ("replace",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "accumulate is safe",
            "claim: 'accumulate is safe' is none of the forms POLICY stays bounded, POLICY diverges, "
            "POLICY beats POLICY",
        ),
        ("replace beats accumulate soundly", "claim: 'replace beats accumulate soundly' is none of the forms"),
        ("replace", "claim: 'replace' is none of the forms"),
        ("", "claim: '' is none of the forms"),
        ("replace beats replace", "claim: 'replace' can't beat itself"),
        ("replcae diverges", "claim: unknown policy 'replcae'; did you mean 'replace'?"),
        ("replace beats acumulate", "claim: unknown policy 'acumulate'; did you mean 'accumulate'?"),
        ("replace Diverges", "claim: 'replace Diverges' is none of the forms"),
    ],
)
def test_what_is_no_claim_is_told_with_the_forms_or_the_nearest_policy(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^claim: ") as caught:
        parse_claim(text)
    assert str(caught.value).startswith(said)
    assert line(search={"kind": "falsify", "claim": text}).startswith("blocks.0.search." + said)


@pytest.mark.parametrize(("claim", "fewest"), [("replace diverges", 6), ("accumulate stays bounded", 6)])
def test_growth_is_judged_from_six_generations_on(claim: str, fewest: int) -> None:
    search = {"kind": "falsify", "claim": claim}
    assert line(cell=CELL | {"generations": fewest - 1}, search=search) == (
        f"blocks.0.cell.generations: this claim is judged from {fewest} on, not {fewest - 1}"
    )
    assert Block(cell=CELL | {"generations": fewest}, space=SPACE, search=FalsifySearch(claim=claim))


def test_a_comparison_needs_a_first_and_a_last_generation() -> None:
    search = FalsifySearch(claim="accumulate beats replace")
    assert Block(cell=CELL | {"generations": 2}, space=SPACE, search=search)
    assert "judged from 2 on, not 1" in line(
        cell=CELL | {"generations": 1}, search={"kind": "falsify", "claim": "accumulate beats replace"}
    )
    assert set(FEWEST_GENERATIONS) == {"bounded", "diverges", "beats"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"space": SPACE | {"seed": Choice(values=(0, 1))}},
            "space.seed: search.seeds says how many seeds; leave it out",
        ),
        (
            {"space": SPACE | {"policy.kind": Choice(values=("replace",))}},
            "space.policy.kind: the claim names the policies; leave it out",
        ),
        (
            {"space": SPACE | {"policy": Choice(values=({"kind": "replace"},))}},
            "space.policy: the claim names the policies; leave it out",
        ),
        (
            {"space": SPACE | {"rows": Grid(values=(20, 40))}},
            "space.rows: a falsify search draws every path; say choice in place of grid",
        ),
        (
            {"space": {"rows": Grid(values=(20, 40))}},
            "space: a search of kind falsify needs a path to draw, and all are grids",
        ),
        ({"cell": CELL | {"seed": 3}}, "cell.seed: exploration counts seeds from 0; leave it out"),
        (
            {"cell": CELL | {"policy": {"kind": "accumulate"}}},
            "cell.policy: the claim is about replace; leave it out",
        ),
        (
            {"scheduler": {"kind": "asha"}},
            "scheduler: a hunt judges whole recursions; leave it out",
        ),
        (
            {"search": {"kind": "falsify", "claim": "replace diverges", "sampler": "cmaes"}},
            "search.sampler: cmaes needs two paths to draw, and there is one; use tpe or gp",
        ),
    ],
)
def test_what_the_claim_decides_is_no_matter_of_the_space(changes: dict[str, Any], said: str) -> None:
    assert line(**changes) == f"blocks.0.{said}"


def test_a_policy_that_the_claim_is_about_may_have_settings_of_its_own() -> None:
    cell = CELL | {"policy": {"kind": "sliding_window", "window": 5}}
    assert Block(cell=cell, space=SPACE, search=FalsifySearch(claim="sliding_window stays bounded"))
    assert Block(cell=CELL | {"policy": "replace"}, space=SPACE, search=FalsifySearch(claim="replace diverges"))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("alpha", 0.0, "search.alpha: input should be greater than 0, not 0.0"),
        ("alpha", 0.5, "search.alpha: input should be less than 0.5, not 0.5"),
        ("seeds", 1, "search.seeds: input should be greater than or equal to 2, not 1"),
        ("num_samples", 0, "search.num_samples: input should be greater than or equal to 1, not 0"),
        ("independent", 0, "search.independent: input should be greater than or equal to 1, not 0"),
        ("confirm", {"seeds": 2}, "search.confirm.seeds: input should be greater than or equal to 3, not 2"),
        ("confirm", {"candidates": 0}, "search.confirm.candidates: input should be greater than or equal to 1, not 0"),
        ("seed", -1, "search.seed: input should be greater than or equal to 0, not -1"),
    ],
)
def test_numbers_that_no_hunt_can_use_are_refused(field: str, value: Any, said: str) -> None:
    search = {"kind": "falsify", "claim": "replace diverges", field: value}
    assert line(search=search) == f"blocks.0.{said}"


def test_no_exploration_seed_is_ever_a_retest_s() -> None:
    """Luck in the search must not be counted as evidence: the page counts retests from 1,000,000."""
    most = FalsifySearch(claim="replace diverges", seeds=1000, confirm=Confirm(seeds=1000))
    assert not set(range(most.seeds)) & set(most.fresh_seeds)
    assert most.fresh_seeds == range(1_000_000, 1_001_000)
    assert FalsifySearch(claim="replace diverges").fresh_seeds == range(1_000_000, 1_000_008)


def test_a_hunt_seeks_the_most_suspicious_with_its_own_sampler_and_seed() -> None:
    hunt = FalsifySearch(claim="replace diverges", num_samples=17, seed=5, sampler={"kind": "qmc"})
    sought = hunt.exploration
    assert isinstance(sought, OptunaSearch)
    assert (sought.mode, sought.num_samples, sought.seed, sought.sampler.kind) == ("max", 17, 5, "qmc")
    assert (hunt.draw_seed, hunt.suggestions, hunt.retests, hunt.ranking) == (5, 17, 3, None)


def test_what_the_page_says_of_a_hunt_s_defaults_is_so() -> None:
    """docs/howto/falsify-a-claim.md: three seeds, ten independent draws, alpha 0.05."""
    hunt = FalsifySearch(claim="replace diverges")
    assert (hunt.seeds, hunt.independent, hunt.alpha, hunt.sampler.kind) == (3, 10, 0.05, "tpe")
    assert (hunt.confirm.candidates, hunt.confirm.seeds) == (3, 8)
