"""`random_features` beside deterministic equivalents: 2,000 replicates, within four standard errors, at settings chosen
beforehand, and limits that are known.

The equivalents leave out terms of order 1/rows and 1/width: about 1 % at a hundred of each, which 2,000 replicates
don't tell. They would at 20 rows.
"""

import numpy as np
import pytest

from analysis.stats import scaling
from analysis.theory import curves, theory
from analysis.theory.random_features import Fit, kappa
from trainables import Cell, run

MIXED = {"kind": "fresh_mix", "real": 0.5, "synthetic": 0.5}
SURROGATE = {"labeller": "surrogate", "distortion": 0.5}
SETTINGS = {
    "replaced": ({"kind": "replace"}, 4, 200, {}),
    "replaced without features": ({"kind": "replace"}, 3, 200, {"width": None, "capacity": 0.0}),
    "half of it fresh": (MIXED, 3, 200, {}),
    "half of it fresh, distorted": (MIXED, 2, 200, {"distortion": 0.3, "penalty": 0.1, "noise": 1.0}),
    "one fit beside a surrogate": (MIXED, 2, 200, SURROGATE),
    "pooled with a surrogate's, shared features": ({"kind": "accumulate"}, 3, 150, SURROGATE | {"features": "shared"}),
    "fewer rows than features": ({"kind": "replace"}, 2, 100, {"width": 160, "capacity": 0.5}),
    "narrow": (MIXED, 2, 200, {"width": 40, "capacity": 1.5, "smoothness": 0.3}),
    "sharper labels": ({"kind": "replace", "bias": 0.5}, 2, 200, {"noise": 1.0}),
}
"""Policy, generations, rows, settings of the family."""


def cell(policy, generations, rows, family, replicates=2000):
    family = {"kind": "random_features", "dim": 80, "width": 60} | family
    fields = {"rows": rows, "generations": generations, "replicates": replicates}
    return Cell.model_validate({"family": family, "policy": policy} | fields)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_measured_as_predicted(name):
    found = list(run(cell(*SETTINGS[name])))
    assert len(curves(cell(*SETTINGS[name]))["test_loss"]) == len(found)
    for record in found:
        gap = record.test_loss - record.metrics["theory_test_loss"]
        assert abs(gap) < 4 * record.metrics["test_loss_se"], record.generation


def predicted(policy=MIXED, generations=2, rows=200, **family):
    return curves(cell(policy, generations, rows, family, replicates=1))["test_loss"]


def test_without_penalty_and_features_it_is_least_squares():
    """Noise adds σ²d/(T − d) a generation: the exact σ²d/(T − d − 1) of Gaussian rows to leading order."""
    found = predicted({"kind": "replace"}, 3, 400, width=None, penalty=1e-8)
    assert found == pytest.approx(0.25 * 80 / 320 * np.arange(1, 4), rel=1e-5)


def test_many_features_are_none():
    wide, none = (predicted({"kind": "replace"}, 3, width=width) for width in (100_000, None))
    assert wide == pytest.approx(none, rel=1e-3)
    assert predicted({"kind": "replace"}, 3, width=60) > none


def test_kappa_solves_its_equation():
    spectrum = np.arange(1, 81.0) ** -1.0
    for rows, width in ((200, 60), (30, 500), (20, np.inf), (np.inf, 10)):
        found = kappa(spectrum, 0.01, rows, width)
        degrees = (spectrum / (spectrum + found)).sum()
        assert degrees < min(rows, width)
        assert found * (1 - degrees / rows) * (1 - degrees / width) == pytest.approx(0.01)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_strong_collapse(share):
    """A constant share of labels of a worse teacher leaves a loss of p²·E‖δ‖² that no number of rows removes; of good
    labels it goes to 0 (Dohmatob et al. 2024, arXiv 2410.04840)."""
    policy = {"kind": "fresh_mix", "real": 1 - share, "synthetic": share}
    plain = {"width": None, "penalty": 1e-8}
    worse = predicted(policy, rows=10**7, **plain, **SURROGATE)[-1]
    assert worse == pytest.approx(share**2 * 0.5, rel=1e-3)
    assert predicted(policy, rows=10**7, **plain, labeller="surrogate")[-1] < 1e-4


def test_wider_models_amplify_worse_labels():
    """What a surrogate's labels add to the loss grows with width, endless rows given (Dohmatob et al. 2024)."""
    added = [
        predicted(rows=10**7, width=width, labeller="surrogate", distortion=0.5)[-1]
        - predicted(rows=10**7, width=width, labeller="surrogate")[-1]
        for width in (10, 40, 160)
    ]
    assert added == sorted(added)
    assert added[-1] > 2 * added[0]


def test_the_target_is_as_smooth_as_stated():
    """Without noise the error of ridgeless regression falls as rows^(−2·r·capacity) (arXiv 2402.07712)."""
    family = {"dim": 5000, "width": None, "penalty": 1e-8, "noise": 1e-4, "capacity": 1.5, "smoothness": 0.4}
    few, many = (predicted({"kind": "replace"}, 1, rows, **family)[0] for rows in (50, 200))
    assert np.log(few / many) / np.log(4) == pytest.approx(2 * 0.4 * 1.5, rel=0.06)


def test_the_scaling_law_against_rows_ends_on_its_plateau():
    """Measured at ten amounts of rows, half of them a surrogate's: the floor is p²·E‖δ‖²."""
    amounts = np.array([60, 80, 110, 150, 200, 300, 450, 700, 1200, 2400])
    family = {"dim": 20, "width": None, "penalty": 1e-4} | SURROGATE
    losses = [[record.test_loss for record in run(cell(MIXED, 2, int(rows), family, 300))] for rows in amounts]
    law = scaling.bootstrap(amounts.astype(float), np.array(losses))
    plateau = 0.5**2 * 0.5
    assert law.floor[1].low < plateau < law.floor[1].high
    assert law.floor[1].value == pytest.approx(plateau, abs=0.01)
    assert law.floor_change[1].low > 0
    assert law.floor[0].value == pytest.approx(0, abs=0.01)


def test_definition_5_sees_the_floor_rise():
    """Of the law against width and rows, as `features/scaling` has it: by replacing more than beside fresh rows."""
    replaced, mixed, worse = (
        law_by_width(policy, family) for policy, family in (({"kind": "replace"}, {}), (MIXED, {}), (MIXED, SURROGATE))
    )
    assert all(law.floor_change[1].low > 0 for law in (replaced, mixed, worse))
    assert replaced.floor_change[1].low > mixed.floor_change[1].high
    assert worse.floor_change[1].low > replaced.floor_change[1].high


def law_by_width(policy, family):
    widths, amounts = np.meshgrid([10, 20, 40, 80], [120, 240, 480, 960])
    steps = list(zip(widths.ravel().tolist(), amounts.ravel().tolist(), strict=True))
    settings = {"dim": 100, "capacity": 1.5} | family
    losses = [predicted(policy, 2, rows, **settings | {"width": width}) for width, rows in steps]
    return scaling.bootstrap(widths.ravel().astype(float), np.array(losses), amounts.ravel().astype(float))


@pytest.mark.parametrize(
    ("policy", "family", "known"),
    [
        ("accumulate", {}, 1),
        ("synthetic_augmentation", {}, 1),
        ("replace", {"features": "shared"}, 1),
        ("replace", {"features": "shared", "width": None}, 3),
        ("accumulate", SURROGATE, 3),
        ({"kind": "weighted_fresh", "weight": 0.5}, {}, 3),
        ({"kind": "weighted_fresh", "weight": 0.8}, {}, 1),
        ("accumulate_subsample", SURROGATE, 1),
        ("verified", {}, 0),
    ],
)
def test_the_curve_ends_where_it_would_not_hold(policy, family, known):
    policy = {"kind": policy} if isinstance(policy, str) else policy
    found = curves(cell(policy, 3, 200, family, 1))
    assert len(found.get("test_loss", ())) == known


def test_what_is_known_of_it_has_a_source():
    known = theory(cell({"kind": "replace"}, 2, 200, {}, 1))
    assert known.metric == "test_loss"
    assert "deterministic equivalents" in known.source


def test_shares_of_one_teacher_are_one_part():
    """Rows of the truth in two parts are fitted as in one."""
    fresh = {"kind": "fresh_mix", "real": 0.5, "synthetic": 0.5}
    split = predicted(fresh, labeller="surrogate", distortion=0.0)
    assert split[0] == pytest.approx(split[1])


def test_a_fit_keeps_what_it_is_shown_of_the_diagonal():
    """Endless rows and no penalty keep everything."""
    fit = Fit.of(np.ones(5), 1e-8, np.inf)
    assert fit.kept(np.arange(5.0)) == pytest.approx(np.arange(5.0), abs=1e-6)
