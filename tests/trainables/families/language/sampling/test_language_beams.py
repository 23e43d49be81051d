"""Beam search against a search of all rows, by a decoder whose chances are a table."""

import itertools
import math

import pytest
import torch

from trainables.families.base import Diverged
from trainables.families.language.sampling.beam import search
from trainables.families.language.sampling.decoder import Decoder

START, END, WORDS = 0, 1, 4


class Table(Decoder):
    """Chances of a token by the one before and by the place, [places, V, V]."""

    def __init__(self, places: int, seed: int, end: float = 0.0) -> None:
        draws = torch.Generator().manual_seed(seed)
        self.logits = 2 * torch.randn(places, WORDS, WORDS, generator=draws)
        self.logits[:, :, END] += end

    def begin(self, rows: int) -> None:
        self.rows = rows

    def step(self, tokens_B: torch.Tensor, place: int) -> torch.Tensor:
        assert len(tokens_B) == self.rows
        return self.logits[place, tokens_B]

    def keep(self, index: torch.Tensor) -> None:
        self.rows = len(index)

    def log_chance(self, row: tuple[int, ...], begin: int) -> float:
        """Of the tokens behind the prompt."""
        logs = self.logits.log_softmax(-1)
        before = (START, *row[:-1])
        return math.fsum(float(logs[n, before[n], row[n]]) for n in range(begin, len(row)))


def searched(table: Table, beams: int, length: int, eos: int | None, *prompts: list[int]) -> list[list[int]]:
    longest = max(1, *(len(p) for p in prompts))
    given = torch.tensor([[*p, *[0] * (longest - len(p))] for p in prompts])
    inside = torch.arange(longest) < torch.tensor([[len(p)] for p in prompts])
    rows = search(table, START, eos, beams, given, inside, length).tolist()
    return [
        row[: row.index(eos, len(p)) + 1] if eos in row[len(p) :] else row for row, p in zip(rows, prompts, strict=True)
    ]


def likeliest(table: Table, prompt: list[int], length: int, eos: int | None) -> list[int]:
    """Of all rows that go on from a prompt and end with EOS or at full length, by the mean log chance of a token."""
    found = {}
    for many in range(1, length - len(prompt) + 1):
        for tail in itertools.product(range(WORDS), repeat=many):
            whole = many == length - len(prompt)
            if (eos in tail[:-1]) or (tail[-1] != eos and not whole) or (eos is None and not whole):
                continue
            found[(*prompt, *tail)] = table.log_chance((*prompt, *tail), len(prompt)) / many
    return list(max(found, key=lambda row: found[row]))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prompts", [[[], []], [[2], [3, 2]]])
def test_as_many_beams_as_there_are_rows_find_the_likeliest_row(seed: int, prompts: list[list[int]]) -> None:
    """Of rows without an end, all of which are four tokens long: 4³ beams hold every beginning of three."""
    table = Table(4, seed)
    found = searched(table, WORDS**3, 4, None, *prompts)
    assert found == [likeliest(table, prompt, 4, None) for prompt in prompts]


def test_rows_are_compared_by_the_mean_of_their_own_tokens() -> None:
    """Where ends are likely, a short row of better tokens wins over a longer one, and the other way round."""
    lengths = set()
    for seed in range(12):
        table = Table(4, seed, end=1.0)
        (found,) = searched(table, WORDS**3, 4, END, [2])
        best = likeliest(table, [2], 4, END)
        assert table.log_chance(tuple(found), 1) / (len(found) - 1) == pytest.approx(
            table.log_chance(tuple(best), 1) / (len(best) - 1), abs=1e-5
        ), seed
        lengths.add(len(found))
    assert len(lengths) > 1


def test_a_beam_that_begins_worse_wins_where_it_goes_on_better() -> None:
    """3/5 · 1/4 of a row by its likelier first token, which a greedy search takes, and 2/5 · 97/100 by the other."""
    table = Table(2, 0)
    table.logits[0, START] = torch.tensor([1e-9, 1e-9, 0.6, 0.4]).log()
    table.logits[1, 2] = torch.tensor([0.25, 0.25, 0.25, 0.25]).log()
    table.logits[1, 3] = torch.tensor([0.01, 0.97, 0.01, 0.01]).log()
    assert searched(table, 2, 2, None, []) == [[3, 1]]


def test_a_row_does_not_know_of_those_beside_it() -> None:
    table = Table(6, 3, end=0.5)
    prompts = [[], [2], [3, 3, 2], [2, 3]]
    together = searched(table, 3, 6, END, *prompts)
    assert together == [searched(table, 3, 6, END, prompt)[0] for prompt in prompts]
    for row, prompt in zip(together, prompts, strict=True):
        assert row[: len(prompt)] == prompt


def test_an_end_within_a_prompt_ends_nothing() -> None:
    (row,) = searched(Table(5, 1, end=-50.0), 3, 5, END, [2, END])
    assert row[:2] == [2, END]
    assert len(row) == 5


def test_a_table_that_is_no_number_is_told() -> None:
    table = Table(4, 0)
    table.logits[2] = math.nan
    with pytest.raises(Diverged, match=r"^sampling: the model's probabilities are not finite$"):
        searched(table, 3, 4, None, [2])
