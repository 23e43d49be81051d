"""A population's record from its members': means, the worst, whose rows; and the order of a member's corpus."""

import numpy as np
import pytest

from trainables.corpus import Batch, RealisedDraw
from trainables.population import Feed
from trainables.recursion.pooling import by_age, finite, lost, pool, weight_by_member
from trainables.store import Payload


def batch(number):
    return Batch(number, f"key {number}", 2, lambda: None)


def composition(rows, real, **tables):
    held = {"rows": rows, "real_fraction": real, "effective_rows": rows / 2, "duplicates": 1.0, "below_bar": 0.5}
    return held | {"rows_by_batch": {}, "weight_by_batch": {}, "rejected": {}} | tables


def record(loss, metrics, held, each=None, files=None):
    meta = {"test_loss": loss, "metrics": metrics, "composition": held, "seconds": {"fit": loss, "evaluate": 1.0}}
    return Payload(meta=meta, tensors=each or {}, files=files or {})


def test_whole_batches_come_one_by_one_in_order_and_drawn_rows_last():
    drawn = RealisedDraw((batch(0),), np.array([1]), 2.0)
    found = by_age([RealisedDraw((batch(2), batch(3)), None, 1.0), drawn, RealisedDraw((batch(-1),), None, 3.0)])
    assert [part.batches[0].number for part in found] == [-1, 2, 3, 0]
    assert [part.weight for part in found] == [3.0, 1.0, 1.0, 2.0]
    assert found[-1] is drawn


def test_the_loss_is_carried_by_weighted_rows_of_each_member():
    def feed(source, weight=1.0):
        return Feed(batches=(0, 1), weight=weight, source=source)

    found = weight_by_member([(feed(2), {1: 30.0, 0: 10.0}), (feed(1, 2.0), {1: 10.0, -1: 20.0})])
    assert found == pytest.approx({"1": 0.2, "2": 0.3, "real": 0.5})
    assert list(found) == ["1", "2", "real"]


def test_the_first_member_that_failed_is_told():
    failed = Payload(meta={"failed": "the loss is nan", "generation": 4})
    found = lost([record(1.0, {}, composition(1, 1.0)), failed, Payload(meta={"failed": "later", "generation": 4})])
    assert found.meta == {"failed": "member 2: the loss is nan", "generation": 4}


def test_a_pooled_record_is_of_all_members_together():
    one = composition(10, 1.0, rows_by_batch={"0": 10.0}, weight_by_batch={"0": 1.0}, rejected={"top": 2})
    two = composition(30, 0.5, rows_by_batch={"0": 15.0, "1": 15.0}, weight_by_batch={"0": 0.5, "1": 0.5})
    records = [
        record(1.0, {"kl": 2.0, "own": 1.0}, one, files={"a.png": b"1"}),
        record(4.0, {"kl": 6.0}, two, files={"a.png": b"2"}),
    ]
    carried = [{"real": 1.0}, {"1": 0.5, "real": 0.5}]
    found = pool(records, carried, {"disagreement": np.array([0.25])}, "both")
    meta = found.meta
    assert (meta["test_loss"], meta["model"], meta["corpus_rows"]) == (2.5, "both", 40)
    assert meta["real_fraction"] == pytest.approx((10 + 15) / 40)
    assert meta["seconds"] == {"fit": 5.0, "evaluate": 2.0}
    assert meta["metrics"] == {
        **{"kl": 4.0, "worst_loss": 4.0, "loss_spread": 3.0, "disagreement": 0.25},
        **{"test_loss_1": 1.0, "test_loss_2": 4.0},
    }
    together = meta["composition"]
    assert together["rows_by_batch"] == {"0": 25.0, "1": 15.0}
    assert together["weight_by_batch"] == {"0": 0.75, "1": 0.25}
    assert together["rejected"] == {"top": 2}
    assert (together["effective_rows"], together["duplicates"], together["below_bar"]) == (20.0, 2.0, 1.0)
    assert together["members"] == {
        "1": one | {"weight_by_member": carried[0]},
        "2": two | {"weight_by_member": carried[1]},
    }
    assert not found.tensors
    assert found.files == {"a.png": b"1", "member-2-a.png": b"2"}


def test_replicates_are_pooled_within_each_before_they_are_summarised():
    """Members' losses that mirror each other have a mean without error."""
    held = composition(10, 1.0)
    losses, kl = np.array([1.0, 3.0, 5.0]), np.array([1.0, 2.0, 6.0])
    metrics = {"kl": 3.0, "kl_median": 2.0}
    records = [
        record(3.0, metrics, held, {"test_loss": losses, "kl": kl}),
        record(3.0, metrics, held, {"test_loss": 6 - losses, "kl": kl + 2, "own": kl}),
    ]
    found = pool(records, [{}, {}], {}, "both")
    assert found.tensors["test_loss"].tolist() == [3.0, 3.0, 3.0]
    assert found.tensors["worst_loss"].tolist() == [5.0, 3.0, 5.0]
    assert found.tensors["loss_spread"].tolist() == [4.0, 0.0, 4.0]
    assert found.tensors["kl"].tolist() == [2.0, 3.0, 7.0]
    assert "own" not in found.tensors
    shown = found.meta["metrics"]
    assert found.tensors["test_loss_2"].tolist() == [5.0, 3.0, 1.0]
    assert (shown["test_loss_se"], shown["test_loss_1_se"]) == (0.0, pytest.approx(2 / 3**0.5))
    assert (shown["kl"], shown["kl_median"], shown["worst_loss_median"]) == (4.0, 3.0, 5.0)
    assert "loss_spread_median" not in shown


def test_what_is_not_finite_is_absent():
    assert finite({"a": 1, "b": float("nan"), "c": float("-inf"), "d": 0.5}) == {"a": 1.0, "d": 0.5}
