"""Spreads and power of a design, from losses that are written down here, and every line that is told of them."""

import json
import math
from dataclasses import replace

import pytest
from statsmodels.stats.power import TTestPower

from search_spaces import Block, Grid, Study, StudyError
from search_spaces.study import PowerRequirement
from sweep.planning import Design, designs, plan_study, require_power
from sweep.scheduling import make_job
from tests.support.toys import GAUSSIAN, points, toy
from trainables.store import MemoryStore, Payload

SLOPES = {"replace": (0.1, 0.2, 0.6), "accumulate": (0.0, 0.1, 0.2)}
"""Of each seed's loss over generations; in the first it is 1 and three tenths more with each seed."""


def stored(study, slopes=SLOPES, failed=()):
    """A store in which every cell of the study has a straight line of losses."""
    store = MemoryStore()
    for point in points(study):
        cell = point.cell
        for generation, stage in enumerate(make_job(cell, {}).stages, 1):
            loss = 1 + 0.3 * cell.seed + slopes[cell.policy.kind][cell.seed] * (generation - 1)
            meta = {"test_loss": loss}
            if (cell.policy.kind, cell.seed) in failed and generation > 2:
                meta = {"failed": "the loss is nan", "generation": generation}
            store.put("record", stage.record, Payload(meta=meta))
    return store


def judged(question, replicates=1, failed=(), **cell):
    study = toy(seeds=3, replicates=replicates, **cell)
    store = stored(study, failed=failed)
    (design,) = designs(plan_study(study, store), store, question)
    return design


def test_growth_s_spread_is_pooled_over_policies_each_around_its_own_mean():
    """Slopes of replace vary by 0.04 + 0.01 + 0.09, of accumulate by 0.01 + 0 + 0.01: 0.16 over 2 + 2 freedoms."""
    design = judged(PowerRequirement(effect=0.5))
    assert design.deviation == pytest.approx(0.2)
    assert (design.freedom, design.seeds, design.replicates, design.generations) == (4, 3, 1, 3)
    assert judged(PowerRequirement(effect=0.5), generations=2).deviation == pytest.approx(0.2), (
        "of two generations, too"
    )


def test_a_gap_s_spread_is_that_of_last_losses_at_equal_seeds():
    """Twice the slopes' differences: -0.2, -0.2, -0.8 around -0.4."""
    design = judged(PowerRequirement(effect=0.5, on="gap"))
    assert design.deviation == pytest.approx(math.sqrt(0.24 / 2))
    assert design.freedom == 2


def test_a_loss_that_is_a_mean_over_replicates_spreads_less_than_one_recursion_by_their_root():
    one, nine = (judged(PowerRequirement(effect=0.5), replicates=replicates) for replicates in (1, 9))
    assert nine.deviation == pytest.approx(3 * one.deviation)
    assert nine.runs == 27


def test_a_cell_that_failed_says_nothing_of_the_spread():
    """Of replace seeds 0 and 1 are left: 0.005 + 0.02 over 1 + 2."""
    design = judged(PowerRequirement(effect=0.5), failed={("replace", 2)})
    assert design.deviation == pytest.approx(math.sqrt(0.025 / 3))
    assert design.freedom == 3


def test_one_seed_has_no_spread_and_the_assumption_stands():
    study = toy(seeds=1, replicates=1)
    store = stored(study)
    (design,) = designs(plan_study(study, store), store, PowerRequirement(effect=0.25))
    assert (design.deviation, design.freedom) == (0.25, 0)


def test_what_is_stated_goes_before_what_was_seen():
    design = judged(PowerRequirement(effect=0.5, deviation=0.7))
    assert (design.deviation, design.freedom) == (0.7, 0)


def test_policies_of_a_fork_are_policies_of_their_own_in_gaps():
    """Three ways to go on from generation 1 make three pairs, each of three seeds."""
    forks = (
        None,
        {"generation": 1, "policy": {"kind": "accumulate"}},
        {"generation": 2, "policy": {"kind": "accumulate"}},
    )
    cell = GAUSSIAN | {"policy": {"kind": "replace"}, "replicates": 1}
    space = {"fork": Grid(values=forks), "seed": Grid(values=(0, 1, 2))}
    study = Study(name="forks", blocks=(Block(cell=cell, space=space),))
    store = stored(study)
    (design,) = designs(plan_study(study, store), store, PowerRequirement(effect=0.5, on="gap"))
    assert design.freedom == 3 * 2


@pytest.mark.parametrize("power", [0.6, 0.8, 0.95])
def test_power_needed_and_detectable_are_those_of_a_t_test_at_that_spread(power):
    design, peer = judged(PowerRequirement(effect=0.3, power=power)), TTestPower()
    effect = 0.3 / 0.2
    assert design.power == pytest.approx(peer.power(effect_size=effect, nobs=3, alpha=0.05), abs=1e-9)
    assert design.needed == math.ceil(peer.solve_power(effect_size=effect, power=power, alpha=0.05))
    least = peer.solve_power(nobs=3, power=power, alpha=0.05)
    assert design.detectable == pytest.approx(0.2 * float(least), rel=1e-4)
    assert design.underpowered is (design.needed > 3)


def test_confidence_is_one_minus_the_test_s_level():
    design = judged(PowerRequirement(effect=0.3, confidence=0.99))
    assert design.power == pytest.approx(TTestPower().power(effect_size=1.5, nobs=3, alpha=0.01), abs=1e-9)


def test_families_and_sizes_are_judged_apart_each_by_its_own_records():
    blocks = [
        Block(
            name=f"b{dim}",
            cell=GAUSSIAN | {"family": {"kind": "gaussian", "dim": dim}, "replicates": 1},
            space={"policy.kind": Grid(values=("replace",)), "seed": Grid(values=tuple(range(seeds)))},
        )
        for dim, seeds in ((1, 3), (2, 4))
    ]
    study = Study(name="sizes", blocks=tuple(blocks))
    store = stored(study, {"replace": (0.1, 0.2, 0.6, 0.9)})
    one, two = designs(plan_study(study, store), store, PowerRequirement(effect=0.5))
    assert (one.name, one.seeds, one.deviation) == ("gaussian dim 1", 3, pytest.approx(math.sqrt(0.14 / 2)))
    four = [0.1, 0.2, 0.6, 0.9]
    spread = sum((x - 0.45) ** 2 for x in four) / 3
    assert (two.name, two.seeds, two.deviation) == ("gaussian dim 2", 4, pytest.approx(math.sqrt(spread)))


def test_a_line_tells_power_needed_and_detectable_and_what_they_rest_on():
    asked = PowerRequirement(effect=0.5)
    design = Design("vae 1k", 4, 300, 6, 0.25, 7, needed=1200, power=0.804, detectable=0.01234)
    assert design.line(asked) == (
        "vae 1k: a growth per generation of 0.5 is found with power 0.80 by 1,200 recursions a policy, and 1,200 give "
        "0.80; these find 0.0123 so (a standard deviation of 0.25 between recursions, from stored records with 7 "
        "degrees of freedom)"
    )
    few = Design("vae 1k", 2, 1, 6, 0.5, 0, needed=10, power=0.1, detectable=math.nan)
    assert few.line(PowerRequirement(effect=0.5, on="gap", deviation=0.5)) == (
        "warning: underpowered: vae 1k: a gap between policies in the last loss of 0.5 is found with power 0.10 by 2 "
        "recursions a policy, and 10 give 0.80; these find nothing so (a standard deviation of 0.5 between recursions, "
        "as stated)"
    )
    assert few.line(asked).endswith("between recursions, assumed equal to the effect: no records yet)")
    assert few.line(None) == "warning: vae 1k: 2 seeds a configuration; below 3 no verdict is given"
    assert replace(few, seeds=1).line(None) == "warning: vae 1k: 1 seed a configuration; below 3 no verdict is given"


def test_a_line_about_a_verdict_tells_the_word_the_law_and_the_table():
    asked = PowerRequirement(effect=0.5, on="verdict", truth="inverse_squares")
    design = Design("kde dim 2", 3, 1, 8, 0.05, 0, needed=12, power=0.4, detectable=0.9, rows=4, longer=30)
    assert design.line(asked) == (
        "warning: underpowered: kde dim 2: “levels off” for a rise of 0.5 along an inverse squares is found with power "
        "0.40 by 3 recursions a policy, and 12 or 30 generations give 0.80; these find 0.9 so (a standard deviation of "
        "0.05 between recursions, assumed a tenth of the effect: no records yet, in a table of 4 rows)"
    )


@pytest.mark.parametrize(
    ("design", "on", "told"),
    [
        (Design("d", 2, 1, 5, 1.0, 0, 10, 0.3, 2.0), "growth", "needs 10 to find a growth per generation of 0.5"),
        (Design("d", 2, 4, 5, 1.0, 0, 10, 0.3, 2.0), "growth", "needs 3 to find"),
        (Design("d", 2, 1, 5, 1.0, 0, None, 0.3, 2.0), "gap", "needs more than 10,000 to find a gap between policies"),
        (Design("d", 2, 4, 5, 1.0, 0, None, 0.3, 2.0), "growth", "needs more than 2,500 to find"),
        (Design("d", 2, 1, 1, 1.0, 0, None, 0.0), "growth", "needs more generations to find"),
        (Design("d", 2, 1, 5, 1.0, 0, None, 0.0, rows=1), "verdict", "needs more generations to find “collapses”"),
    ],
)
def test_a_refusal_counts_seeds_where_the_question_counts_recursions(design, on, told):
    said = design.refusal(PowerRequirement(effect=0.5, on=on))
    assert said.startswith(f"seed: d has 2 seeds a configuration and {told}")
    assert " with power 0.80 (a standard deviation of 1 between recursions, " in said


def test_without_a_question_a_refusal_is_about_a_verdict():
    said = "seed: d has 2 seeds a configuration; at least 3 are needed for a verdict"
    assert Design("d", 2, 1, 5).refusal(None) == said
    assert Design("d", 2, 1, 5).refusal(PowerRequirement(effect=0.5)) == said


@pytest.mark.parametrize(
    ("design", "underpowered"),
    [
        (Design("d", 2, 1, 5), True),
        (Design("d", 3, 1, 5), False),
        (Design("d", 1, 3, 5), False),
        (Design("d", 5, 2, 5, needed=10, power=0.8), False),
        (Design("d", 5, 2, 5, needed=11, power=0.8), True),
        (Design("d", 5, 2, 5, needed=None, power=0.0), True),
    ],
)
def test_a_design_is_underpowered_where_it_has_fewer_recursions_than_are_needed(design, underpowered):
    assert design.underpowered is underpowered
    assert design.as_json()["underpowered"] is underpowered


def test_what_is_not_known_is_null():
    told = json.loads(json.dumps(Design("d", 2, 1, 5, detectable=math.nan).as_json(), allow_nan=False))
    assert (told["detectable"], told["power"], told["seeds"]) == (None, None, 2)


def test_the_requirement_of_a_study_is_refused_with_its_name_and_met_without_a_word():
    study = toy(seeds=3, replicates=1)
    store = stored(study)
    asked = study.model_copy(update={"require_power": PowerRequirement(effect=0.3)})
    with pytest.raises(
        StudyError, match=r"^toy: seed: gaussian dim 1 has 3 seeds a configuration and needs \d+ to find"
    ):
        require_power(asked, store)
    require_power(study.model_copy(update={"require_power": PowerRequirement(effect=3.0)}), store)
