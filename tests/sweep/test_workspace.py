"""Where a workspace keeps things: what its options mean, and what is refused in one line."""

import json
from pathlib import Path

import pytest

from sweep.errors import UsageError
from sweep.workspace import NO_TRACKING, is_mlflow, open_workspace, prepare, scheme_of


@pytest.fixture
def own(tmp_path):
    return f"sqlite:///{tmp_path / 'w' / 'mlflow.db'}"


def at(tmp_path, tracking=None, storage=None):
    return open_workspace(tmp_path / "w", storage, tracking)


@pytest.mark.parametrize(
    ("given", "uris"),
    [
        (None, ["OWN"]),
        ("mlflow", ["OWN"]),
        ("none", ["none"]),
        ("mlflow,csv://runs", ["OWN", "csv://runs"]),
        ("csv:///a,b", ["csv:///a,b"]),
        ("csv:///a,b,tensorboard://logs", ["csv:///a,b", "tensorboard://logs"]),
        ("http://h:5000,sqlite:///x.db,none", ["http://h:5000", "sqlite:///x.db", "none"]),
        ("csv://runs,nonesuch", ["csv://runs,nonesuch"]),
        ("csv://runs,mlflow-old", ["csv://runs", "mlflow-old"]),
        ("postgresql+psycopg://h/db,wandb://me/project", ["postgresql+psycopg://h/db", "wandb://me/project"]),
    ],
)
def test_a_comma_parts_trackers_only_where_another_begins(tmp_path, own, given, uris):
    """A folder's name may hold commas."""
    assert list(at(tmp_path, given).tracking_uris) == [own if uri == "OWN" else uri for uri in uris]


@pytest.mark.parametrize(
    ("given", "mlflow", "local", "default"),
    [
        (None, "OWN", True, True),
        ("mlflow", "OWN", True, True),
        ("csv://runs,mlflow", "OWN", True, False),
        ("csv://runs,http://h:5000,mlflow", "http://h:5000", False, False),
        ("none,sqlite:///other.db", "sqlite:///other.db", False, False),
        ("none", NO_TRACKING, False, False),
        ("csv://runs", NO_TRACKING, False, False),
    ],
)
def test_runs_are_read_from_the_first_tracker_that_is_mlflow_s(tmp_path, own, given, mlflow, local, default):
    workspace = at(tmp_path, given)
    assert workspace.mlflow_uri == (own if mlflow == "OWN" else mlflow)
    assert (workspace.local_tracking, workspace.default_tracking) == (local, default)


@pytest.mark.parametrize(
    ("uri", "scheme", "mlflow"),
    [
        ("postgresql+psycopg://h/db", "postgresql", True),
        ("sqlite:///x.db", "sqlite", True),
        ("databricks", "", True),
        ("./mlruns", "", True),
        ("uc://place", "uc", True),
        ("csv://runs", "csv", False),
        ("s3://bucket", "s3", False),
    ],
)
def test_a_scheme_is_what_stands_before_a_colon_without_its_driver(uri, scheme, mlflow):
    assert scheme_of(uri) == scheme
    assert is_mlflow(uri) is mlflow


def test_paths_are_absolute_because_trials_run_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    workspace = open_workspace(Path("w"))
    assert (workspace.root, workspace.storage, workspace.local_storage) == (
        tmp_path / "w",
        str(tmp_path / "w" / "store"),
        True,
    )
    assert open_workspace(Path("~/w")).root == tmp_path / "home" / "w"
    assert open_workspace(Path("w"), "~/store").storage == str(tmp_path / "home" / "store")
    assert open_workspace(Path("w"), "there").storage == str(tmp_path / "there")
    far = open_workspace(Path("w"), "s3://bucket/store")
    assert (far.storage, far.local_storage) == ("s3://bucket/store", False)
    assert open_workspace(Path("w"), "w/store").local_storage, "by its place, however it is said"


def test_everything_has_a_place_of_its_own_in_the_folder(tmp_path):
    workspace, root = at(tmp_path), tmp_path / "w"
    assert workspace.report("a/b") == root / "reports" / "a" / "b"
    assert workspace.running("a/b") == root / "running" / "a" / "b.json"
    assert workspace.log("abc") == root / "logs" / "abc.log"
    assert workspace.searches("a/b") == root / "optuna" / "a" / "b.log"
    assert workspace.all_searches == root / "optuna" / "journal.log"
    assert (workspace.speeds, workspace.database) == (root / "speeds.json", root / "mlflow.db")
    assert workspace.artifacts == root / "artifacts"
    assert not root.exists(), "naming makes nothing"


def test_preparing_marks_a_folder_once_with_the_layout_s_version(tmp_path):
    workspace = at(tmp_path)
    prepare(workspace)
    mark = tmp_path / "w" / "workspace.json"
    assert json.loads(mark.read_text()) == {"schema": 1}
    mark.write_text('{"schema": 1, "by": "another version"}')
    prepare(workspace)
    assert "another" in mark.read_text(), "a mark that is there stays"
    mark.write_text("")
    prepare(workspace)
    assert json.loads(mark.read_text()) == {"schema": 1}, "one that a full disk left empty is made again"


@pytest.mark.parametrize("content", ["", '{"schema": 0}', '{"schema": 1}', '{"schema": "1"}'])
def test_marks_of_this_and_of_earlier_versions_are_read(tmp_path, content):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "workspace.json").write_text(content)
    assert at(tmp_path).root == tmp_path / "w"


@pytest.mark.parametrize("content", ["{", "[]", "3", "{}", '{"schema": null}', '{"schema": "new"}', b"\xff\xfe"])
def test_a_mark_that_says_nothing_is_refused_with_what_would_be_right(tmp_path, content):
    (tmp_path / "w").mkdir()
    mark = tmp_path / "w" / "workspace.json"
    mark.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as refused:
        at(tmp_path)
    assert str(refused.value) == f"{mark}: can't be read as a workspace's mark; restore it as {{\"schema\": 1}}"


def test_a_folder_of_a_newer_version_is_refused_with_both_numbers(tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "workspace.json").write_text('{"schema": 2}')
    with pytest.raises(UsageError) as refused:
        at(tmp_path)
    assert str(refused.value) == (
        f"--workspace {tmp_path / 'w'}: written by a newer version (schema 2, this version reads up to 1); "
        "upgrade collapse-sweep or choose another folder"
    )


def test_a_file_is_no_workspace_and_no_place_for_one(tmp_path):
    (tmp_path / "w").write_text("")
    with pytest.raises(UsageError) as refused:
        at(tmp_path)
    assert str(refused.value) == f"--workspace {tmp_path / 'w'}: is a file, not a folder"
    with pytest.raises(UsageError) as refused:
        prepare(open_workspace(tmp_path / "w" / "below"))
    assert str(refused.value) == f"--workspace {tmp_path / 'w' / 'below'}: can't be written: Not a directory"


@pytest.mark.parametrize("name", ["logs", "running", "optuna", "artifacts", "speeds.json", "reports"])
def test_a_link_that_leads_out_is_refused_with_where_it_leads(tmp_path, name):
    workspace, outside = at(tmp_path), tmp_path / "outside"
    outside.mkdir()
    prepare(workspace)
    (tmp_path / "w" / name).symlink_to(outside)
    ways = {
        "logs": lambda: workspace.log("a"),
        "running": lambda: workspace.running("a"),
        "optuna": lambda: workspace.searches("a"),
        "artifacts": lambda: workspace.artifacts,
        "speeds.json": lambda: workspace.speeds,
        "reports": lambda: workspace.report("a"),
    }
    with pytest.raises(UsageError) as refused:
        ways[name]()
    assert str(refused.value).startswith(f"--workspace {tmp_path / 'w'}: {name}")
    assert f" leads out of it, to {outside}" in str(refused.value)
    assert str(refused.value).endswith("; remove the link, or link the whole workspace instead")


def test_a_workspace_that_is_a_link_itself_is_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "w").symlink_to(tmp_path / "real")
    assert at(tmp_path).log("a") == tmp_path / "w" / "logs" / "a.log"


@pytest.mark.parametrize("taken", ["reports", "reports/toy"])
def test_a_report_has_no_place_where_a_file_has_its_name(tmp_path, taken):
    workspace = at(tmp_path)
    place = tmp_path / "w" / taken
    place.parent.mkdir(parents=True)
    place.write_text("")
    with pytest.raises(UsageError) as refused:
        workspace.report("toy")
    assert str(refused.value) == (
        f"--workspace {tmp_path / 'w'}: {place} must be a folder and is a file; move that file away"
    )
