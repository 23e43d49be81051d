"""Price: the user's own figures, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.errors import UsageError
from sweep.planning import PEAK, Forecast, bill, read_cluster
from sweep.planning.forecast import Effort
from sweep.planning.plan import Left
from sweep.planning.price import Cluster
from sweep.planning.speeds import Make

MAKE = Make("vae", "1k", 1_000, "a")
HERE = Forecast(seconds=3610.0, work=7200.0, longest=600.0, workers=2)


def left(*flops: float) -> Left:
    cells = [(MAKE, Effort(1, each)) for each in flops]
    return Left(efforts={MAKE: Effort(len(flops), sum(flops))}, cells=cells)


def test_accelerators_share_the_work_but_not_a_cell() -> None:
    hour = PEAK["H100"] * 0.3 * 3600
    eight = Cluster(gpu="H100", gpus_per_node=8, nodes=1, price_per_hour=30)
    even = bill(eight, left(*[hour] * 16), HERE)
    assert even.seconds == pytest.approx(7200)
    assert even.price == pytest.approx(60)
    uneven = bill(eight, left(10 * hour, hour), HERE)
    assert uneven.seconds == pytest.approx(36_000), "the longest cell runs on one accelerator"


def test_cores_are_counted_at_this_machines_speed() -> None:
    found = bill(Cluster(nodes=3, cpus_per_node=2, price_per_hour=0.5), left(1.0), HERE)
    assert found.seconds == pytest.approx(1200)
    assert found.price == pytest.approx(0.5)
    unknown = Forecast(None, 0.0, 0.0, 2, unknown=["vae 1k"])
    assert bill(Cluster(price_per_hour=1), left(1.0), unknown).price is None


def test_a_bill_says_what_it_rests_on() -> None:
    cores = Cluster(name="lab", nodes=3, cpus_per_node=2, price_per_hour=0.5, currency="EUR")
    assert bill(cores, left(1.0), HERE).line() == (
        "On lab (3 × 2 cores of this machine's speed): about 20 min, 0.50 EUR at the stated 0.5 EUR a node and hour; "
        "starting nodes is not counted."
    )
    cards = Cluster(name="dc", gpu="H100", gpus_per_node=8, price_per_hour=30)
    said = bill(cards, left(*[PEAK["H100"] * 0.3 * 3600] * 16), HERE).line()
    assert said.startswith("On dc (1 × 8 H100 at 30% of its peak, arithmetic alone): about 2.0 h, 60.00 ")
    for lacking in ({"seconds": None}, {"price": None}):
        unknown = replace(bill(cores, left(1.0), HERE), **lacking)
        assert unknown.line() == "On lab: unknown, for it rests on the time on this machine."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nodes: 2", "price_per_hour: missing"),
        ("{price_per_hour: 1, gpu: H10}", "gpu: unknown accelerator 'H10'; did you mean 'H100'?"),
        ("{price_per_hour: 1, node: 2}", "node: unknown key; did you mean 'nodes'?"),
        ("{price_per_hour: -1}", "price_per_hour: input should be greater than or equal to 0"),
        ("[1, 2]", "a mapping with nodes and price_per_hour is needed"),
        ("{", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as problem:
        read_cluster(path)
    assert said in str(problem.value)
    assert "\n" not in str(problem.value)


def test_language_models_are_charged_by_measured_rates_unless_a_share_is_stated() -> None:
    make = Make("language", "llama 42M", 42_000_000, "b")
    hour = Left(efforts={make: Effort(1, 152e12 * 3600)}, cells=[(make, Effort(1, 152e12 * 3600))])
    found = bill(Cluster(gpu="H200", price_per_hour=30), hour, HERE)
    assert found.seconds == pytest.approx(3600)
    assert "at measured rates of language, all else at 30% of its peak" in found.line()
    stated = bill(Cluster(gpu="H200", price_per_hour=30, utilisation=0.5), hour, HERE)
    assert stated.seconds == pytest.approx(152e12 * 3600 / (0.5 * PEAK["H200"]))
    assert "at 50% of its peak" in stated.line()


def test_closed_forms_are_no_work_for_cards_and_no_price_is_made_of_them() -> None:
    form, hour = Make("linear", "dim 1", 1, "c"), PEAK["H100"] * 0.3 * 3600
    cards = Cluster(name="dc", gpu="H100", price_per_hour=30)
    both = left(hour)
    both = replace(
        both, efforts=both.efforts | {form: Effort(1, hour)}, cells=[*both.cells, (form, Effort(1, 9 * hour))]
    )
    found = bill(cards, both, HERE)
    assert (found.seconds, found.price) == (pytest.approx(3600), pytest.approx(30))
    assert found.line().endswith("; what linear takes of cores is not counted, and starting nodes is not counted.")
    alone = bill(cards, Left(efforts={form: Effort(1, hour)}, cells=[(form, Effort(1, hour))]), HERE)
    assert alone.line() == ("On dc: linear needs no H100; for the price of cores leave gpu out and say cpus_per_node.")
