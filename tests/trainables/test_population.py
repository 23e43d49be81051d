"""Populations as plain data: who reads whom, what is refused, what no cell without one may notice."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from trainables import Cell
from trainables.population import Feed, Population

CELL = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 4}
HALVES = [[0.5, 0.5], [0.25, 0.75]]


def cell(policy="replace", population=None, **fields) -> Cell:
    policy = {"kind": policy} if isinstance(policy, str) else policy
    return Cell.model_validate(CELL | {"policy": policy} | fields | ({"population": population} if population else {}))


def draws(of: Cell, generation: int, member: int):
    return of.draws(of.recipe(generation, member), member)


@pytest.mark.parametrize(
    ("graph", "weights"),
    [
        ("alone", ((1, 0, 0), (0, 1, 0), (0, 0, 1))),
        ("ring", ((0.6, 0, 0.4), (0.4, 0.6, 0), (0, 0.4, 0.6))),
        ("complete", ((0.6, 0.2, 0.2), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6))),
        ("star", ((1, 0, 0), (0.4, 0.6, 0), (0.4, 0, 0.6))),
    ],
)
def test_named_graphs_say_what_each_member_takes_of_whom(graph, weights):
    assert Population(graph=graph, shares=0.4).weights == weights


def test_who_reads_whom_is_by_weights_that_are_not_0():
    star = Population(graph="star", shares=1.0)
    assert [star.readers(member) for member in (1, 2, 3)] == [[1, 2, 3], [], []]
    assert star.sources(2) == [(1, 1.0)]


@pytest.mark.parametrize("shares", [0.0, -0.5, 1.01, [], "", "half", True])
def test_shares_are_a_part_or_rows_of_numbers(shares):
    with pytest.raises(ValueError, match="shares"):
        Population.model_validate({"shares": shares})


@pytest.mark.parametrize("graph", ["ring", "complete", "star"])
def test_all_members_begin_with_real_rows_of_their_own(graph):
    fed = draws(cell(population={"graph": graph}), 1, 3)
    assert [(draw.batches, draw.source, draw.weight) for draw in fed] == [((0,), 3, 1.0)]


def test_a_matrix_is_taken_as_it_is():
    population = Population.model_validate({"models": 2, "graph": "matrix", "shares": HALVES})
    assert population.weights == ((0.5, 0.5), (0.25, 0.75))
    assert (population.readers(1), population.sources(2)) == ([1, 2], [(1, 0.25), (2, 0.75)])


def test_a_cell_without_a_population_is_what_it_was():
    assert "population" not in cell().canonical()
    assert '"population"' not in cell().model_dump_json()
    fed = cell(population={"models": 2})
    assert Cell.model_validate(fed.canonical()) == fed
    assert fed.key != cell().key
    assert fed.key != cell(population={"models": 3}).key


def test_whole_batches_keep_their_part_of_the_loss_and_real_rows_are_not_split():
    fed = draws(cell("accumulate", {"models": 2, "graph": "matrix", "shares": HALVES}), 3, 2)
    found = [(draw.batches, draw.source, draw.weight) for draw in fed if isinstance(draw, Feed)]
    assert found == [((0,), 2, 1.0), ((1, 2), 1, 0.25), ((1, 2), 2, 0.75)]


def test_a_member_leaves_as_many_rows_as_its_readers_plan_for():
    anchor = {"kind": "ratio_mix", "ratio": 0.2}
    fed = cell("replace", {"models": 3, "graph": "ring", "anchor": anchor})
    assert [fed.recipe(2, member).kept_rows for member in fed.members] == [20, 20, 20]
    first = [draw for draw in draws(fed, 2, 1) if draw.batches == (1,)]
    assert [(draw.rows, draw.how, draw.weight) for draw in first] == [(4, "first", 0.5), (4, "first", 0.5)]


def test_a_batch_of_another_size_counts_by_its_share():
    """Member 1 leaves 40 rows, of which it plans to read all; member 2 plans for 20."""
    anchor = {"kind": "compose", "sample": {"times": 2}, "corpus": [{"source": "latest"}]}
    fed = cell("replace", {"models": 2, "graph": "ring", "anchor": anchor})
    rows = {member: fed.recipe(2, member).kept_rows for member in fed.members}
    assert rows == {1: 40, 2: 40}, "member 1 reads member 2 too"
    for member, planned in ((1, 40), (2, 20)):
        assert sum(rows[draw.source] * draw.weight for draw in draws(fed, 2, member)) == pytest.approx(planned)


def test_fresh_rows_of_members_with_their_own_real_rows_are_disjoint():
    anchor = {"kind": "fresh_mix", "real": 1, "synthetic": 0.5}
    fork = {"generation": 2, "policy": {"kind": "fresh_mix", "real": 0.25}}
    fed = cell("fresh_mix", {"models": 3, "real": "own", "anchor": anchor}, fork=fork)
    spans = sorted(
        (draw.start, draw.start + draw.rows)
        for generation in range(2, 5)
        for member in fed.members
        for draw in draws(fed, generation, member)
        if draw.batches == (-1,)
    )
    assert spans[0][0] == 2 * 20, "behind the batches 0 of members 2 and 3"
    assert all(end == start for (_, end), (start, _) in pairwise(spans))
    assert len(spans) == 9


@pytest.mark.parametrize(
    ("population", "line"),
    [
        ("{models: 1}", "models: input should be greater than or equal to 2, not 1"),
        ("{graph: rign}", "graph: input should be 'ring', 'complete', 'star', 'alone' or 'matrix', not 'rign'"),
        ("{shares: 1.5}", "shares: the part that comes from others lies above 0 and up to 1, not 1.5"),
        ("{shares: half}", "shares: must be one number, or for graph: matrix a list of rows of numbers, not 'half'"),
        ("{shares: [[1]]}", "shares: graph ring takes one number; rows of numbers are for graph: matrix"),
        ("{graph: matrix}", "shares: graph matrix takes 3 rows of 3 numbers"),
        ("{models: 2, graph: matrix, shares: [[1, 0], [1]]}", "shares: 2 members take 2 rows of 2, not [2, 1]"),
        (
            "{models: 2, graph: matrix, shares: [[1, 0], [0.5, 0.6]]}",
            "shares: row 2 must hold shares of at least 0 that add up to 1, not (0.5, 0.6)",
        ),
        ("{anchored: [4]}", "anchored: members are numbered 1 to 3, each named once, not (4,)"),
        ("{anchor: {kind: token_edit}}", "anchor: token_edit needs a family with edit; gaussian has bias, correct, "),
        ("{anchr: 1}", "anchr: unknown key; did you mean 'anchor'?"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, population: str, line: str):
    from search_spaces import StudyError
    from search_spaces.loading import load_cell

    path = tmp_path / "cell.yaml"
    path.write_text(f"family: {{kind: gaussian}}\npolicy: {{kind: replace}}\npopulation: {population}\n")
    with pytest.raises(StudyError) as problem:
        load_cell(path)
    assert f"population.{line}" in str(problem.value)
    assert "\n" not in str(problem.value)


def test_the_command_line_ends_with_one_line_and_code_2(tmp_path: Path):
    path = tmp_path / "cell.yaml"
    path.write_text("family: {kind: gaussian}\npolicy: {kind: replace}\npopulation: {anchored: [9]}\n")
    done = subprocess.run(
        [sys.executable, "-m", "sweep", "trial", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("collapse-sweep: ")
    assert done.stderr.count("\n") == 1
