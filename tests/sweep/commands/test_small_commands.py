"""`diff`, `export`, `gc`, `init`, `relog`, `status`: what they print and refuse, in this process."""

import json

import pytest
import yaml

from search_spaces import StudyError, load_study
from sweep.commands.diff import diff, settings_table, shown
from sweep.commands.export import export
from sweep.commands.gc import _as_json, _as_text, level
from sweep.commands.init import init
from sweep.commands.relog import _tell
from sweep.commands.schema import schema
from sweep.commands.show import show
from sweep.commands.status import _print, _print_run, describe
from sweep.errors import UsageError
from sweep.scheduling import Failure, make_job
from sweep.tracking import Difference
from sweep.workspace import open_workspace
from tests.support.toys import points, toy
from trainables.recursion import Recursion, Report, Steps
from trainables.recursion.retention import Removal
from trainables.store import open_store


@pytest.fixture
def study(tmp_path):
    def written(name="toy", **fields):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(toy(("replace",), 1, **fields).canonical() | {"name": name}))
        return str(path)

    return written


def test_studies_differ_in_the_settings_that_are_told_and_in_no_others(study, capsys):
    one, other = study("one"), study("other", rows=30, generations=5)
    assert diff(one, other, json=False) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["setting", "one", "other"]
    assert ["cell.rows", "20", "30"] in lines
    assert ["cell.generations", "3", "5"] in lines
    assert diff(one, other, json=True) == 0
    told = {one["path"]: one["values"] for one in json.loads(capsys.readouterr().out)}
    assert told["cell.rows"] == [20, 30]
    assert len(told) == len(lines) - 1
    diff(one, one, json=False)
    assert capsys.readouterr().out == f"{one} and {one} say the same\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), ("replace", "replace"), (3, "3"), (0.1, "0.1"), (True, "true"), ([1, None], "[1, null]"), ("é", "é")],
)
def test_a_setting_is_told_as_it_is_written(value, text):
    assert shown(value) == text
    assert settings_table([], ["a", "b"]) == "setting  a  b"


@pytest.fixture
def place(tmp_path):
    return open_workspace(tmp_path / "w", tracking_uri="none")


def test_a_model_that_is_not_one_is_not_exported(study, place, tmp_path):
    path = study()
    cell = points(load_study(path))[0].cell
    key = Steps(cell).step(2).model
    keys = [Steps(cell).step(generation).model[:12] for generation in (1, 2, 3)]
    told = [f"{start} (gaussian / dim 1 / replace / seed 0, generation {n})" for n, start in enumerate(keys, 1)]
    for prefix, said in (
        ("zz", f"no model of this study has a key that starts with 'zz'; its last ones: {told[2]}"),
        ("", f"'' starts 3 models of this study; give more digits: {'; '.join(told)}"),
    ):
        with pytest.raises(UsageError) as refused:
            export(path, [], place, prefix, tmp_path / "out")
        assert str(refused.value) == f"KEY: {said}"
    with pytest.raises(UsageError) as refused:
        export(path, [], place, key[:12], tmp_path / "out")
    assert str(refused.value) == (
        f"KEY: model {key} is not in {place.storage}: it was collected, or the study has not run"
    )
    Recursion(cell, open_store(place.storage)).model(2)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    for taken in (tmp_path / "taken", tmp_path / "taken" / "file"):
        with pytest.raises(UsageError) as refused:
            export(path, [], place, key, taken)
        assert str(refused.value) == f"FOLDER: {str(taken)!r} is there already and not empty"
    with pytest.raises(UsageError, match=r"^KEY: .*gaussian") as refused:
        export(path, [], place, key, tmp_path / "out")
    assert "\n" not in str(refused.value)


def test_a_key_that_several_artifacts_begin_with_is_no_one_s(study, place):
    Recursion(points(load_study(study()))[0].cell, open_store(place.storage)).record(2)
    with pytest.raises(UsageError) as refused:
        show("", place)
    assert str(refused.value).startswith("KEY: '' starts ")
    assert str(refused.value).endswith(", …); give more digits")
    with pytest.raises(UsageError) as refused:
        show("zz", place)
    assert str(refused.value) == f"KEY: no artifact in {place.storage} has a key that starts with 'zz'"


def write(path, family="gaussian", force=False, policies=("replace",)):
    return init(family, path, None, policies, 3, None, force)


def test_a_study_to_begin_with_can_be_read_and_says_what_is_next(tmp_path, capsys):
    path = tmp_path / "a" / "mine.yaml"
    assert write(path) == 0
    assert capsys.readouterr().out == f"{path}: written; next: collapse-sweep plan {path}\n"
    made = load_study(str(path))
    assert made.name == "mine"
    assert len(points(made)) == 3, "one policy, three seeds"


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    with pytest.raises(UsageError) as refused:
        write(path)
    assert str(refused.value) == (f"--out {path}: is there already; choose another name, or add --force to replace it")
    assert path.read_text() == "mine"
    with pytest.raises(StudyError):
        write(path, force=True, policies=("replase",))
    assert path.read_text() == "mine", "what can't be a study replaces nothing"
    write(path, force=True)
    assert load_study(str(path)).name == "mine"


def test_what_can_not_be_a_study_or_a_file_leaves_nothing_behind(tmp_path):
    with pytest.raises(StudyError):
        write(tmp_path / "new.yaml", policies=("replase",))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as refused:
        write(tmp_path / "file" / "a" / "new.yaml")
    assert str(refused.value) == f"--out {tmp_path / 'file' / 'a' / 'new.yaml'}: can't be written: Not a directory"


def test_what_would_go_is_counted_by_kind_with_bytes_and_seconds():
    removals = [Removal("model", "a", 1500, 2.0), Removal("batch", "b", 500, 0.4), Removal("model", "c", 0, 0.2)]
    stray = [("model/x", 1000), ("batch/y", 2000)]
    dry = _as_text("toy", Report(tuple(removals), dry_run=True), stray)
    assert dry == (
        "toy: 3 artifacts would go (1 batch, 2 model), 2 kB; computing them again would take about 3 s of one core. "
        "Records stay. Leftovers of writes that never ended, in the whole store: 2 (3 kB) would go."
    )
    assert _as_text("toy", Report((), dry_run=False), []).startswith("toy: 0 artifacts are gone (nothing), ")
    told = json.loads(_as_json("toy", Report(tuple(removals), dry_run=True), stray))
    assert told["removed"][0] == {"kind": "model", "key": "a", "size": 1500, "seconds": 2.0}
    assert (told["study"], told["dry_run"], told["leftovers"]) == ("toy", True, dict(stray))


def test_levels_of_what_stays_are_known_by_name():
    assert [level(name) for name in ("all", "last", "records")] == ["all", "last", "records"]
    with pytest.raises(UsageError, match=r"^--keep all: is none of last, records$"):
        level("all", frozenset({"all"}))


def test_twenty_figures_that_were_mended_are_named(capsys):
    found = [Difference("r", "loss", n, None, float(n)) for n in range(25)]
    _tell("toy", [found[:5], found[5:]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "toy: 25 figures of 2 cells were not the store's; the cells are written anew"
    assert lines[1] == "  run r: loss of generation 0 was missing, is 0"
    assert (len(lines), lines[-1]) == (1 + 20 + 1, "  and 5 more; --json names them all")


def test_a_status_counts_cells_and_lists_those_that_are_not_done(place, capsys):
    jobs = [make_job(point.cell, {}) for point in points(toy(seeds=3))]
    for job, (status, done) in zip(jobs, (("done", 3), ("done", 3), ("running", 1), ("waiting", 0)), strict=False):
        job.status, job.done = status, done
    _print("toy", jobs[:4], place, "again")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "toy: 2 done, 1 running, 0 failed, 1 left"
    assert [line.split()[-2:] for line in lines[2:]] == [["running", "1/3"], ["left", "0/3"]]
    jobs[0].status = "stopped"
    jobs[3].status, jobs[3].failure = "failed", Failure("the loss is nan", 1)
    _print("toy", jobs[:4], place, "again")
    said = capsys.readouterr().out
    assert said.startswith("toy: 1 done, 1 running, 1 failed, 1 stopped early, 0 left\n")
    assert describe(jobs[3]) == {
        "cell": jobs[3].key,
        "title": jobs[3].title,
        "status": "failed",
        "done": 0,
        "generations": 3,
        "failure": "generation 1: the loss is nan",
    }


def test_a_run_that_is_going_on_is_told_with_its_pace_and_its_nodes(capsys):
    nodes = [
        {"address": "10.0.0.1", "alive": True, "cpus": 4.0, "gpus": 0.5},
        {"address": "10.0.0.2", "alive": False, "cpus": 0.0, "gpus": 0.0},
    ]
    note = {"seconds": 120.0, "pid": 7, "host": "box", "reached": 1200, "generations": 4500, "what": "generations"}
    _print_run(note | {"per_minute": 12.3456, "left_seconds": 7200.0, "nodes": nodes})
    assert capsys.readouterr().out.splitlines() == [
        "running for 2 min as process 7 on box: 1,200/4,500 generations, 12.3 a minute, about 2.0 h left",
        "node 10.0.0.1: alive, 4 CPUs, 0.5 GPUs",
        "node 10.0.0.2: dead, 0 CPUs, 0 GPUs",
    ]
    _print_run(note | {"per_minute": 0.0, "left_seconds": None, "nodes": []})
    assert capsys.readouterr().out.endswith("generations, 0 a minute\n")


def test_a_schema_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"^WHAT: no schema of 'cel'; did you mean 'cell'\?"):
        schema("cel")
