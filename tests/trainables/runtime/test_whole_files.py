"""Files are there whole, or as they were."""

import os

import pytest

from trainables.runtime import write_whole


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(("content", "stored"), [("é", "é".encode()), (b"\x00\xff", b"\x00\xff")])
def test_a_file_is_written_where_no_folder_was(tmp_path, content, stored, durable):
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, content, durable)
    assert path.read_bytes() == stored
    assert os.listdir(path.parent) == ["file"]


def test_the_old_content_gives_way(tmp_path):
    path = tmp_path / "file"
    write_whole(path, "long and old")
    write_whole(path, "new")
    assert path.read_text() == "new"


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "other").write_text("untouched")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    write_whole(tmp_path / "file", "new")
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "other").read_text() == "untouched"


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_durable_is_synced_before_it_takes_the_place(tmp_path, monkeypatch):
    order, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda number: order.append("sync"))
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("replace"), replace(*names)))
    write_whole(tmp_path / "a", "x", durable=True)
    write_whole(tmp_path / "b", "x")
    assert order == ["sync", "replace", "replace"]
