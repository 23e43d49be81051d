"""The suites have teeth: a policy or family that breaks its contract fails the check that guards it."""

import random
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pytest

from trainables.families import Evaluation
from trainables.families.closed_form.gaussian import Gaussian, GaussianConfig
from trainables.policies import FRESH, Draw, PolicyConfig, Recipe, Sampling
from trainables.testing import FAMILY_CHECKS, POLICY_CHECKS, Bench

POLICY = {check.__name__: check for check in POLICY_CHECKS}
FAMILY = {check.__name__: check for check in FAMILY_CHECKS}


class Sound(PolicyConfig):
    """A policy outside the vocabulary of parts: every other batch."""

    kind: Literal["sound"] = "sound"
    times: ClassVar[int] = 1

    def requires(self):
        return frozenset({"bias"} if self.bias != 1 else ())

    def draws(self, generation, budget):
        return (Draw(batches=tuple(range((generation - 1) % 2, generation, 2))),)

    def later(self, generation, budget):
        draws = self.draws(generation, budget)
        return Recipe(generation=generation, sampling=Sampling(rows=budget.rows, bias=self.bias), draws=draws)


class Impure(Sound):
    def draws(self, generation, budget):
        type(self).times += 1
        return (Draw(batches=(0,), how="bootstrap", rows=self.times),)


class Greedy(Sound):
    def draws(self, generation, budget):
        return (Draw(batches=(0,), how="first", rows=budget.rows + 1),)


class Wasteful(Sound):
    def draws(self, generation, budget):
        return (Draw(batches=(FRESH,), how="first", rows=budget.rows),)


class Secretive(Sound):
    def draws(self, generation, budget):
        return (Draw(batches=tuple(range(generation)), how="scored", rows=budget.rows),)


class Deaf(Sound):
    def requires(self):
        return frozenset()


class Impatient(Sound):
    def recipe(self, generation, budget):
        return self.later(2, budget).model_copy(update={"generation": generation, "sampling": None})


def test_a_sound_policy_passes():
    for check in POLICY_CHECKS:
        check(Sound())


@pytest.mark.parametrize(
    ("policy", "check"),
    [
        (Impure(), "policy_is_pure"),
        (Greedy(), "policy_names_what_exists"),
        (Wasteful(), "policy_never_reuses_fresh_rows"),
        (Secretive(), "policy_declares_its_needs"),
        (Deaf(), "policy_takes_the_bias_modifier"),
        (Impatient(), "policy_starts_on_real_rows"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PolicyConfig) else value,
)
def test_a_broken_policy_is_caught(policy, check):
    with pytest.raises(AssertionError):
        POLICY[check](policy)


def test_a_policy_that_names_the_future_cannot_be_written():
    with pytest.raises(ValueError, match="generation 3 can't draw on batch 3"):
        Recipe(generation=3, sampling=Sampling(rows=1), draws=(Draw(batches=(3,)),))


def seeded(original):
    def method(self, *args, **kwargs):
        random.seed(0)
        return original(self, *args, **kwargs)

    return method


def noisy(original):
    def method(self, *args, **kwargs):
        found = original(self, *args, **kwargs)
        noise = np.random.default_rng().normal(size=found.tensors["mean"].shape)
        return replace(found, tensors={**found.tensors, "mean": found.tensors["mean"] + noise})

    return method


def unweighted(original):
    def method(self, corpus, stream):
        parts = tuple(replace(part, weight=1.0) for part in corpus.parts)
        return original(self, replace(corpus, parts=parts), stream)

    return method


def wide(original):
    def method(self, model, stream):
        found = original(self, model, stream)
        return Evaluation(float("nan"), {"Bad Name": 1.0}, found.replicates)

    return method


def blind(original):
    return lambda self, model, rows, stream, bias=1.0: original(self, model, rows, stream)


def anywhere(original):
    return lambda self, batch, index: original(self, batch, np.zeros_like(index))


def idle(original):
    def correct(self, corrector, model, batch, strength, stream):
        return replace(batch, meta={**batch.meta, "moved": strength})

    return correct


def short(original):
    return lambda self, start, rows: original(self, start, max(rows - 1, 1))


def talkative(original):
    def evaluate(self, model, stream):
        found = original(self, model, stream)
        return replace(found, metrics={**found.metrics, "novelty": 0.5})

    return evaluate


def silent(original):
    return lambda self, model, stream: replace(original(self, model, stream), metrics={})


def crossed(original):
    return lambda self, models, streams: original(self, models[::-1], streams[::-1])


def careless(original):
    return lambda self, model, stream: Evaluation(0.5)


@pytest.mark.parametrize(
    ("method", "defect", "check"),
    [
        ("fit", noisy, "family_is_deterministic"),
        ("sample", seeded, "family_touches_no_global_generator"),
        ("fit", unweighted, "family_fits_any_corpus"),
        ("evaluate", wide, "family_evaluates_cleanly"),
        ("evaluate", careless, "family_reports_divergence"),
        ("sample", blind, "family_biases_its_sampler"),
        ("evaluate", talkative, "family_declares_its_metrics"),
        ("evaluate", silent, "family_declares_its_metrics"),
        ("evaluate_each", crossed, "family_judges_alike_together"),
        ("take", anywhere, "family_scores_rows"),
        ("correct", idle, "family_corrects_rows"),
        ("real", short, "family_counts_rows"),
    ],
)
def test_a_broken_family_is_caught(monkeypatch, method, defect, check):
    FAMILY[check](Bench("gaussian"))
    monkeypatch.setattr(Gaussian, method, defect(getattr(Gaussian, method)))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        FAMILY[check](Bench("gaussian"))


@pytest.mark.parametrize("role", ["sampling_fields", "evaluation_fields", "judge_fields"])
def test_a_field_in_the_wrong_role_is_caught(monkeypatch, role):
    """`estimator` shapes the model; called anything else, the keys follow, and so must what is computed."""
    monkeypatch.setattr(GaussianConfig, role, frozenset({"estimator"}))
    FAMILY["family_keys_follow_roles"](Bench("gaussian"))
    with pytest.raises(AssertionError):
        FAMILY["family_results_follow_roles"](Bench("gaussian"))
