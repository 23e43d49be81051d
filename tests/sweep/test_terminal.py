"""Columns of text."""

from sweep.terminal import columns

ROWS = [["family", "size", "rows"], ["linear", "dim 10", "5"], ["vae", "", "1,200"]]


def test_figures_stand_to_the_right():
    assert columns(ROWS).split("\n") == ["family    size   rows", "linear  dim 10      5", "vae             1,200"]


def test_as_many_columns_as_wanted_stand_to_the_left_and_no_line_ends_in_spaces():
    assert columns(ROWS, left=3).split("\n") == ["family  size    rows", "linear  dim 10  5", "vae             1,200"]
