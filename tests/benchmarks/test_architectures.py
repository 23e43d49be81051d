"""The page of architectures: a row for each one there is, and the process apart that each is tried in."""

import os
import re
import time

import pytest

from benchmarks.architectures import (
    FAILS,
    PAGE,
    REFUSED,
    SLOW,
    WORKS,
    Outcome,
    apart,
    attempt,
    causal,
    family,
    page,
    reason,
    rows_of,
)
from trainables.store import MemoryStore


def test_the_page_has_a_row_for_every_causal_architecture_there_is() -> None:
    rows = rows_of(PAGE.read_text())
    assert sorted(rows) == causal()
    for name, line in rows.items():
        _, _, word, parameters, said, _ = (cell.strip() for cell in line.split("|"))
        assert word in (WORKS, REFUSED, SLOW, FAILS), name
        assert bool(parameters) or word != WORKS, name
        assert bool(said) or word == WORKS, name
    assert PAGE.read_text() == page(rows)


@pytest.mark.parametrize("name", ["llama", "gpt_neox", "bert", "gemma3", "gemma4", "blt"])
def test_rows_are_what_the_product_says(name: str) -> None:
    cells = [cell.strip() for cell in rows_of(PAGE.read_text())[name].split("|")]
    if cells[2] == REFUSED:
        with pytest.raises(ValueError, match=r"^(architecture|overrides): ") as caught:
            family(name, {}).check(8, 1)
        assert reason(str(caught.value)) == cells[4]
    else:
        overrides = {"is_decoder": True} if cells[4] else {}
        config = family(name, overrides)
        config.check(8, 1)
        assert f"{config.parameters:,}" == cells[3]


def test_whatever_a_refusal_says_to_take_works() -> None:
    rows = {name: [cell.strip() for cell in line.split("|")] for name, line in rows_of(PAGE.read_text()).items()}
    advised = {name: found[1] for name, cells in rows.items() if (found := re.search(r"; take '([^']+)'", cells[4]))}
    assert len(advised) >= 5
    assert [name for name, part in advised.items() if rows[part][2] not in (WORKS, SLOW)] == []
    switched = [name for name, cells in rows.items() if "makes it causal" in cells[4]]
    assert switched == [], "what a switch makes causal works"


def hangs() -> Outcome:
    time.sleep(600)
    return Outcome(WORKS)


def test_what_hangs_or_dies_is_a_row_of_its_own() -> None:
    assert apart(hangs, limit=1) == Outcome(SLOW, 0, "took more than 1 s")
    assert apart(lambda: os._exit(3)) == Outcome(FAILS, 0, "the process died")
    assert apart(lambda: Outcome(WORKS, os.getpid())).parameters != os.getpid()


def test_an_architecture_is_fitted_and_sampled() -> None:
    found = attempt("gpt2", {}, MemoryStore())
    assert (found.word, found.parameters) == (WORKS, family("gpt2", {}).parameters)
    assert attempt("gemma3", {}, MemoryStore()).word == REFUSED
