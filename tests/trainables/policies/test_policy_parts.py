"""The words of compositions, one by one: sizes, schedules, which batches, what is kept, and whole lines of refusals."""

import math

import pytest
from pydantic import ValidationError

from trainables.config import explain
from trainables.policies import FRESH, POLICIES, Budget, Draw, Recipe, Sampling, Selection
from trainables.policies.compose import Compose
from trainables.policies.parts import Amount, Keep, Sample, Share, nearest

TEN = Budget(rows=10)


def compose(*corpus, **fields):
    return Compose.model_validate({"corpus": corpus} | fields)


def recipe(config, generation, rows=10):
    return config.recipe(generation, Budget(rows=rows))


@pytest.mark.parametrize(
    ("rows", "whole"),
    [(3.5, 4), (2.5, 3), (0.5, 1), (0.499, 0), (0.35 * 10, 4), (0.285 * 100, 29), (1.005 * 100, 101), (3.4999, 3)],
)
def test_sizes_are_rounded_half_up_whatever_the_last_bits(rows, whole):
    """0.285·100 is 28.499999999999996 in double precision, and 28.5 to whoever wrote it."""
    assert nearest(rows) == whole


@pytest.mark.parametrize(
    ("fields", "sizes"),
    [
        ({}, [10, 10, 10]),
        ({"times": 0.25}, [3, 3, 3]),
        ({"rows": 7}, [7, 7, 7]),
        ({"rows": 0}, [0, 0, 0]),
        ({"times": 2, "power": 1}, [20, 40, 60]),
        ({"rows": 12, "power": -1}, [12, 6, 4]),
        ({"rows": 16, "decay": 0.5}, [16, 8, 4]),
        ({"rows": 4, "power": 2, "decay": 0.5}, [4, 8, 9]),
    ],
)
def test_an_amount_is_its_size_times_its_schedule(fields, sizes):
    """n^power · decay^(n − 1) at n = 1, 2, 3."""
    amount = Amount(**fields)
    assert [amount.at(n, TEN) for n in (1, 2, 3)] == sizes
    assert amount.steady == (len(set(sizes)) == 1)


def test_a_schedule_beyond_all_numbers_names_its_words():
    with pytest.raises(ValueError, match=r"^power, decay: a schedule beyond all numbers at generation 400$"):
        Amount(times=1, power=1e3).at(400, TEN)


@pytest.mark.parametrize(
    ("fields", "batches"),
    [
        ({"source": "real"}, (0,)),
        ({"source": "fresh", "times": 1}, (FRESH,)),
        ({"source": "latest"}, (4,)),
        ({"source": "synthetic"}, (1, 2, 3, 4)),
        ({"source": "pool"}, (0, 1, 2, 3, 4)),
        ({"source": "pool", "window": 2}, (3, 4)),
        ({"source": "synthetic", "window": 4}, (1, 2, 3, 4)),
        ({"source": "synthetic", "window": 9}, (1, 2, 3, 4)),
        ({"source": "pool", "window": 5}, (0, 1, 2, 3, 4)),
    ],
)
def test_a_source_is_these_batches_at_generation_5(fields, batches):
    assert Share(**fields).batches(5) == batches


def test_what_is_kept_is_told_to_the_selection_and_nothing_else():
    """A rule hands on its own words alone: recipes, and so keys, do not differ by words that say nothing."""
    fields = {"judge": "first", "candidates": 3, "temperature": 0.2, "level": 0.4}
    made = {rule: Keep(rule=rule, **fields).selection(7) for rule in ("accept", "top", "bottom", "best_of")}
    assert made["accept"] == Selection(rule="accept", judge="first", keep=7, level=0.4)
    assert made["top"] == Selection(rule="top", judge="first", keep=7)
    assert made["bottom"] == Selection(rule="bottom", judge="first", keep=7)
    assert made["best_of"] == Selection(rule="best_of", judge="first", keep=7, of=3, temperature=0.2)


@pytest.mark.parametrize(
    ("corpus", "sample", "rows"),
    [
        ([{"source": "latest"}], {}, 10),
        ([{"source": "latest", "times": 0.5}], {}, 5),
        ([{"source": "latest", "rows": 25}], {}, 25),
        ([{"source": "latest", "times": 0.5, "how": "subsample"}], {}, 10),
        ([{"source": "latest", "times": 0.5, "how": "bootstrap"}], {}, 10),
        ([{"source": "pool", "times": 0.5}], {}, 10),
        ([{"source": "latest", "rows": 4}, {"source": "latest", "rows": 6}], {}, 6),
        ([{"source": "latest", "rows": 4}, {"source": "pool"}], {}, 10),
        ([{"source": "real"}], {}, 10),
        ([{"source": "real", "times": 0.3}, {"source": "latest", "fill": 2}], {}, 17),
        ([{"source": "latest", "rows": 4}], {"times": 2}, 20),
        ([{"source": "latest", "rows": 4}], {"rows": 8}, 8),
        ([{"source": "latest", "rows": 4}], {"power": 1}, 30),
        ([{"source": "latest", "rows": 4}], {"decay": 0.5}, 3),
        ([{"source": "real"}], {"rows": 0}, 1),
    ],
)
def test_a_batch_holds_what_is_taken_of_it_or_what_is_said(corpus, sample, rows):
    """At generation 3 of 10 rows: what the corpus takes of the latest batch's front alone, else N; one row at least."""
    assert recipe(compose(*corpus, sample=sample), 3).kept_rows == rows


@pytest.mark.parametrize(("candidates", "sampled"), [(1, 7), (1.1, 8), (1.5, 11), (2 + 1e-12, 14), (10 / 7, 10)])
def test_candidates_are_rounded_up_but_for_the_last_bits(candidates, sampled):
    made = recipe(compose({"source": "latest", "rows": 7}, keep={"rule": "top", "candidates": candidates}), 2)
    assert (made.sampling.rows, made.selection.keep) == (sampled, 7)


def test_a_filling_share_takes_what_the_others_leave():
    """4 real rows of a decaying share and 15 in all; nothing where they take more."""
    config = compose({"source": "real", "rows": 8, "decay": 0.5}, {"source": "latest", "fill": 1.5})
    assert [draw.rows for draw in recipe(config, 2).draws] == [4, 11]
    full = compose({"source": "latest", "fill": 0.5}, {"source": "real", "rows": 9})
    assert [(draw.batches, draw.rows) for draw in recipe(full, 2).draws] == [((0,), 9)]


def test_a_loss_share_is_spread_over_the_rows_that_there_are():
    """Batches of a growing sample: 20 + 30 synthetic rows share 0.6, 10 real ones 0.4."""
    config = compose(
        {"source": "synthetic", "loss_share": 0.6}, {"source": "real", "loss_share": 0.4}, sample={"power": 1}
    )
    made = recipe(config, 3)
    assert [draw.weight for draw in made.draws] == pytest.approx([0.6 / 50, 0.4 / 10])
    part = compose({"source": "pool", "rows": 5, "loss_share": 0.25}, {"source": "pool", "loss_share": 0.75})
    assert [draw.weight for draw in recipe(part, 3).draws] == pytest.approx([0.05, 0.75 / 30])


@pytest.mark.parametrize("schedule", [{}, {"power": 1}])
def test_no_fresh_row_is_used_twice(schedule):
    """Two shares of the reserve a generation: 3 and 5 rows, then the next ones; growing shares from where these end."""
    config = compose({"source": "fresh", "rows": 3} | schedule, {"source": "latest"}, {"source": "fresh", "rows": 5})
    spans = [(d.start, d.rows) for n in (2, 3, 4) for d in recipe(config, n).draws if d.batches == (FRESH,)]
    sizes = [3 * n if schedule else 3 for n in (2, 3, 4)]
    expected, start = [], 0
    for size in sizes:
        expected += [(start, size), (start + size, 5)]
        start += size + 5
    assert spans == expected
    assert config.fresh_rows(4, TEN) == start
    assert config.fresh_rows(1, TEN) == 0
    assert recipe(config, 3).takes_fresh_rows
    assert not recipe(config, 1).takes_fresh_rows


def test_fresh_rows_alone_are_taken_further_on():
    made = recipe(compose({"source": "fresh", "rows": 3}, {"source": "latest", "rows": 4}), 3)
    assert [draw.start for draw in made.draws] == [3, 0]
    assert [draw.start for draw in made.shift_fresh(20).draws] == [23, 0]
    assert made.shift_fresh(20).sampling == made.sampling


@pytest.mark.parametrize(
    ("fields", "abilities"),
    [
        ({}, set()),
        ({"bias": 0.5}, {"bias"}),
        ({"sample": {"edit": 0.5}}, {"edit"}),
        ({"sample": {"correct": 2}, "bias": 2}, {"correct", "bias"}),
        ({"keep": {"rule": "top"}}, {"score"}),
        ({"corpus": [{"source": "pool", "how": "scored", "rows": 3}]}, {"score"}),
    ],
)
def test_a_composition_requires_what_its_words_ask_for(fields, abilities):
    assert Compose.model_validate(fields).requires() == abilities


def test_named_policies_require_what_their_compositions_do():
    asked = {kind: POLICIES.get(kind)().requires() for kind in POLICIES}
    score = {"verified", "self_verified", "surprising", "curated", "detector_weighted"}
    assert {kind for kind, needs in asked.items() if "score" in needs} == score
    assert {kind for kind, needs in asked.items() if "edit" in needs} == {"token_edit"}
    assert {kind for kind, needs in asked.items() if "correct" in needs} == {"self_corrected"}
    assert {kind for kind, needs in asked.items() if "bias" in needs} == {"biased_sampling"}


def test_a_bias_reaches_the_sampler_through_every_wrapping():
    inner = {"kind": "self_corrected", "strength": 3, "base": {"kind": "verified"}}
    biased = POLICIES.get("biased_sampling")(strength=0.3, base=inner)
    made = recipe(biased, 3)
    assert (made.sampling.bias, made.sampling.correct, made.sampling.rows) == (0.3, 3.0, 20)
    assert biased.requires() == {"bias", "correct", "score"}
    corrected = POLICIES.get("self_corrected")(strength=3, bias=0.3, base={"kind": "verified"})
    assert recipe(corrected, 3) == made


def test_decays_are_what_the_schedules_say():
    """α = n^−rate and e^(−rate(n − 1)) of 1,000 rows, to the nearest row."""
    for schedule, alpha in (("power", lambda n: n**-0.7), ("exponential", lambda n: math.exp(-0.7 * (n - 1)))):
        config = POLICIES.get("decaying_real")(schedule=schedule, rate=0.7)
        for n in range(2, 12):
            real = recipe(config, n, 1000).draws[0].rows
            assert real == math.floor(1000 * alpha(n) + 0.5)


REFUSED = {
    "a future batch": (
        lambda: Recipe(generation=2, sampling=Sampling(rows=1), draws=(Draw(batches=(2,)),)),
        "generation 2 can't draw on batch 2",
    ),
    "a first generation that samples": (
        lambda: Recipe(generation=1, sampling=Sampling(rows=1), draws=(Draw(batches=(0,)),)),
        "every generation but the first says how the latest batch is sampled",
    ),
    "a later one that does not": (
        lambda: Recipe(generation=2, draws=(Draw(batches=(0,)),)),
        "every generation but the first says how the latest batch is sampled",
    ),
    "too few candidates": (
        lambda: Recipe(
            generation=2,
            sampling=Sampling(rows=11),
            selection=Selection(rule="best_of", judge="first", keep=4, of=3),
            draws=(Draw(batches=(1,)),),
        ),
        "keeping 4 rows takes 12 candidates, not 11",
    ),
    "a draw of all with rows": (
        lambda: Draw(batches=(0,), rows=3),
        "a draw of `all` rows has no `rows`; every other draw needs them",
    ),
    "a draw of some without": (
        lambda: Draw(batches=(0,), how="first"),
        "a draw of `all` rows has no `rows`; every other draw needs them",
    ),
    "a batch twice": (lambda: Draw(batches=(1, 1)), "batches (1, 1) must be ascending, each once"),
    "an edit that is corrected": (
        lambda: Sampling(rows=1, edit=0.5, correct=1),
        "correct: real rows are edited, not sampled, so there are no samples to correct",
    ),
    "an edit that is biased": (
        lambda: Sampling(rows=1, edit=0.5, bias=0.5),
        "bias: rows are edited, not sampled, so there is no sampler to bias",
    ),
    "two sizes": (lambda: Amount(times=1, rows=1), "rows: give `times` or `rows`, not both"),
    "a broken group": (
        lambda: Keep(rule="best_of", candidates=2.5),
        "candidates: the best of a group needs a whole number, not 2.5",
    ),
    "a bar that moves": (
        lambda: Keep(rule="accept", judge="own"),
        "judge: own changes with every model, and so would the bar of `accept`; take top or bottom",
    ),
    "a window on the last batch": (
        lambda: Share(source="latest", window=2),
        "window: only `synthetic` and `pool` have batches to choose from, not `latest`",
    ),
    "a whole draw by chance": (
        lambda: Share(source="pool", how="bootstrap"),
        "times: how many rows? give `times`, `rows` or `fill`",
    ),
    "a filling schedule": (
        lambda: Share(source="latest", fill=1, power=1),
        "fill: what fills the corpus has no schedule of its own",
    ),
    "sizes of both kinds": (
        lambda: Share(source="latest", fill=1, rows=3),
        "fill: give one of `times`, `rows` and `fill`",
    ),
    "a subsample of the reserve": (
        lambda: Share(source="fresh", rows=3, how="subsample"),
        "how: fresh rows are new already; leave `how` out",
    ),
    "a weight and a share of the loss": (
        lambda: Share(source="real", loss_share=0.5, weight=2),
        "weight: give `weight` (of a row) or `loss_share` (of them all), not both",
    ),
    "two that fill": (
        lambda: compose({"source": "real", "fill": 1}, {"source": "latest", "fill": 1}),
        "corpus: only one share can fill what is left",
    ),
    "one that fills beside a whole": (
        lambda: compose({"source": "real"}, {"source": "latest", "fill": 1}),
        "corpus: where one share fills what is left, every other one needs `times` or `rows`",
    ),
    "shares of the loss that miss 1": (
        lambda: compose({"source": "real", "loss_share": 0.5}, {"source": "latest", "loss_share": 0.4}),
        "corpus: loss_share of every share must be given and add up to 1, not [0.5, 0.4]",
    ),
    "an edit beside a bias": (
        lambda: Compose(sample=Sample(edit=0.5), bias=0.5),
        "bias: rows are edited, not sampled, so there is no sampler to bias",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nonsense_is_refused_in_a_line_that_says_what_would_be_right(name):
    make, line = REFUSED[name]
    with pytest.raises(ValidationError) as refused:
        make()
    assert explain(refused.value, Recipe) == line


def test_bounds_are_as_close_as_they_are_stated():
    """Shares of a third add up to 1 to rounding; candidates just enough; an edge is in, what lies beyond it is out."""
    thirds = [{"source": source, "loss_share": 1 / 3} for source in ("real", "latest", "pool")]
    assert len(recipe(compose(*thirds), 3).draws) == 3
    Recipe(
        generation=2,
        sampling=Sampling(rows=12),
        selection=Selection(rule="best_of", judge="first", keep=4, of=3),
        draws=(Draw(batches=(0, 1)),),
    )
    assert Sampling(rows=1, edit=1.0).edit == 1.0
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Sampling(rows=1, edit=1.01)
    with pytest.raises(ValidationError, match="less than 1"):
        Selection(rule="accept", judge="first", keep=1, level=1.0)
