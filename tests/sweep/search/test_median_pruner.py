"""The median rule at equal generation."""

from types import SimpleNamespace

import pytest
from optuna.study import StudyDirection

from sweep.search.median_pruner import MedianRule


def trial(number, *losses):
    values = dict(enumerate(losses, 1))
    return SimpleNamespace(number=number, intermediate_values=values, last_step=max(values, default=None))


def prunes(mine, *others, grace=1, min_cells=1, direction=StudyDirection.MINIMIZE):
    trials = [mine, *others]
    study = SimpleNamespace(get_trials=lambda deepcopy: trials, direction=direction)
    return MedianRule(grace, min_cells).prune(study, mine)


@pytest.mark.parametrize(("loss", "stopped"), [(2.9, False), (3.0, False), (3.1, True)])
def test_a_cell_stops_where_it_is_worse_than_the_median_of_the_others(loss, stopped):
    others = [trial(n, 9.0, other) for n, other in enumerate((1.0, 3.0, 50.0), 1)]
    mine = trial(0, 0.0, loss)
    assert prunes(mine, *others) is stopped
    assert prunes(mine, *others, direction=StudyDirection.MAXIMIZE) is (loss < 3.0)


def test_generations_are_compared_with_their_like_and_not_with_the_best():
    collapsing = trial(0, 1.0, 5.0)
    assert prunes(collapsing, trial(1, 9.0, 4.0))
    assert not prunes(trial(0, 1.0), trial(1, 9.0, 0.5))


@pytest.mark.parametrize(("grace", "stopped"), [(2, True), (3, False)])
def test_nothing_stops_in_its_grace(grace, stopped):
    assert prunes(trial(0, 1.0, 9.0), trial(1, 1.0, 1.0), grace=grace) is stopped


@pytest.mark.parametrize(("min_cells", "stopped"), [(2, True), (3, False)])
def test_as_many_others_must_have_come_as_far(min_cells, stopped):
    others = trial(1, 1.0, 1.0), trial(2, 1.0, 1.0), trial(3, 1.0)
    assert prunes(trial(0, 1.0, 9.0), *others, min_cells=min_cells) is stopped


def test_a_cell_without_a_generation_goes_on():
    assert not prunes(trial(0), trial(1, 1.0), grace=0, min_cells=0)
