"""What lies on servers is asked for where that is allowed, and URIs of databases and secrets are what they say."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from trainables.runtime import (
    NotAsked,
    check_dataset,
    check_place,
    has_password,
    redact_urls,
    sqlite_file,
    sqlite_uri,
    unasked,
)


@pytest.mark.parametrize("place", ["s3://bucket/x", "https://example.org/x.csv", "gs://b", "hf://datasets/x"])
def test_a_place_on_a_server_is_refused_where_none_may_be_asked(place: str) -> None:
    check_place("source.path", place)
    with unasked():
        with pytest.raises(NotAsked) as caught:
            check_place("source.path", place)
        assert str(caught.value) == (
            f"source.path: {place!r} is on a server, which this command asks only with --online"
        )
    check_place("source.path", place)


@pytest.mark.parametrize("place", ["data/x.csv", "/x", "file:///x", "local://x", "memory://x", "C:\\x", "name"])
def test_a_place_here_is_never_refused(place: str) -> None:
    with unasked():
        check_place("source.path", place)


def test_leave_is_given_and_taken_for_a_block_and_all_threads_and_comes_back_after_an_error() -> None:
    said: list[str] = []

    def ask() -> None:
        try:
            check_place("source.path", "s3://x")
            said.append("asked")
        except NotAsked:
            said.append("refused")

    with unasked():
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        with unasked(online=True):
            ask()
        ask()
    with pytest.raises(ArithmeticError), unasked():
        raise ArithmeticError
    ask()
    assert said == ["refused", "asked", "refused", "asked"]


@pytest.mark.parametrize(
    ("offline", "folder", "refused"),
    [
        ("", False, True),
        ("0", False, True),
        ("1", False, False),
        ("yes", False, False),
        ("TRUE", False, False),
        ("", True, False),
    ],
)
def test_a_dataset_of_the_hub_is_on_a_server_unless_it_is_a_folder_or_the_hub_is_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, offline: str, folder: bool, refused: bool
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    name = str(tmp_path) if folder else "owner/dataset"
    with unasked():
        if refused:
            with pytest.raises(NotAsked, match=r"^source.name: 'owner/dataset' is on a server"):
                check_dataset("source.name", name)
        else:
            check_dataset("source.name", name)
    check_dataset("source.name", name)


@pytest.mark.parametrize(
    "path", ["/runs/mlflow.db", "relative.db", "/a b/ü.db", "/100%/x.db", "/what?/x.db", "/a%3Fb.db", "/x#y.db"]
)
def test_a_database_is_found_where_its_uri_says_as_sqlalchemy_reads_it(path: str) -> None:
    uri = sqlite_uri(Path(path))
    assert sqlite_file(uri) == Path(path)
    assert make_url(uri).database == path


def test_options_of_a_uri_are_no_part_of_its_file_and_other_uris_name_none() -> None:
    assert sqlite_file("sqlite:////runs/x.db?timeout=5&x=/y") == Path("/runs/x.db")
    assert sqlite_uri(Path("/x")) == "sqlite:////x"
    for uri in ("postgresql://h/x", "sqlite://", "/x.db", "https://example.org/sqlite:///x"):
        assert sqlite_file(uri) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:se/c:ret@host/db", "postgresql://me:***@host/db"),
        ("https://token123@host/x and more", "https://***@host/x and more"),
        ("s3://b/x?X-Amz-Signature=abc&part=2", "s3://b/x?X-Amz-Signature=***&part=2"),
        ("http://h/x?API_KEY=abc#top", "http://h/x?API_KEY=***#top"),
        ("http://h/?password=a;sig=b", "http://h/?password=***;sig=***"),
        ("'redis://:pw@h:1/0'", "'redis://:***@h:1/0'"),
    ],
)
def test_what_a_url_keeps_secret_is_masked_and_the_rest_stays(text: str, shown: str) -> None:
    assert redact_urls(text) == shown
    assert has_password(text)
    assert redact_urls(shown) == shown, "once is enough"


@pytest.mark.parametrize(
    "text", ["https://host:5000/x", "s3://bucket/a@b", "me@example.org", "http://h/?page=3", "C:\\x@y", "a: b@c"]
)
def test_a_url_without_a_secret_stays_as_it_is(text: str) -> None:
    assert redact_urls(text) == text
    assert not has_password(text)
