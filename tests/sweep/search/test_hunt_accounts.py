"""What a hunt has come to: p-values corrected as statsmodels corrects them, and which retests count for what."""

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from search_spaces import Block, FalsifySearch, Range, Study
from search_spaces.search import Confirm
from sweep.scheduling import Board, Failure
from sweep.search import FalsifySource
from sweep.search.falsification import RETEST, account, evidence, suspicious
from trainables import Record
from trainables.store import MemoryStore

GENERATIONS = 10


def source(samples=8, candidates=3, **cell):
    search = FalsifySearch(
        claim="accumulate stays bounded",
        num_samples=samples,
        independent=6,
        confirm=Confirm(seeds=6, candidates=candidates),
        seed=1,
    )
    base = {"family": {"kind": "linear", "dim": 5, "estimator": "ridge"}, "rows": 30, "generations": GENERATIONS}
    space = {"family.penalty": Range(low=0.1, high=1000.0, log=True)}
    return FalsifySource(Study(name="hunt", blocks=(Block(cell=base | cell, space=space, search=search),)), 0, None)


def curve(job):
    """Growth that is the steeper the larger the penalty, under noise of each cell's own."""
    rng = np.random.default_rng([job.cell.seed, int(1e6 * job.cell.family.penalty)])
    n = np.arange(1, GENERATIONS + 1)
    strength = math.log10(job.cell.family.penalty) / 3
    return 1 + strength * n + 0.5 * rng.standard_normal(GENERATIONS)


def finish(board, job):
    board.start(job)
    for n, loss in enumerate(curve(job), 1):
        about = {"corpus_rows": 1, "real_fraction": 1.0, "metrics": {}, "model": "m", "composition": {}, "seconds": {}}
        board.record(job, Record(generation=n, test_loss=float(loss), **about))
    board.finish(job)


def hunted(made, fails=(), until=None):
    """The board of a hunt that has run; retests of these places in their order fail, and it stops before a cell."""
    board, retests = Board(MemoryStore()), 0
    board.add_source(made)
    while not board.finished:
        job = board.take()
        if job is None:
            continue  # the source has just said that it has no more
        retests += job.cell.seed >= 1000
        if retests == until:
            break
        if job.cell.seed >= 1000 and retests in fails:
            board.fail(job, Failure("the loss is nan", 2))
        else:
            finish(board, job)
    return board


@pytest.fixture(scope="module")
def whole():
    made = source()
    board = hunted(made)
    return made, board, account(made, board.jobs, MemoryStore())


def test_candidates_are_the_strongest_suspects_in_the_order_of_exploration(whole):
    made, _, found = whole
    strengths = [trial.values[0] for trial in made.ranked()]
    assert strengths == sorted(strengths, reverse=True)
    suspects = [trial.number for trial in made.ranked() if suspicious(trial)]
    assert made.chosen() == suspects[:3]
    assert [one.explored for one in found.candidates] == strengths[:3]
    assert [one.values for one in found.candidates] == [made.values(trial) for trial in made.ranked()[:3]]


def test_p_values_are_corrected_for_all_retests_as_statsmodels_does(whole):
    _, _, found = whole
    p = [one.p for one in found.candidates]
    reject, corrected, *_ = multipletests(p, alpha=found.alpha, method="holm")
    assert [one.p_holm for one in found.candidates] == pytest.approx(list(corrected))
    assert [one.confirmed for one in found.candidates] == list(reject)
    assert max(one.p_holm / one.p for one in found.candidates) > 1, "some p-value is corrected"


def test_a_candidate_s_effect_is_that_of_its_own_fresh_seeds(whole):
    made, board, found = whole
    for one in found.candidates:
        own = [job for job in board.jobs.values() if job.values.items() >= one.values.items() and job.cell.seed >= 1000]
        assert len(own) == one.runs == 6
        again = evidence(made.hunt, own, made.hunt.fresh_seeds)
        assert (one.effect, one.low, one.high, one.p) == (
            again.effect.estimate,
            again.effect.low,
            again.effect.high,
            again.p,
        )
        assert one.low < one.effect < one.high


def test_a_hunt_says_what_was_tried_where(whole):
    made, _, found = whole
    assert (found.claim, found.samples, found.tried, found.unjudged) == ("accumulate stays bounded", 8, 8, 0)
    assert (found.seeds, found.fresh, found.independent, found.finished) == (3, 6, 6, True)
    assert found.region == {"family.penalty": "loguniform [0.1, 1000.0]"}
    drawn = [trial.number for trial in made.independent()]
    untested = [n for n in drawn if n not in made.chosen() and suspicious(made.trials()[n])]
    assert found.suspicious == len(untested) > 0
    assert made.summary() is None, "a hunt is reported by itself"


def test_a_retest_that_failed_says_nothing_for_the_claim_and_counts_in_the_correction(whole):
    made = source()
    board = hunted(made, fails={2})
    found, sound = account(made, board.jobs, MemoryStore()), whole[2]
    assert [one.runs for one in found.candidates] == [5, 6, 6]
    first, *others = found.candidates
    assert (first.p, first.p_holm, first.confirmed) == (1.0, 1.0, False)
    assert all(math.isnan(value) for value in (first.effect, first.low, first.high))
    assert [one.p for one in others] == [one.p for one in sound.candidates[1:]]
    corrected = multipletests([one.p for one in found.candidates], method="holm")[1]
    assert [one.p_holm for one in found.candidates] == pytest.approx(list(corrected))
    assert found.finished


def test_before_all_retests_are_done_no_p_value_is_told():
    made = source()
    board = hunted(made, until=10)
    found = account(made, board.jobs, MemoryStore())
    assert len(found.candidates) > 1
    assert all(math.isnan(one.p) and math.isnan(one.p_holm) for one in found.candidates)
    assert not any(one.confirmed for one in found.candidates)
    assert (found.finished, found.outcome) == (False, "unfinished")


def test_what_is_left_counts_retests_of_what_is_suspicious_so_far():
    made = source(samples=4, candidates=2)
    assert made.left({}) == 4
    board = hunted(made, until=1)
    assert len(made.trials()) == 4
    suspects = sum(map(suspicious, made.trials()))
    assert made.left({}) == min(suspects, 2)
    known = {point.cell.key for number in made.chosen() for point in made.retest(number).points}
    assert made.left(known) == 0
    assert set(board.jobs) >= {point.cell.key for one in made.past()[:4] for point in one.points}


def test_a_retest_has_a_number_that_no_suggestion_has_and_is_told_to_nobody(whole):
    made, _, _ = whole
    number = made.chosen()[0]
    retest = made.retest(number)
    assert retest.number == RETEST + number == 1_000_000 + number
    before = len(made.trials())
    made.tell(retest.number, [])
    assert len(made.trials()) == before
    assert {point.cell.seed for point in retest.points} == set(made.hunt.fresh_seeds)
