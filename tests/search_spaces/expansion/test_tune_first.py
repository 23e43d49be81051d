"""`tune_first` in YAML: what is tried for which size, and how the study looks once it is settled."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from search_spaces import Study, StudyError
from search_spaces.expansion import expand, frozen, tunings
from search_spaces.loading.study import study_from

FAIR = """\
name: fair
cell: {family: {kind: linear, estimator: ridge}, rows: 40}
space:
  family.dim: {grid: [5, 20]}
  generations: {grid: [2, 4]}
  family.penalty: {loguniform: [0.1, 1000.0]}
  policy.kind: {grid: [replace, accumulate]}
  seed: {grid: [3, 4, 5]}
tune_first: {params: [penalty], on: generation 1, num_samples: 6, seeds: 2}
"""


def fair(**changes: Any) -> Study:
    raw = yaml.safe_load(FAIR)
    for path, value in changes.items():
        raw[path] = raw.get(path, {}) | value
    return study_from(raw, "fair.yaml")


def test_every_size_tries_the_same_settings_on_the_first_seeds() -> None:
    found = tunings(fair())
    assert [tuning.size for tuning in found] == [{"family.dim": 5}, {"family.dim": 20}]
    settings = [[trial.values["family.penalty"] for trial in tuning.trials] for tuning in found]
    assert settings[0] == settings[1]
    assert len(set(settings[0])) == 6
    assert all(0.1 <= value <= 1000 for value in settings[0])
    cells = [cell for tuning in found for trial in tuning.trials for cell in trial.cells]
    assert {cell.seed for cell in cells} == {3, 4}
    assert {cell.generations for cell in cells} == {1}


def test_more_samples_go_on_where_fewer_stopped() -> None:
    few, many = (tunings(fair(tune_first={"num_samples": count}))[0].trials for count in (5, 12))
    assert [t.values for t in many[:5]] == [t.values for t in few]
    ranked = sorted(trial.values["family.penalty"] for trial in many)
    assert ranked[0] < 1, "spread over all four decades"
    assert ranked[-1] > 100


def test_grids_are_tried_whole() -> None:
    study = fair(space={"family.penalty": {"grid": [1.0, 10.0, 100.0]}})
    assert [t.values["family.penalty"] for t in tunings(study)[0].trials] == [1.0, 10.0, 100.0]


def test_params_may_carry_their_own_words() -> None:
    raw = yaml.safe_load(FAIR)
    del raw["space"]["family.penalty"]
    raw["tune_first"]["params"] = {"family.penalty": {"loguniform": [0.1, 1000.0]}}
    assert tunings(study_from(raw, "fair.yaml")) == tunings(fair())


def test_a_settled_study_has_the_chosen_values_under_every_policy_and_seed() -> None:
    study = fair()
    first, second = tunings(study)
    settled = frozen(study, [(first, {"family.penalty": 7.0}), (second, {"family.penalty": 9.0})])
    cells = [point.cell for point in expand(settled)]
    assert len(cells) == 2 * 2 * 3
    assert {(c.family.dim, c.family.penalty) for c in cells} == {(5, 7.0), (20, 9.0)}  # type: ignore[attr-defined]
    assert {c.policy.kind for c in cells} == {"replace", "accumulate"}
    assert len(expand(frozen(study, [(second, {"family.penalty": 9.0})]))) == 6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"params": ["penalti"]}, "tune_first.params: family.penalti: the space has no word for it; did you mean"),
        ({"params": []}, "tune_first.params: the list is empty"),
        ({"params": "penalty"}, "tune_first.params: needs paths, as in [learning_rate]"),
        ({"params": ["policy.kind"]}, "tune_first.params: policy.kind: only the family's fields are tuned"),
        ({"params": {"penalty": {"uniform": [1, 2]}}}, "tune_first.params: family.penalty: the space sets it as well"),
        ({"on": "generation 2"}, "tune_first.on"),
        ({"seeds": 4}, "tune_first.seeds: 4, but the block has 3"),
        ({"sampels": 4}, "tune_first.sampels: unknown key"),
    ],
)
def test_mistakes_get_one_line(changes: dict[str, Any], said: str) -> None:
    raw = yaml.safe_load(FAIR)
    raw["tune_first"] = {("on" if key is True else key): value for key, value in raw["tune_first"].items()} | changes
    with pytest.raises(StudyError) as caught:
        study_from(raw, "fair.yaml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_a_grid_has_sizes_to_tune() -> None:
    with pytest.raises(StudyError, match="tune_first: works with the grid search, not with random"):
        fair(search={"kind": "random"}, space={"family.noise": {"uniform": [1, 2]}})
