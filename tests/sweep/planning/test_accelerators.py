"""Hours of an accelerator: by measured rates where a family has some, else at a stated share of its peak."""

from __future__ import annotations

import pytest

from sweep.errors import UsageError
from sweep.planning import PEAK, UTILISATION, check_card, time_on
from sweep.planning.accelerators import seconds_on
from sweep.planning.forecast import Effort
from sweep.planning.speeds import Make
from trainables.families import FAMILIES

VAE, LANGUAGE = Make("vae", "1k", 1_000, "a"), Make("language", "llama 42M", 42_000_000, "b")
RATES = FAMILIES.get("language").card_rates


def test_without_measured_rates_hours_are_operations_over_a_share_of_the_peak() -> None:
    found = time_on("A100", {VAE: Effort(1, PEAK["A100"] * UTILISATION * 7200)})
    assert found.hours == pytest.approx(2)
    assert found.assumed
    assert not found.measured


def test_fits_and_samples_of_language_models_go_by_what_was_measured() -> None:
    """42M: 152 TFLOP/s of 6 operations a parameter and token; 127k sampled tokens a second, and their arithmetic."""
    tokens = 127_000 * 60
    work = Effort(1, 152e12 * 3600, 2.0 * LANGUAGE.parameters * tokens)
    fitting, sampling = seconds_on("H200", LANGUAGE, work)
    assert fitting == pytest.approx(3600)
    assert sampling == pytest.approx(60 + work.sampling / (0.3 * PEAK["H200"]))
    found = time_on("H200", {LANGUAGE: work, VAE: Effort()})
    assert list(found.measured) == ["language"]
    assert not found.assumed
    slower = seconds_on("A100", LANGUAGE, work)
    assert slower[0] == pytest.approx(3600 * PEAK["H200"] / PEAK["A100"])


def test_a_stated_share_of_the_peak_goes_before_what_was_measured() -> None:
    assert seconds_on("H100", LANGUAGE, Effort(1, PEAK["H100"], 0.0), 0.5)[0] == pytest.approx(2)


@pytest.mark.parametrize(
    ("parameters", "rate"), [(1e5, 95e12), (9e6, 95e12), (12e6, 84e12), (42e6, 152e12), (126e6, 160e12), (1e9, 160e12)]
)
def test_rates_are_the_measured_ones_at_measured_sizes_and_the_nearest_beyond(parameters: float, rate: float) -> None:
    assert RATES.fit_rate(parameters) == pytest.approx(rate)


def test_rates_lie_between_their_neighbours() -> None:
    assert 84e12 < RATES.fit_rate(22e6) < 152e12


def test_an_unknown_accelerator_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'H100'"):
        check_card("H10")


def test_closed_forms_take_no_accelerator_and_are_named_as_what_runs_on_cores() -> None:
    forms = {Make(kind, "dim 1", 1, kind): Effort(1, 1e18, 1e18) for kind in ("linear", "gaussian")}
    found = time_on("A100", forms | {VAE: Effort(1, PEAK["A100"] * UTILISATION * 3600)})
    assert found.hours == pytest.approx(1)
    assert found.on_cores == ("gaussian", "linear")
    assert time_on("A100", {VAE: Effort()}).on_cores == ()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_plan_counts_what_trials_will_reserve(family: str) -> None:
    """Whoever is given no share of a GPU by the scheduler has no GPU-hours."""
    config = FAMILIES.get(family)
    found = time_on("H100", {Make(family, "any", 1_000, "any"): Effort(1, 1e15, 1e15)})
    assert (found.hours > 0) is config.accelerated
    assert (found.on_cores == (family,)) is not config.accelerated
