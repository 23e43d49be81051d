"""Each named policy's recipes against its definition in the literature."""

import pytest
from pydantic import ValidationError

from trainables.policies import FRESH, POLICIES, Budget, Draw

N = 10


def policy(kind, **fields):
    return POLICIES.get(kind)(**fields)


def corpus(config, generation, rows=N):
    """The draws as (batches, how, rows, start), which define the corpus."""
    draws = config.recipe(generation, Budget(rows=rows)).draws
    return [(d.batches, d.how, d.rows, d.start) for d in draws]


@pytest.mark.parametrize(
    ("config", "generation", "kept", "expected"),
    [
        (policy("replace"), 5, N, [((4,), "all", None, 0)]),
        (policy("replace_multiple"), 5, 5 * N, [((4,), "all", None, 0)]),
        (policy("accumulate"), 4, N, [((0, 1, 2, 3), "all", None, 0)]),
        (policy("accumulate_subsample"), 4, N, [((0, 1, 2, 3), "subsample", N, 0)]),
        (policy("sliding_window", window=3), 2, N, [((0, 1), "all", None, 0)]),
        (policy("sliding_window", window=3), 3, N, [((0, 1, 2), "all", None, 0)]),
        (policy("sliding_window", window=3), 6, N, [((3, 4, 5), "all", None, 0)]),
        (policy("sliding_window", window=1), 6, N, [((5,), "all", None, 0)]),
        (
            policy("synthetic_augmentation", real=0.5, synthetic=2),
            3,
            20,
            [((0,), "first", 5, 0), ((2,), "first", 20, 0)],
        ),
        (policy("fresh_mix", real=2, synthetic=0.5), 2, 5, [((FRESH,), "first", 20, 0), ((1,), "first", 5, 0)]),
        (policy("fresh_mix", real=2, synthetic=0.5), 4, 5, [((FRESH,), "first", 20, 40), ((3,), "first", 5, 0)]),
        (policy("weighted_fresh", real=1, synthetic=1), 3, N, [((FRESH,), "first", N, N), ((2,), "first", N, 0)]),
        (policy("ratio_mix", ratio=0.3), 3, 3, [((0,), "first", 7, 0), ((2,), "first", 3, 0)]),
        (policy("ratio_mix", ratio=0), 3, N, [((0,), "first", N, 0)]),
        (policy("ratio_mix", ratio=1), 3, N, [((2,), "first", N, 0)]),
        (policy("ratio_mix", ratio=0.3, fresh=True), 3, 3, [((FRESH,), "first", 7, 7), ((2,), "first", 3, 0)]),
        (policy("decaying_real"), 2, 5, [((0,), "first", 5, 0), ((1,), "first", 5, 0)]),
        (policy("decaying_real"), 4, 7, [((0,), "first", 3, 0), ((3,), "first", 7, 0)]),
        (policy("decaying_real", rate=3), 20, N, [((19,), "first", N, 0)]),
        (policy("decaying_real", fresh=True), 4, 7, [((FRESH,), "first", 3, 8), ((3,), "first", 7, 0)]),
        (
            policy("decaying_real", schedule="exponential", rate=0.5),
            3,
            6,
            [((0,), "first", 4, 0), ((2,), "first", 6, 0)],
        ),
        (policy("verified", candidates=3), 4, N, [((3,), "all", None, 0)]),
        (policy("self_verified"), 4, N, [((3,), "all", None, 0)]),
        (policy("surprising"), 4, N, [((3,), "all", None, 0)]),
        (policy("curated"), 4, N, [((3,), "all", None, 0)]),
        (policy("detector_weighted"), 3, N, [((0, 1, 2), "scored", N, 0)]),
        (policy("token_edit"), 4, N, [((3,), "all", None, 0)]),
        (policy("biased_sampling", base={"kind": "accumulate"}), 3, N, [((0, 1, 2), "all", None, 0)]),
        (policy("compose"), 4, N, [((3,), "all", None, 0)]),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else None,
)
def test_corpus_is_as_defined(config, generation, kept, expected):
    assert corpus(config, generation) == expected
    assert config.recipe(generation, Budget(rows=N)).kept_rows == kept


@pytest.mark.parametrize(
    ("config", "candidates", "rule", "judge", "of"),
    [
        (policy("verified", candidates=3), 30, "accept", "reference", 1),
        (policy("verified", candidates=1.5, judge="detector", rule="top"), 15, "top", "detector", 1),
        (policy("self_verified", candidates=2), 20, "accept", "first", 1),
        (policy("surprising", candidates=3), 30, "bottom", "own", 1),
        (policy("curated", of=4), 40, "best_of", "reference", 4),
    ],
)
def test_selections_sample_their_candidates(config, candidates, rule, judge, of):
    recipe = config.recipe(3, Budget(rows=N))
    assert recipe.sampling.rows == candidates
    assert (recipe.selection.rule, recipe.selection.judge, recipe.selection.of) == (rule, judge, of)


def test_the_bar_of_a_verifier_is_passed_on():
    assert policy("verified", level=0.3).recipe(2, Budget(rows=N)).selection.level == 0.3
    assert policy("self_verified").recipe(2, Budget(rows=N)).selection.level == 0.1


def test_curated_passes_its_temperature_on():
    assert policy("curated", temperature=0.1).recipe(2, Budget(rows=N)).selection.temperature == 0.1


def test_weighted_fresh_splits_the_loss_whatever_the_sizes():
    draws = policy("weighted_fresh", weight=0.7, real=0.5, synthetic=2).recipe(3, Budget(rows=N)).draws
    mass = [draw.weight * draw.rows for draw in draws]
    assert mass[0] / sum(mass) == pytest.approx(0.7)


@pytest.mark.parametrize(("real", "synthetic", "best"), [(0.5, 0.5, (5**0.5 - 1) / 2), (0.25, 0.75, 0.4342585)])
def test_weighted_fresh_defaults_to_the_best_weight_for_its_sizes(real, synthetic, best):
    """The minimum over w of (w²/n_r + (1 − w)²/n_s)/(1 − (1 − w)²), where the error settles."""
    share = policy("weighted_fresh", real=real, synthetic=synthetic).composition().corpus[0].loss_share
    assert share == pytest.approx(best, abs=1e-6)

    def settles(w):
        return (w**2 / real + (1 - w) ** 2 / synthetic) / (1 - (1 - w) ** 2)

    assert settles(share) < min(settles(share - 0.01), settles(share + 0.01))


def test_token_edit_edits_batch_zero():
    sampling = policy("token_edit", threshold=0.9).recipe(4, Budget(rows=N)).sampling
    assert (sampling.edit, sampling.rows) == (0.9, N)


@pytest.mark.parametrize("base", ["replace", "accumulate", "verified"])
def test_self_corrected_is_its_base_with_corrected_samples(base):
    """The same draws and selection; of `replace`, what `compose` says with `sample.correct`."""
    corrected, plain = policy("self_corrected", strength=0.25, base={"kind": base}), policy(base)
    one, other = (config.recipe(3, Budget(rows=N)) for config in (corrected, plain))
    assert (one.draws, one.selection) == (other.draws, other.selection)
    assert one.sampling == other.sampling.model_copy(update={"correct": 0.25})
    if base == "replace":
        assert policy("compose", sample={"correct": 0.25}).recipe(3, Budget(rows=N)) == one


def test_constant_size_policies_hold_n_rows_at_odd_sizes():
    """Shares that do not divide N still add up to N, and ask for no more than is sampled."""
    for rows in range(1, 40):
        for ratio in (0.1, 0.25, 1 / 3, 0.35, 0.5, 0.65, 0.9):
            config = policy("ratio_mix", ratio=ratio)
            taken = sum(draw[2] for draw in corpus(config, 2, rows))
            latest = [draw[2] for draw in corpus(config, 2, rows) if draw[0] == (1,)]
            assert taken == rows
            assert not latest or latest == [config.recipe(2, Budget(rows=rows)).kept_rows]


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("sliding_window", {"window": 0}, "window"),
        ("ratio_mix", {"ratio": 1.1}, "ratio"),
        ("weighted_fresh", {"weight": 1.0}, "weight"),
        ("synthetic_augmentation", {"real": 1.5}, "real"),
        ("fresh_mix", {"real": 0}, "real"),
        ("verified", {"candidates": 0.5}, "candidates"),
        ("verified", {"level": 1}, "level"),
        ("curated", {"of": 0}, "of"),
        ("curated", {"temperature": 0}, "temperature"),
        ("token_edit", {"threshold": 0}, "threshold"),
        ("token_edit", {"bias": 0.5}, "bias: rows are edited"),
        ("decaying_real", {"rate": -1}, "rate"),
        ("biased_sampling", {"strength": 0}, "strength"),
        ("biased_sampling", {"bias": 0.5}, "bias: biased_sampling has `strength`"),
        ("biased_sampling", {"base": {"kind": "replace", "bias": 0.5}}, "bias: biased_sampling has `strength`"),
        ("biased_sampling", {"base": {"kind": "token_edit"}}, "base: token_edit edits rows"),
        ("biased_sampling", {"base": {"kind": "biased_sampling"}}, "base"),
        ("biased_sampling", {"base": {"kind": "self_corrected", "bias": 0.5}}, "bias: biased_sampling has `strength`"),
        ("self_corrected", {"strength": 0}, "strength"),
        ("self_corrected", {"base": {"kind": "replace", "bias": 0.5}}, "base.bias: state `bias` of the policy itself"),
        ("self_corrected", {"base": {"kind": "token_edit"}}, "base: token_edit edits real rows"),
        ("self_corrected", {"base": {"kind": "self_corrected"}}, "base"),
        (
            "self_corrected",
            {"base": {"kind": "compose", "sample": {"correct": 1}}},
            "base.sample.correct: self_corrected",
        ),
        ("compose", {"sample": {"correct": 1, "edit": 0.5}}, "correct: real rows are edited"),
        ("compose", {"corpus": []}, "corpus"),
        ("compose", {"corpus": [{"source": "fresh"}]}, "times: how many rows"),
        ("compose", {"corpus": [{"source": "pool", "how": "subsample"}]}, "times: how many rows"),
        ("compose", {"corpus": [{"source": "latest", "power": 1}]}, "times: how many rows"),
        ("compose", {"corpus": [{"source": "real", "times": 1, "rows": 5}]}, "rows: give `times` or `rows`"),
        ("compose", {"corpus": [{"source": "real", "times": 1, "fill": 1}]}, "fill: give one of"),
        ("compose", {"corpus": [{"source": "real", "fill": 1, "decay": 0.5}]}, "fill: what fills"),
        ("compose", {"corpus": [{"source": "real", "fill": 1}, {"source": "latest", "fill": 1}]}, "only one share"),
        ("compose", {"corpus": [{"source": "real"}, {"source": "latest", "fill": 1}]}, "every other one needs"),
        ("compose", {"corpus": [{"source": "real", "window": 2}]}, "window: only"),
        ("compose", {"corpus": [{"source": "fresh", "times": 1, "how": "bootstrap"}]}, "how: fresh rows"),
        ("compose", {"corpus": [{"source": "real", "loss_share": 0.5}, {"source": "latest"}]}, "add up to 1"),
        ("compose", {"corpus": [{"source": "real", "loss_share": 1, "weight": 2}]}, "weight: give `weight`"),
        ("compose", {"keep": {"rule": "best_of", "candidates": 2.5}}, "candidates: the best of a group"),
    ],
)
def test_nonsense_is_refused_where_it_stands(kind, fields, message):
    with pytest.raises(ValidationError, match=message):
        policy(kind, **fields)


def test_a_corpus_without_rows_is_refused():
    config = policy("compose", corpus=[{"source": "real", "times": 0.4, "decay": 0.1}])
    with pytest.raises(ValueError, match="corpus: generation 3 would be fitted on no rows"):
        config.recipe(3, Budget(rows=N))


def test_a_schedule_may_outgrow_every_number():
    config = policy("compose", corpus=[{"source": "real", "times": 1, "how": "bootstrap", "decay": 1e9}])
    with pytest.raises(ValueError, match="power, decay: a schedule beyond all numbers at generation 900"):
        config.recipe(900, Budget(rows=N))


def test_loss_shares_hold_for_whole_batches_too():
    config = policy(
        "compose", corpus=[{"source": "pool", "loss_share": 0.25}, {"source": "latest", "loss_share": 0.75}]
    )
    pool, latest = config.recipe(4, Budget(rows=N)).draws
    assert pool.weight * 4 * N == pytest.approx(0.25)
    assert latest.weight * N == pytest.approx(0.75)


def test_a_draw_says_what_is_wrong_with_it():
    with pytest.raises(ValidationError, match="ascending"):
        Draw(batches=(2, 1))
    with pytest.raises(ValidationError, match="has no `rows`"):
        Draw(batches=(0,), rows=3)
