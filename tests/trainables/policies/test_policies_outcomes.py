"""What policies do to a Gaussian recursion: the direction that each paper reports, many replicates, seeds fixed."""

import math
from functools import cache
from itertools import pairwise

import pytest

from trainables import Cell, run

N, REPLICATES, GENERATIONS = 20, 1000, 6


@cache
def outcome(kind, **fields):
    """Metrics by generation. Fields as in the policy's config."""
    cell = {"family": {"kind": "gaussian"}, "policy": {"kind": kind} | fields, "rows": N, "replicates": REPLICATES}
    return [
        record.metrics | {"real": record.real_fraction}
        for record in run(Cell.model_validate(cell | {"generations": GENERATIONS}))
    ]


def last(metric, kind, **fields):
    """A metric of the last generation and its standard error."""
    found = outcome(kind, **fields)[-1]
    return found[metric], found[f"{metric}_se"]


def assert_rising(*values):
    """Each value lies above the one before by four standard errors of the difference."""
    for (low, low_se), (high, high_se) in pairwise(values):
        assert high - low > 4 * math.hypot(low_se, high_se)


def test_more_memory_is_less_error():
    windows = [last("mean_sq_error", "sliding_window", window=w) for w in (1, 2, 4)]
    assert_rising(*reversed(windows))
    assert last("mean_sq_error", "sliding_window", window=1) == last("mean_sq_error", "replace")


def test_more_synthetic_rows_are_more_error():
    assert_rising(*(last("mean_sq_error", "ratio_mix", ratio=r) for r in (0.0, 0.4, 0.7, 1.0)))


def test_real_rows_that_vanish_faster_leave_more_error():
    assert_rising(*(last("mean_sq_error", "decaying_real", rate=r) for r in (0.1, 0.7, 5.0)))


def test_replacing_with_a_growing_batch_lies_between_replacing_and_accumulating():
    assert_rising(*(last("mean_sq_error", kind) for kind in ("accumulate", "replace_multiple", "replace")))


def test_a_true_verifier_holds_the_mean():
    """Feng et al. 2024: verified rows beat raw ones. Turning the tails down costs variance, which is said too."""
    assert_rising(*(last("mean_sq_error", kind) for kind in ("verified", "self_verified", "replace")))
    assert_rising(last("trace_ratio", "verified"), last("trace_ratio", "replace"))


def test_self_verification_slows_the_drift_of_the_mean():
    """Fu et al. 2025: replacement adds 1/N a generation to the error; verified by the first model, less than half."""
    growth = {kind: outcome(kind)[-1]["mean_sq_error"] - 1 / N for kind in ("self_verified", "replace")}
    assert growth["self_verified"] < 0.5 * growth["replace"]


def test_a_stricter_verifier_keeps_less_variance():
    assert_rising(*(last("trace_ratio", "verified", level=level) for level in (0.4, 0.1, 0.01)))
    assert_rising(last("trace_ratio", "verified", rule="top"), last("trace_ratio", "verified"))


def test_curation_raises_the_reward_and_lowers_the_variance():
    """Ferbach et al. 2024: the expected reward, here the log-density under the truth, rises; variance vanishes."""
    rewards = [-0.5 * (g["mean_sq_error"] + g["trace_ratio"]) for g in outcome("curated")]
    assert rewards == sorted(rewards)
    assert_rising(*(last("trace_ratio", "curated", temperature=t) for t in (0.1, 1.0)), last("trace_ratio", "replace"))
    assert_rising(*(last("trace_ratio", "curated", of=k) for k in (8, 2, 1)))


def test_the_best_of_one_is_no_choice():
    found, se = last("trace_ratio", "curated", of=1)
    expected = (1 - 1 / N) ** GENERATIONS
    assert abs(found - expected) < 4 * se


def test_a_biased_sampler_shrinks_variance_by_lambda_each_generation():
    """Alemohammad et al. 2023: E[Σ_n] = λ(1 − 1/N)·E[Σ_{n−1}] under replacement (maximum likelihood)."""
    for generation, found in enumerate(outcome("biased_sampling", strength=0.7), start=1):
        expected = 0.7 ** (generation - 1) * (1 - 1 / N) ** generation
        assert abs(found["trace_ratio"] - expected) < 4 * found["trace_ratio_se"]


def test_a_detector_brings_real_rows_back():
    """Drayson et al. 2025: where synthetic rows can be told, resampling by confidence raises the real share."""
    weighted = outcome("detector_weighted", bias=0.3)[-1]["real"]
    blind = outcome("accumulate_subsample", bias=0.3)[-1]["real"]
    assert blind == pytest.approx(1 / GENERATIONS, abs=0.01)
    share_se = math.sqrt(blind * (1 - blind) / (N * REPLICATES))
    assert weighted - blind > 4 * math.sqrt(2) * share_se
    assert_rising(
        last("trace_ratio", "accumulate_subsample", bias=0.3), last("trace_ratio", "detector_weighted", bias=0.3)
    )


def test_a_detector_that_tells_nothing_changes_little():
    """Model 1 of a Gaussian is nearly the truth: the detector is near chance, the real share near 1/n."""
    assert outcome("detector_weighted")[-1]["real"] == pytest.approx(1 / GENERATIONS, abs=0.05)
