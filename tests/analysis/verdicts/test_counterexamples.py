"""Tests of claims in one configuration: level where they hold, power where they do not, and the bound's coverage."""

import numpy as np
import pytest

from analysis.report import Candidate, Hunt
from analysis.report.sections.hunt import hunt_section
from analysis.verdicts import share_bound, weigh
from analysis.verdicts.counterexamples import late_share
from tests.support import simulated

RUNS = 300


def refuted(assertion: str, law: str, noise: float = 0.1, generations: int = 10, seeds: int = 8) -> float:
    """Share of studies whose single test refutes the assertion, at 5 %."""
    rng = np.random.default_rng(7)
    curve = simulated.LAWS[law](np.arange(1, generations + 1))
    draws = (curve * (1 + noise * rng.standard_normal((seeds, generations))) for _ in range(RUNS))
    return float(np.mean([weigh(assertion, values).p <= 0.05 for values in draws]))


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("generations", [6, 10, 20])
@pytest.mark.parametrize("law", ["accumulate", "accumulate_subsample", "constant"])
def test_a_bounded_law_is_not_called_unbounded(law: str, generations: int, noise: float) -> None:
    assert refuted("bounded", law, noise, generations) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / RUNS)


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("generations", [6, 10, 20])
@pytest.mark.parametrize("law", ["replace", "replace_multiple"])
def test_a_diverging_law_is_not_called_bounded(law: str, generations: int, noise: float) -> None:
    assert refuted("diverges", law, noise, generations) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / RUNS)


def test_counterexamples_are_found_where_they_are() -> None:
    assert refuted("bounded", "replace") >= 0.95
    assert refuted("bounded", "replace_multiple", noise=0.02) >= 0.95
    assert refuted("diverges", "accumulate", noise=0.02) >= 0.9
    assert refuted("diverges", "constant", noise=0.02) >= 0.95


def test_beats_is_tested_on_pairs_at_its_level() -> None:
    """Equal policies are the worst case of a true claim: the level is reached, and not exceeded."""
    rng = np.random.default_rng(3)
    shared = rng.standard_normal((2000, 6, 1)) * np.linspace(0, 5, 8)
    one, other = (2 + shared + 0.1 * rng.standard_normal((2000, 6, 8)) for _ in range(2))
    found = np.mean([weigh("beats", a, b).p <= 0.05 for a, b in zip(one, other, strict=True)])
    assert 0.035 <= found <= 0.065
    worse = other + 0.05 * np.arange(8)
    assert np.mean([weigh("beats", a, b).p <= 0.05 for a, b in zip(worse, other, strict=True)]) > 0.9


def test_a_rise_within_the_margin_is_no_counterexample() -> None:
    rng = np.random.default_rng(0)
    curve = 1 + 0.004 * np.arange(10) + 1e-4 * rng.standard_normal((8, 10))
    assert weigh("bounded", curve).p > 0.5, "it diverges, by less than half a percent a generation"
    assert weigh("diverges", curve).p < 0.05
    assert weigh("bounded", 1 + 2.5 * (curve - 1)).p < 0.05


def test_negative_losses_are_measured_by_their_size() -> None:
    """A negative ELBO per image may be below 0: a rise of 1 from −100 is small."""
    rng = np.random.default_rng(0)
    flat = -100 + 0.1 * np.arange(10) + 0.01 * rng.standard_normal((6, 10))
    assert weigh("bounded", flat).p > 0.5
    assert weigh("bounded", flat + 5 * np.arange(10)).p < 0.01


def test_too_few_generations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^generations: “bounded” is judged from 6 on, not 5$"):
        weigh("bounded", np.ones((4, 5)))


def test_the_share_lies_between_the_laws() -> None:
    """By hand, for 6 generations: Σ1/i² leaves 26 % for the second half, Σ1/i 42 %."""
    assert late_share(6) == pytest.approx((0.263 + 0.424) / 2, abs=0.002)
    assert late_share(20) < late_share(6)


def test_the_bound_is_the_rule_of_three_and_covers() -> None:
    assert share_bound(30, 0) == pytest.approx(1 - 0.05 ** (1 / 30))
    assert share_bound(30, 0) == pytest.approx(3 / 30, rel=0.06)
    assert share_bound(4, 4) == 1.0
    rng = np.random.default_rng(0)
    counts = rng.binomial(20, 0.1, size=4000)
    assert np.mean([share_bound(20, int(count)) >= 0.1 for count in counts]) >= 0.945


def hunt(**changed: object) -> Hunt:
    fields = {"claim": "accumulate stays bounded", "name": "", "samples": 30, "tried": 30, "unjudged": 0, "seeds": 3}
    fields |= {"fresh": 8, "alpha": 0.05, "region": {"rows": "uniform [1, 2]"}, "independent": 10, "suspicious": 0}
    return Hunt(**(fields | {"finished": True} | changed))  # type: ignore[arg-type]


def candidate(p: float) -> Candidate:
    return Candidate({"family.penalty": 3.0}, 0.5, 0.4, 0.3, 0.5, p, p, 8, p <= 0.05)


def test_the_account_claims_no_more_than_was_done() -> None:
    found = " ".join(hunt().sentences)
    assert "Outcome: not refuted" in found
    assert "at most 26%" in found
    assert "rule of three" in found
    assert hunt(finished=False).bound is None
    assert hunt(independent=0).bound is None, "nothing was drawn independently of results"
    assert hunt(candidates=(candidate(0.01),)).bound is None
    held = hunt(suspicious=2)
    assert held.bound is not None
    assert held.bound > 0.4
    assert "2 not retested count against it" in " ".join(held.sentences)


def test_a_refuted_claim_names_the_configuration() -> None:
    found = hunt(candidates=(candidate(0.001), candidate(0.8)))
    assert (found.outcome, len(found.confirmed)) == ("refuted", 1)
    named = "Counterexample: penalty=3; against the claim by +0.40 [+0.30, +0.50] of the first loss"
    assert named in " ".join(found.sentences)
    assert found.tags()["falsify.outcome"] == "refuted"
    shown = hunt_section([found])
    assert shown is not None
    assert shown.exhibits[0].table["confirmed"].tolist() == [True, False]
    assert hunt_section([]) is None
