"""The laws that verdicts tell apart, the noise that they stand in, and the contrasts between them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.stats import law_set, noise
from analysis.stats.contrasts import design_of
from analysis.stats.description import bounded_described, diverging_described, grown, jumped
from analysis.stats.exclusion import _cost as cost
from analysis.stats.exclusion import bounds, exclude, excluded, model_freedom, needed
from analysis.stats.law_set import BOUNDED, DIVERGING

G = 20
N = np.arange(1.0, G + 1)
LINE, SUMS = N, np.cumsum(1 / N**2)
MODELS = [0, 3, 8, 12, noise.COUNT - 1]
"""Independent errors, some that accumulate beside them, a random walk, growing noise, a walk that grows."""


def covariance(model: int, generations: int = G) -> np.ndarray:
    """V of a model, written out."""
    share, growth = noise.WALKS[model % len(noise.WALKS)], noise.GROWTHS[model // len(noise.WALKS)]
    n = np.arange(1.0, generations + 1)
    walk = np.array([[min(i, j) for j in n] for i in n])
    both = walk if np.isinf(share) else np.eye(generations) + share * walk
    return np.outer(n**growth, n**growth) * both


def studies(law: np.ndarray, runs: int, deviation: float, count: int = 1, seed: int = 0) -> np.ndarray:
    return law + deviation * np.random.default_rng(seed).standard_normal((count, runs, len(law)))


def test_every_bounded_law_comes_to_rest_and_no_diverging_one_does() -> None:
    """Over a long run: of its rise a bounded law makes less in the last tenth than a line does."""
    for law in law_set.bounded(200):
        rise = law.shape - law.shape[0]
        assert (rise[-1] - rise[-21]) / rise[-1] < 0.1, law.text
        assert (np.diff(law.shape) > -1e-12).all(), law.text
    for law in law_set.diverging(200):
        assert (np.diff(law.shape) >= 0).all(), law.text
        assert law.shape[-1] > law.shape[-21], law.text


def test_laws_are_their_formulas() -> None:
    named = {law.text: law.shape for law in (*law_set.bounded(G), *law_set.diverging(G), *law_set.jumps(G))}
    formulas = {
        "a + b·Σ1/i²": SUMS,
        "a + b·Σ1/i": np.cumsum(1 / N),
        "a + b·ln n": np.log(N),
        "a − b·n^-0.5": -(N**-0.5),
        "a + b·n^1.5": N**1.5,
        "a + b·n": N,
        "a + b·exp(0.1·n)": np.exp(0.1 * (N - G)),
        "a + b·max(n − 10.5, 0)": np.where(N > 10.5, N - 10.5, 0),
        "a + b·min(n, 15.2)": np.where(N < 15.25, N, 15.25),
        "a − b·exp(−n/0.35)": -np.exp(-N / 0.35),
        "a − b·exp(−n/10)": -np.exp(-N / 10),
    }
    for text, shape in formulas.items():
        np.testing.assert_allclose(named[text], shape, atol=1e-12, err_msg=text)
    late = law_set.jump(N, G, 0.25, 1.0).shape
    assert (late[0], late[-1]) == pytest.approx((0.0, 1.0))
    assert late[1] == pytest.approx(0.75 * (1 - np.exp(-1)) / (1 - np.exp(-19)) + 0.25 / 19)


@pytest.mark.parametrize(("generations", "constant"), [(10, 9.75), (19, 9.75), (40, 20.0)])
def test_the_slowest_approach_is_half_the_run_or_that_of_a_twentieth_of_real_rows(generations: int, constant: float):
    assert law_set.slowest(generations) == pytest.approx(constant, abs=0.01)


@pytest.mark.parametrize("kind", [BOUNDED, DIVERGING])
def test_rivals_are_of_the_class_that_they_stand_for(kind: str) -> None:
    own = (*law_set.approaches(G), *law_set.bounded(G)) if kind == BOUNDED else law_set.diverging(G)
    for rival in law_set.rivals(kind, G):
        unit = (rival.shape - rival.shape.mean()) / rival.shape.std()
        near = max(abs(float(unit @ (law.shape - law.shape.mean())) / law.shape.std() / G) for law in own)
        assert near > 0.995, rival


@pytest.mark.parametrize("model", MODELS)
def test_whitened_errors_are_equal_and_independent(model: int) -> None:
    white = noise.whitener(model, G)
    np.testing.assert_allclose(white @ np.ones(G), 0, atol=1e-9)
    spread = white @ covariance(model) @ white.T
    np.testing.assert_allclose(spread, spread[0, 0] * np.eye(G - 1), atol=1e-9 * spread[0, 0])
    keep = noise.contrasts(G)
    assert np.linalg.slogdet(white @ keep.T)[1] == pytest.approx(0, abs=1e-9)
    levelled = noise.whitener(model, G, levels=True)
    np.testing.assert_allclose(levelled @ covariance(model) @ levelled.T, spread[0, 0] * np.eye(G), atol=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_the_root_of_a_covariance_is_in_units_of_whitened_errors(model: int) -> None:
    white = noise.whitener(model, G)
    root = noise.root(model, 0.3, G, G)
    np.testing.assert_allclose(white @ root @ root.T @ white.T, 0.3 * np.eye(G - 1), atol=1e-9)
    longer = noise.root(model, 0.3, G, 2 * G)
    np.testing.assert_allclose((longer @ longer.T)[:G, :G], root @ root.T, rtol=1e-9)


@pytest.mark.parametrize(("model", "walking"), [(0, False), (1, True), (8, True), (9, False), (26, True)])
def test_which_models_accumulate(model: int, walking: bool) -> None:
    assert noise.walks(model) is walking
    assert model_freedom(model, 5, 12) == (4 if walking else 20)
    assert model_freedom(model, 5, 100) == (4 if walking else 32)


@pytest.mark.parametrize("model", [0, 8, 18])
def test_the_noise_is_found(model: int) -> None:
    root = np.linalg.cholesky(covariance(model))
    values = 0.5 * np.random.default_rng(0).standard_normal((40, 30, G)) @ root.T
    apart = values - values.mean(axis=1, keepdims=True)
    found = noise.estimate(np.swapaxes(apart, 1, 2) @ apart / 29, 29)
    assert (found.model == model).mean() > 0.8
    white = noise.whitener(model, G)
    true = 0.25 * (white @ covariance(model) @ white.T)[0, 0]
    assert np.median(found.variance) == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize("model", MODELS)
def test_a_contrast_sees_its_rival_and_neither_its_law_nor_a_level(model: int) -> None:
    design = design_of(model, G)
    for kind, contrasts in ((BOUNDED, design.bounded), (DIVERGING, design.diverging)):
        laws = law_set.bounded(G) if kind == BOUNDED else law_set.diverging(G)
        rivals = law_set.rivals(DIVERGING if kind == BOUNDED else BOUNDED, G)
        by_rival = contrasts.reshape(len(rivals), len(laws), G)
        np.testing.assert_allclose(contrasts @ np.ones(G), 0, atol=1e-8)
        for j, law in enumerate(laws):
            size = np.linalg.norm(law.shape)
            np.testing.assert_allclose(by_rival[:, j] @ law.shape / size, 0, atol=1e-7)
        for rival, own in zip(rivals, by_rival, strict=True):
            assert (own @ rival.shape > 0).all()
        spread = np.einsum("ig,gh,ih->i", contrasts, covariance(model), contrasts)
        np.testing.assert_allclose(spread, spread[0], rtol=1e-6)


def test_pairs_and_growth_beside_a_law_are_bases() -> None:
    design = design_of(0, G)
    for one, two in (design.pairs, design.growing, design.quickening):
        np.testing.assert_allclose((one**2).sum(axis=1), 1)
        np.testing.assert_allclose((two**2).sum(axis=1), 1)
        np.testing.assert_allclose((one * two).sum(axis=1), 0, atol=1e-9)
    assert len(design.pairs[0]) == 11 * 10 / 2
    assert len(design.growing[0]) == 11 * len(law_set.rivals(DIVERGING, G))


TESTS = (diverging_described, bounded_described, jumped, grown)


def described(curve: np.ndarray, variance: float) -> tuple[bool, ...]:
    """By a diverging law, by a bounded one, by a jump and a line, by a jump and growth that does not slow down."""
    white, error, design = curve[None] @ noise.whitener(0, G).T, np.array([variance]), design_of(0, G)
    return tuple(bool(test(white, error, design)[0]) for test in TESTS)


def test_what_describes_a_precise_curve() -> None:
    assert described(LINE, 1e-6)[:3] == (True, False, False)
    assert described(SUMS, 1e-6) == (False, True, False, False)
    assert described(law_set.jump(N, G, 0.4, 1.0).shape, 1e-6) == (False, False, True, True)
    assert described(np.sin(N), 1e-6) == (False, True, False, False), "no growth does better"
    quickened = 1 - np.exp(1 - N) + 2 * (N / G) ** 1.5
    assert described(quickened, 1e-6)[::3] == (False, True)
    assert described(quickened - 4 * np.exp(-N), 1e-6)[3], "whatever the jump's size"
    assert not described((N / G) ** 1.5 - (1 - np.exp(1 - N)), 1e-6)[3], "a fall is no jump"


@pytest.mark.parametrize("curve", [1 / (1 + np.exp((G / 2 - N) / 3)), -np.exp(-N) - np.exp(-N / 7) - np.exp(-N / 4)])
def test_what_slows_down_is_no_growth_after_a_jump(curve: np.ndarray) -> None:
    """A sigmoid, and three approaches: bounded, and like no law of one term."""
    assert not described(curve, 1e-6)[3]


def test_what_is_lost_in_noise_is_described_by_anything() -> None:
    assert described(SUMS, 10.0)[1]
    assert described(LINE, 10.0)[1]


@pytest.mark.parametrize(("truth", "kind"), [(LINE, BOUNDED), (SUMS, DIVERGING)])
def test_a_precise_curve_excludes_the_other_class(truth: np.ndarray, kind: str) -> None:
    found = exclude(studies(truth, 5, 0.01))
    own, other = (found.p_bounded, found.p_diverging) if kind == BOUNDED else (found.p_diverging, found.p_bounded)
    assert own < 1e-6
    assert other > 0.05
    names = {law.family for law in (law_set.bounded(G) if kind == BOUNDED else law_set.diverging(G))}
    assert names <= set(excluded(found, 0, G))
    assert not {"line"} & set(excluded(found, 0, G)) if kind == BOUNDED else "Σ1/i²" not in excluded(found, 0, G)


def test_studies_are_judged_each_by_itself_and_in_order() -> None:
    """Of noise of several kinds, so that they are judged in parts."""
    walk = np.cumsum(0.05 * np.random.default_rng(1).standard_normal((2, 6, G)), axis=2) + LINE
    values = np.concatenate([walk[:1], studies(LINE, 6, 0.05), walk[1:], studies(SUMS, 6, 0.05)])
    together = exclude(values)
    assert len(set(together.noise.model.tolist())) > 1
    for number in range(len(values)):
        alone = exclude(values[number : number + 1])
        for name in ("p_bounded", "p_diverging", "strength_bounded", "described", "bounded_described", "freedom"):
            np.testing.assert_allclose(getattr(together, name)[number], getattr(alone, name)[0], rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1, 20), (1, 5, 3)])
def test_too_few_exclude_nothing(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"^needs 2 recursions and 4 generations"):
        exclude(np.zeros(shape))


@pytest.mark.parametrize(
    ("kind", "generations", "walking", "factor"),
    [
        (BOUNDED, 7, False, 2.5),
        (BOUNDED, 8, False, 1.6),
        (BOUNDED, 12, False, 1.6),
        (BOUNDED, 13, False, 2.2),
        (BOUNDED, 13, True, 2.5),
        (DIVERGING, 9, True, 5.0),
    ],
)
def test_the_price_of_choosing_a_rival(kind: str, generations: int, walking: bool, factor: float) -> None:
    assert cost(kind, generations, walking) == factor


def test_bounds_from_errors_alone_are_wider_than_any_correlation() -> None:
    """One rival and one law by hand: the largest standard error that a contrast can have."""
    errors = np.full(G, 0.2)
    p_bounded, p_diverging = bounds(LINE, errors)
    contrasts = design_of(0, G).bounded.reshape(4, -1, G)
    strongest = max(min((c @ LINE) / (0.2 * np.abs(c).sum()) for c in own) for own in contrasts)
    assert p_bounded == pytest.approx(min(1.0, 2.5 * stats.norm.sf(strongest)))
    assert p_diverging == 1.0
    assert bounds(LINE, errors / 100)[0] < 1e-12


def test_what_more_would_tell_grows_as_the_square_of_what_is_missing() -> None:
    found = exclude(studies(LINE, 4, 8.0, seed=5))
    assert found.p_bounded > 0.05
    runs, generations = needed(found, 4, G)
    wanted = stats.t.isf(0.05 / cost(BOUNDED, G, noise.walks(int(found.noise.model[0]))), found.freedom[0])
    assert runs == max(5, int(np.ceil(4 * (wanted / found.strength_bounded[0]) ** 2)))
    assert generations in {int(np.ceil(share * G)) for share in (1.25, 1.5, 2, 3, 4)}


def test_noise_alone_promises_nothing() -> None:
    found = exclude(studies(-LINE, 4, 1.0))
    assert found.strength_bounded[0] < 0
    assert needed(found, 4, G)[0] == 0 or found.strength_diverging[0] > 0
