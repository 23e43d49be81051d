"""Trackers of trackers: what one hears every one of several hears, and what fails in one stops nothing."""

import inspect
from types import SimpleNamespace

import pytest

from sweep.errors import TrackingError
from sweep.tracking import Guarded, Several, connection
from sweep.tracking.base import KEPT, NullTracker, Tracker, told
from sweep.tracking.connection import check, connect, connect_aside, connect_beside, writers
from sweep.workspace import open_workspace, prepare
from tests.support.toys import toy

CALLS = {
    "admitted": ("job",),
    "started": ("job",),
    "recorded": ("job", "record"),
    "ended": ("job",),
    "tick": (),
    "complete": ("job", ["record"]),
    "shown": ("job",),
    "mend": ("job", ["record"]),
    "outdate": ({"key"},),
    "note": ({"tag": "text"},),
    "conclude": (["summary"],),
    "keep_report": ("folder",),
    "samples_kept": ("job",),
    "keep_samples": ("job", "folder"),
    "close": ("done",),
}
"""Every method of the protocol, with arguments that are told apart."""

ANSWERS = {"shown": True, "samples_kept": True, "mend": ["difference"]}


class Heard:
    """Writes down what it hears; says no where it is asked whether anything is there."""

    trouble = None

    def __init__(self, answers=ANSWERS, fails=None):
        self.calls, self._answers, self._fails = [], answers, fails

    def __getattr__(self, name):
        def hear(*arguments):
            self.calls.append((name, arguments))
            if self._fails is not None:
                raise self._fails
            return self._answers.get(name)

        return hear


def test_the_calls_below_are_those_of_the_protocol():
    methods = {name for name, _ in inspect.getmembers(Tracker, inspect.isfunction) if not name.startswith("_")}
    assert set(CALLS) == methods


@pytest.mark.parametrize("name", CALLS)
def test_what_is_told_to_a_composite_is_told_to_each_with_the_same_words(name):
    one, other = Heard(), Heard()
    for composite in (Several([one, other]), Several([Guarded(one, pytest.fail), Guarded(other, pytest.fail)])):
        one.calls.clear()
        other.calls.clear()
        getattr(composite, name)(*CALLS[name])
        assert one.calls == other.calls == [(name, CALLS[name])]


@pytest.mark.parametrize("name", ["shown", "samples_kept"])
@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_job_is_there_where_every_tracker_has_it(name, first, second):
    both = Several([Heard({name: first}), Heard({name: second})])
    assert getattr(both, name)("job") is (first and second)
    guarded = Several([Guarded(Heard({name: answer}), pytest.fail) for answer in (first, second)])
    assert getattr(guarded, name)("job") is (first and second)


def test_what_was_otherwise_is_told_of_all_in_their_order():
    both = Several([Heard({"mend": ["a"]}), Heard({"mend": ()}), Heard({"mend": ["b", "c"]})])
    assert both.mend("job", []) == ["a", "b", "c"]


@pytest.mark.parametrize("name", CALLS)
def test_a_tracker_that_fails_is_told_once_and_never_asked_again(name):
    """Of what can't be shown nothing is lacking: else a report would be told to write it."""
    failing, said = Heard(fails=RuntimeError("nobody\nforesaw this")), []
    guarded = Guarded(failing, said.append)
    answer = getattr(guarded, name)(*CALLS[name])
    assert answer == {"shown": True, "samples_kept": True, "mend": []}.get(name)
    for other, arguments in CALLS.items():
        getattr(guarded, other)(*arguments)
    assert said == [guarded.trouble] == ["tracking: RuntimeError: nobody foresaw this"]
    assert failing.calls == [(name, CALLS[name])]


def test_trouble_is_that_of_all_that_have_any():
    quiet, first, last = (SimpleNamespace(trouble=trouble) for trouble in (None, "one is gone", "two is full"))
    assert Several([quiet, quiet]).trouble is None
    assert Several([first, quiet, last]).trouble == "one is gone; two is full"
    with pytest.raises(AttributeError, match="each tracker tells its own trouble"):
        Several([quiet]).trouble = "mine"


def test_a_tracker_that_has_trouble_from_the_start_is_left_alone():
    broken = Heard()
    broken.trouble = "no folder"
    guarded = Guarded(broken, pytest.fail)
    guarded.started("job")
    assert (guarded.trouble, broken.calls) == ("no folder", [])


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (TrackingError("--tracking-uri x: no room\nleft"), "--tracking-uri x: no room left"),
        (KeyError("run"), "tracking: KeyError: 'run'"),
        (ValueError("x" * 999), "tracking: ValueError: " + "x" * 300),
    ],
)
def test_a_failure_is_one_line_and_what_nobody_foresaw_has_its_type(problem, text):
    assert told(problem) == text


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (TrackingError("w/mlflow.db: locked"), "w/mlflow.db: locked; mine"),
        (TrackingError("w/mlflow.db: locked", "theirs"), "w/mlflow.db: locked; theirs"),
        (TrackingError(f"/{KEPT}/mlflow.db: locked"), f"/{KEPT}/mlflow.db: locked; mine"),
        (KeyError("run"), "tracking: KeyError: 'run'; mine"),
    ],
)
def test_a_failure_has_its_own_hint_or_that_of_who_tells_it(problem, text):
    assert told(problem, "mine") == text
    said, failing = [], Heard(fails=problem)
    Guarded(failing, said.append, "mine").tick()
    assert said == [text]


@pytest.mark.parametrize("hint", ["", KEPT])
def test_a_run_says_once_that_results_are_kept_whatever_fails(monkeypatch, tmp_path, hint):
    def refuse(*arguments):
        raise TrackingError("w/mlflow.db: locked", hint)

    monkeypatch.setattr(connection, "_open", refuse)
    said = []
    connect_aside(toy(), open_workspace(tmp_path / "w"), pytest.fail)(said.append)
    assert said == [f"w/mlflow.db: locked; {KEPT}"]


def test_a_tracker_of_nothing_lacks_nothing_and_says_nothing():
    nothing = NullTracker()
    answers = {name: getattr(nothing, name)(*arguments) for name, arguments in CALLS.items()}
    assert {name: answer for name, answer in answers.items() if answer is not None} == {
        "shown": True,
        "samples_kept": True,
        "mend": (),
    }
    assert nothing.trouble is None


@pytest.fixture
def place(tmp_path):
    def made(uri):
        workspace = open_workspace(tmp_path / "w", tracking_uri=uri)
        prepare(workspace)
        return workspace

    return made


def plug(monkeypatch, make):
    plugin = SimpleNamespace(name="mine", load=lambda: make)
    monkeypatch.setattr(connection, "entry_points", lambda group: [plugin] if group == connection.PLUGINS else [])


def test_a_tracker_of_another_package_is_made_like_ours(monkeypatch, place):
    made = []
    plug(monkeypatch, lambda *arguments: made.append(arguments) or Heard())
    workspace, study = place("mine://there"), toy()
    connect(study, workspace, beside=True)
    assert made == [("mine://there", study, workspace, True)]
    check("mine://there")
    assert len(made) == 1, "to check needs no study"


def test_one_that_can_not_be_made_is_told_in_a_line_and_left_out_of_a_report(monkeypatch, place, tmp_path):
    def fail(*arguments):
        raise ConnectionResetError("the server\nhung up")

    plug(monkeypatch, fail)
    workspace, said = place(f"mine://there,csv://{tmp_path}/runs"), []
    line = "--tracking-uri mine://there: tracking: ConnectionResetError: the server hung up"
    beside = connect_beside(toy(), workspace, said.append)
    assert said == [line]
    beside.note({"tuned": "yes"})
    beside.close("")
    assert (tmp_path / "runs" / "toy" / "study.json").is_file(), "the other one is written"
    with pytest.raises(TrackingError) as refused:
        connect_aside(toy(), workspace, pytest.fail)
    assert str(refused.value) == line, "what a user named is refused before anything is trained"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("cvs://runs", "--tracking-uri cvs://runs: unknown scheme 'cvs'; did you mean 'csv'?"),
        ("csv://", "--tracking-uri csv://: names no folder; as in csv://runs or csv:///home/me/runs"),
        ("jsonl://", "--tracking-uri jsonl://: names no folder; as in jsonl://runs or jsonl:///home/me/runs"),
        ("wandb://", "--tracking-uri wandb://: names no project; as in wandb://my-project"),
    ],
)
def test_a_uri_that_names_nothing_is_refused_with_what_would_be_right(place, uri, said):
    with pytest.raises(TrackingError) as refused:
        connect(toy(), place(uri))
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_a_folder_is_checked_without_a_study_and_made_by_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for uri in ("none", "csv://runs", "tensorboard://logs", "jsonl:///elsewhere"):
        check(uri)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TrackingError, match="names no folder"):
        check("tensorboard://")


@pytest.mark.parametrize(
    ("uri", "threads"),
    [
        ("http://h:5000", 4),
        ("https://h", 4),
        ("postgresql+psycopg://h/db", 4),
        ("mysql://h/db", 4),
        ("sqlite:///x.db", 1),
        ("csv://runs", 1),
        ("mlflow", 1),
    ],
)
def test_servers_take_several_writers_and_files_one(uri, threads):
    assert writers(uri) == threads


def test_none_is_no_tracker_and_several_are_one(place, tmp_path):
    assert type(connect(toy(), place("none"))) is NullTracker
    both = connect(toy(), place(f"csv://{tmp_path}/a,jsonl://{tmp_path}/b"))
    both.note({"tuned": "yes"})
    both.close("done")
    assert (tmp_path / "a" / "toy" / "study.json").is_file()
    assert (tmp_path / "b" / "toy.jsonl").is_file()
