"""What `plan` prints, in this process; its counts are those of `tests/sweep/planning/test_plan_totals`."""

import json
from dataclasses import replace

import pytest
import yaml

from search_spaces.study import PowerRequirement
from sweep.commands import plan as command
from sweep.commands.plan import Asked, _card, _summary, _time, show_plan, si
from sweep.errors import UsageError
from sweep.planning import CardTime, Forecast, plan_study, speeds
from sweep.planning.speeds import Speed, make_of
from sweep.workspace import open_workspace, prepare
from tests.support.toys import points, toy
from trainables import run
from trainables.store import open_store

ASKED = Asked(gpu="H100", cpus=2, calibrate=False, cluster=None, power=None, strict=False)


@pytest.fixture
def place(tmp_path):
    """A workspace in which a Gaussian's operations take hundredths of a second, and the file of a toy study."""
    workspace = open_workspace(tmp_path / "w", tracking_uri="none")
    prepare(workspace)
    make = make_of(points(toy(seeds=1))[0].cell)
    speeds.write(workspace.speeds, {make: Speed(0.01, 0.02, 0.4, 3, "runs")})
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(toy(seeds=1).canonical()))
    return workspace, str(path)


def plan(place, capsys, json=False, overrides=(), **asked):
    workspace, path = place
    code = show_plan(path, list(overrides), workspace, replace(ASKED, **asked), json)
    return code, capsys.readouterr()


def test_the_table_the_time_and_the_card_are_told_line_by_line(place, capsys):
    """Work: 100 operations of fits, 60 of samples, 5 generations of 0.4 + 0.1 s: 1 + 1.2 + 2.5 s. The longest cell:
    0.6 + 0.8 + 1.5 s is more than half of it; ten seconds are for the start."""
    code, said = plan(place, capsys, power=PowerRequirement(effect=0.1, deviation=1.0))
    table, total, summary, room, time, card, reach, power = said.out.splitlines()[1:]
    assert room.startswith("On the disk: about ")
    assert reach.startswith("Verdicts can say “collapses” and “levels off” from 6 generations on (here 3); ")
    assert table.split() == ["gaussian", "dim", "1", "2", "2", "6", "5", "800", "800", "160", "57.3kB"]
    assert total.split() == ["total", "2", "6", "5", "800", "800", "160", "57.3kB"]
    assert summary == (
        "toy: 2 cells of 6 generations; 1 of these are shared between cells, 0 are in the store, 5 are to be trained."
    )
    assert time == "Time on this machine, 2 trials at a time: about 13 s (speeds: 1 by earlier runs)."
    assert card == "On one H100: none; gaussian runs on cores."
    assert power.startswith("warning: underpowered: gaussian dim 1: a growth per generation of 0.1 is found with power")
    assert (code, said.err) == (0, "")


def test_what_a_budget_leaves_out_is_not_said_to_be_done(place, capsys):
    """A budget of one generation allows neither cell of three."""
    _, said = plan(place, capsys, overrides=["budget.generations=1"])
    assert "The budget leaves out 2 cells." in said.out
    assert "Time on this machine: none; the budget allows no more." in said.out
    assert "On one H100: none; the budget allows no more." in said.out
    assert "everything is done" not in said.out


def test_the_json_has_the_same_figures(place, capsys):
    _, said = plan(place, capsys, json=True)
    told = json.loads(said.out)
    assert told["time"]["work"] == pytest.approx(4.7)
    assert told["time"]["longest"] == pytest.approx(2.9)
    assert told["time"]["seconds"] == pytest.approx(12.9)
    assert told["time"]["sources"] == {"runs": 1}
    assert told["gpu_hours"] == 0
    assert told["gpu_hours_of"] == {"fits": 0, "samples": 0}
    assert (told["gpu"], told["utilisation"], told["gpu_rates"]) == ("H100", 0.3, {})
    assert (told["cluster"], told["schedulers"]) == (None, [])
    assert [(one["seeds"], one["underpowered"]) for one in told["power"]] == []
    assert told["totals"]["trained"] == 5


def test_what_is_stored_is_not_to_be_trained_and_columns_of_words_stand_to_the_left(place, capsys):
    workspace, _ = place
    store = open_store(workspace.storage)
    (replaced, _) = points(toy(seeds=1))
    list(run(replaced.cell, store))
    _, said = plan(place, capsys)
    head, row, *_ = said.out.splitlines()
    assert head.startswith("family    size   parameters  cells  generations  to train")
    assert row.split()[5:7] == ["6", "2"], "three of five models are there"
    assert "3 are in the store, 2 are to be trained." in said.out


def test_what_was_never_timed_is_measured_where_that_is_asked_for_and_kept(tmp_path, monkeypatch, capsys):
    workspace, path = open_workspace(tmp_path / "w", tracking_uri="none"), tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(toy(seeds=1).canonical()))
    asked = []

    def measured(makes, storage, workers):
        asked.append((len(makes), storage, workers))
        return {make: Speed(0.01, None, 0.4, 3, "calibration") for make in makes}

    monkeypatch.setattr(command, "calibrate_speeds", measured)
    unknown = plan((workspace, str(path)), capsys)[1]
    assert "Time on this machine: unknown; gaussian dim 1 was never timed here" in unknown.out
    assert asked == []
    code, said = plan((workspace, str(path)), capsys, calibrate=True, cpus=3)
    assert (code, said.err) == (0, "measuring gaussian dim 1 on this machine\n")
    assert asked == [(1, workspace.storage, 3)]
    assert "(speeds: 1 by calibration)." in said.out
    again = plan((workspace, str(path)), capsys, calibrate=True)[1]
    assert (asked[1:], again.err) == ([], ""), "once measured, a machine's speed is known"
    assert "(speeds: 1 by calibration)." in again.out


def test_more_trials_at_a_time_than_cells_shorten_nothing(place, capsys):
    times = [json.loads(plan(place, capsys, json=True, cpus=n)[1].out)["time"]["seconds"] for n in (1, 2, 50)]
    assert times == pytest.approx([10 + 4.7, 10 + 2.9, 10 + 2.9])


def test_a_cluster_is_charged_for_whole_nodes_at_the_stated_price(place, capsys, tmp_path):
    """4.7 s of work over 2 · 1 cores is less than the longest cell's 2.9 s, for which both nodes are paid."""
    path = tmp_path / "lab.yaml"
    path.write_text("{nodes: 2, price_per_hour: 3600}")
    _, said = plan(place, capsys, json=True, cluster=path)
    told = json.loads(said.out)["cluster"]
    assert told["seconds"] == pytest.approx(2.9)
    assert told["price"] == pytest.approx(2 * 2.9)
    assert told["cluster"]["name"] == "lab"
    _, said = plan(place, capsys, cluster=path)
    assert "On lab (2 × 1 cores of this machine's speed): about 3 s, 5.80 USD at the stated 3600 USD" in said.out


def test_too_few_seeds_end_with_exit_code_2_only_where_that_is_asked_for(place, capsys):
    asked = PowerRequirement(effect=0.1, deviation=1.0)
    code, said = plan(place, capsys, power=asked, strict=True)
    assert code == 2
    assert said.err.startswith("collapse-sweep: toy: seed: gaussian dim 1 has 1 seeds a configuration and needs ")
    assert said.err.count("\n") == 1
    code, said = plan(place, capsys, overrides=["require_power={effect: 0.1, deviation: 1.0}"])
    assert code == 2, "what the study itself requires needs no --strict"
    code, said = plan(place, capsys, power=PowerRequirement(effect=100, deviation=1.0), strict=True)
    assert (code, said.err) == (0, "")


def test_an_unknown_card_and_an_unreadable_cluster_are_refused(place, capsys, tmp_path):
    with pytest.raises(
        UsageError, match=r"^--gpu: unknown accelerator 'H20'; did you mean 'H200'\? \(known: A100, H100, "
    ):
        plan(place, capsys, gpu="H20")
    with pytest.raises(UsageError, match=r"^--cluster .*/none.yaml: can't be read: No such file or directory$"):
        plan(place, capsys, cluster=tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999.4, "999"),
        (999.5, "1k"),
        (1234, "1.23k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (2.5e9, "2.5G"),
        (4.56e12, "4.56T"),
        (1e15, "1P"),
        (7.89e18, "7.89E"),
        (-1500, "-1.5k"),
    ],
)
def test_numbers_have_three_digits_and_the_next_unit_from_where_they_round_to_it(value, text):
    assert si(value) == text


def test_a_card_s_hours_are_told_with_what_they_rest_on():
    assert _card("A100", CardTime(0.0, 0.0, {}, False)) == "On one A100: none; everything is done."
    both = CardTime(3600.0, 5400.0, {"language": "a benchmark"}, True)
    assert _card("A100", both) == (
        "On one A100 what is left takes about 2.5 GPU-hours, 1 of fits and 1.5 of samples (language at rates of a "
        "benchmark; the rest at 30% of 312 TFLOP/s, an assumption)."
    )
    assert _card("A100", replace(both, assumed=False)).endswith("(language at rates of a benchmark).")
    mixed = replace(both, assumed=False, on_cores=("gaussian", "linear"))
    assert _card("A100", mixed).endswith("(language at rates of a benchmark); gaussian, linear run on cores.")
    assert (
        _card("A100", replace(mixed, fitting=0.0, sampling=0.0)) == "On one A100: none; gaussian, linear run on cores."
    )


def test_time_that_is_not_known_is_told_with_a_way_to_know_it():
    lacking = Forecast(None, 0.0, 0.0, 2, unknown=["vae 1k"])
    assert _time(lacking, ASKED) == (
        "Time on this machine: unknown; vae 1k was never timed here (`plan --calibrate` measures it in ten seconds or "
        "so)."
    )
    tried = _time(replace(lacking, unknown=["vae 1k", "vae 1M"]), replace(ASKED, calibrate=True))
    assert tried == (
        "Time on this machine: unknown; vae 1k, vae 1M were never timed here (too large to be tried in a calibration)."
    )
    assert _time(Forecast(0.0, 0.0, 0.0, 2), ASKED) == "Time on this machine: none; everything is done."


def test_time_says_whose_speeds_it_rests_on():
    """A make of the same name with other settings is no other make to people."""
    borrowed = {"vae 1M": "vae 1k", "kde dim 2": "kde dim 2"}
    ahead = Forecast(7200.0, 0.0, 0.0, 3, {"store": 2, "calibration": 1}, borrowed)
    assert _time(ahead, ASKED) == (
        "Time on this machine, 3 trials at a time: about 2.0 h (speeds: 2 by this study's own records, 1 by "
        "calibration; vae 1M as vae 1k)."
    )


def test_the_summary_says_what_stands_for_results_that_are_not_there():
    found = plan_study(toy(seeds=1))
    plain = _summary(found)
    assert plain.endswith("5 are to be trained.")
    more = _summary(replace(found, estimated=True, tuning=1200, left_out=["a"] * 1001))
    assert more.removeprefix(plain) == (
        " Some cells depend on results: random draws stand for them here. 1,200 of the cells are fits of generation 1 "
        "that tune hyperparameters first; until then the first setting stands for what they choose. The budget leaves "
        "out 1,001 cells."
    )


def test_twenty_cells_that_are_left_out_are_named(place, capsys):
    _, said = plan(place, capsys, overrides=["seed={grid: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}", "budget.cells=1"])
    assert "The budget leaves out 23 cells." in said.out
    assert said.out.count("left out by the budget: gaussian / dim 1 / ") == 20
