"""Replicates of a family made up for it: each asked on its own part of payloads and streams, and put together again."""

from typing import Any, ClassVar, Literal

import datasets
import numpy as np
import pytest

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families import CardRates, Cost, Evaluation, Family, FamilyConfig, World
from trainables.families.batches import shuffled
from trainables.families.correction import share_moved
from trainables.families.lanes import corpus_of, joined, lane, lane_of
from trainables.families.replicate_summary import figures
from trainables.families.side_by_side import SideBySide
from trainables.lineage import Stream
from trainables.store import MemoryStore, Payload

STREAM = Stream("5" * 32)
WORLD = World(3, 2, 0, MemoryStore())


class Config(FamilyConfig):
    kind: Literal["made"] = "made"
    vectorised: ClassVar[bool] = True
    begun: ClassVar[bool] = False

    @property
    def conditioned(self) -> bool:
        return self.begun

    def cost(self, rows: int) -> Cost:
        return Cost(1, 1.0, 1.0, 1.0)

    def build(self, world: World) -> Family:
        return Bare(self, world)


class Begun(Config):
    begun: ClassVar[bool] = True


class Bare(Family):
    """A family that can do no more than it must."""

    def real(self, start: int, rows: int) -> Payload:
        return Payload({"rows": rows}, {"x": self.origin + start + np.arange(rows)})

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        return Payload(tensors={"mean": np.array(0.0)})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        return Evaluation(float(model.tensors["mean"]))

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        return Payload({"rows": rows}, {"x": bias * model.tensors["mean"] + stream.numpy().random(rows)})


class One(Bare):
    """A replicate that answers with what it was handed."""

    def __init__(self, number: int) -> None:
        super().__init__(Begun(), WORLD)
        self.number = number

    def validate(self, model: Payload) -> float:
        return float(model.tensors["mean"]) + self.number

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        x = (
            batch.tensors["x"]
            + strength * (corrector.tensors["mean"] - model.tensors["mean"])
            + stream.numpy().random()
        )
        return Payload({"rows": batch.rows, "moved": float(corrector.tensors["mean"])}, {"x": x})

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        less = 0.0 if synthetic is None else synthetic.tensors["x"].sum()
        return Payload({"judge": kind}, {"mean": real.tensors["x"].sum() - less + stream.numpy().random()})

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        found: np.ndarray = batch.tensors["x"] * judge.tensors["mean"] + stream.numpy().random()
        return found

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        return Payload({"rows": len(index)}, {"x": batch.tensors["x"][index]})

    def checkpoint(self) -> Payload:
        return Payload(tensors={"mean": np.array(9.0)})


class Both(SideBySide[One]):
    def __init__(self, config: FamilyConfig, world: World) -> None:
        super().__init__(config, world)
        self.replicates = [One(0), One(1)]
        self.asked: list[Any] = []

    def fitted(self, corpus: Corpus, stream: Stream, starts: Any) -> Payload:
        self.asked.append([None if start is None else start["mean"].tolist() for start in starts])
        return Payload(tensors={"mean": np.array([1.0, 3.0])})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        return Evaluation(0.0)


MODEL = Payload(tensors={"mean": np.array([1.0, 3.0])})
BATCH = Payload({"rows": 2}, {"x": np.array([[1.0, 2.0], [3.0, 5.0]])})


def luck(number):
    """The first number of a replicate's own stream."""
    return STREAM.child("replicate", str(number)).numpy().random()


def both(config=None):
    return Both(config or Config(), WORLD)


def test_fits_are_told_where_each_replicate_starts():
    family = both()
    family.fit(Corpus(()), STREAM)
    family.fine_tune(MODEL, Corpus(()), STREAM)
    assert family.asked == [[None, None], [1.0, 3.0]]


def test_replicates_sample_each_from_its_model_and_stream():
    found = both().sample(MODEL, 3, STREAM, 2.0)
    assert found.rows == 3
    expected = [2.0 * mean + lane_of(STREAM, r).numpy().random(3) for r, mean in enumerate((1.0, 3.0))]
    assert found.tensors["x"].tolist() == np.array(expected).tolist()
    assert luck(0) != luck(1)


def test_a_correction_moves_by_the_root_mean_square_of_all():
    """Correctors 3 and 4 away: √((9 + 16)/2); each replicate by its own corrector, model, rows and stream."""
    found = both().correct(Payload(tensors={"mean": np.array([3.0, 4.0])}), MODEL, BATCH, 0.5, STREAM)
    assert found.meta["moved"] == pytest.approx(12.5**0.5)
    assert found.tensors["x"] == pytest.approx(np.array([[2 + luck(0), 3 + luck(0)], [3.5 + luck(1), 5.5 + luck(1)]]))


@pytest.mark.parametrize("against", [None, BATCH])
def test_judges_and_scores_are_each_replicate_s(against):
    family = both()
    judge = family.judge("detector", BATCH, against, STREAM)
    sums = np.array([3.0 + luck(0), 8.0 + luck(1)]) - (0 if against is None else np.array([3.0, 8.0]))
    assert judge.meta["judge"] == "detector"
    assert judge.tensors["mean"] == pytest.approx(sums)
    scores = family.score("detector", judge, BATCH, STREAM)
    lucks = np.array([[luck(0)], [luck(1)]])
    assert scores == pytest.approx(BATCH.tensors["x"] * sums[:, None] + lucks)


def test_rows_are_taken_for_all_alike_or_each_its_own():
    family = both()
    assert family.take(BATCH, np.array([1, 1, 0])).tensors["x"].tolist() == [[2.0, 2.0, 1.0], [5.0, 5.0, 3.0]]
    assert family.take(BATCH, np.array([[1], [0]])).tensors["x"].tolist() == [[2.0], [3.0]]


def test_what_is_one_number_is_a_mean_and_what_is_alike_is_told_once():
    family = both()
    assert family.validate(MODEL) == (1.0 + 3.0 + 1) / 2
    assert family.checkpoint().tensors["mean"].tolist() == [9.0, 9.0]
    assert family.held_out() is None
    with pytest.raises(
        TypeError, match=r"^models side by side have no form that others read; a cell with replicates: 1 has$"
    ):
        family.export(MODEL, None)


@pytest.mark.parametrize(("config", "moved"), [(Config(), False), (Begun(), True)])
def test_a_lineage_begins_elsewhere_where_samples_have_anything_of_its_rows(config, moved):
    family = both(config)
    other = family.begun_at(6)
    assert (other is not family) == moved
    assert other.real(0, 1).tensors["x"].tolist() == ([[6], [6]] if moved else [[0], [0]])
    assert family.real(0, 1).tensors["x"].tolist() == [[0], [0]], "the first stays where it was"
    assert other.begun_at(6 if moved else 0) is other


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (lambda f: f.fine_tune(MODEL, None, STREAM), "made is fitted from scratch"),
        (lambda f: f.checkpoint(), "made has no checkpoint"),
        (lambda f: f.export(MODEL, None), "made has no form that others read"),
        (lambda f: f.validate(MODEL), "made has no validation rows"),
        (lambda f: f.edit(MODEL, BATCH, 0.5, STREAM), "made can't edit rows"),
        (lambda f: f.correct(MODEL, MODEL, BATCH, 1.0, STREAM), "made can't correct rows"),
        (lambda f: f.judge("detector", BATCH, None, STREAM), "made has no detector judge"),
        (lambda f: f.score("first", MODEL, BATCH, STREAM), "made can't score rows"),
        (lambda f: f.take(BATCH, np.arange(1)), "made can't select rows"),
    ],
)
def test_a_family_that_can_not_says_so(ask, line):
    with pytest.raises(TypeError, match=f"^{line}$"):
        ask(Bare(Config(), WORLD))


def test_a_bare_family_judges_one_by_one_and_compares_nothing():
    family = Bare(Config(), WORLD)
    models = [Payload(tensors={"mean": np.array(mean)}) for mean in (1.5, 2.5)]
    assert [found.test_loss for found in family.evaluate_each(models, [STREAM] * 2)] == [1.5, 2.5]
    with pytest.raises(ValueError, match="shorter"):
        family.evaluate_each(models, [STREAM])
    assert (family.compare(*models, STREAM), family.disagree(models, STREAM), family.held_out()) == ({}, {}, None)


def test_lanes_are_parted_as_they_were_joined():
    """Arrays by replicate; tables, and row numbers, too."""
    tables = [datasets.Dataset.from_dict({"text": texts}) for texts in (["a", "b"], ["c", "d"])]
    lanes = [Payload({"rows": 2}, {"x": np.arange(2) + r}, table) for r, table in enumerate(tables)]
    whole = joined(lanes)
    assert (whole.rows, whole.tensors["x"].tolist(), whole.table["text"][:]) == (
        2,
        [[0, 1], [1, 2]],
        ["a", "b", "c", "d"],
    )
    for r in (0, 1):
        assert lane(whole, r).tensors["x"].tolist() == [r, r + 1]
        assert lane(whole, r).table["text"][:] == tables[r]["text"][:]
    batch = Batch(4, "key", 2, lambda: whole)
    own = RealisedDraw((batch,), np.array([[0, 0], [1, 0]]), 0.5)
    parts = corpus_of(
        Corpus((own, RealisedDraw((batch,), np.array([1]), 1.0), RealisedDraw((batch,), None, 2.0))), 1
    ).parts
    assert [None if part.index is None else part.index.tolist() for part in parts] == [[1, 0], [1], None]
    assert [part.weight for part in parts] == [0.5, 1.0, 2.0]
    assert [(part.batches[0].number, part.batches[0].key, part.batches[0].rows) for part in parts] == [
        (4, "key", 2)
    ] * 3
    assert parts[0].batches[0].payload.tensors["x"].tolist() == [1, 2]


@pytest.mark.parametrize(("rows", "batch"), [(5, 2), (5, 5), (3, 7), (4, 1)])
def test_each_pass_is_a_permutation_of_all_rows(rows, batch):
    """Updates cut one endless row of permutations; none is left out where a pass ends inside an update."""
    updates = shuffled(rows, batch, np.random.default_rng(0))
    taken = [next(updates) for _ in range(3 * rows)]
    assert all(len(update) == batch for update in taken)
    passes = np.concatenate(taken)[: 3 * batch * rows // rows * rows].reshape(-1, rows)
    assert (np.sort(passes, axis=1) == np.arange(rows)).all()
    assert len({tuple(p) for p in passes}) > 1


@pytest.mark.parametrize(
    ("parameters", "rate"),
    [(0.0, 10.0), (1e3, 10.0), (1e4, 20.0), (1e5, 30.0), (10**5.5, 60.0), (1e6, 90.0), (1e9, 90.0)],
)
def test_speeds_lie_between_measured_ones_by_the_logarithm_of_the_size(parameters, rate):
    card = CardRates("card", "made", ((1e3, 10.0), (1e5, 30.0), (1e6, 90.0)), 1.0)
    assert card.fit_rate(parameters) == pytest.approx(rate)


def test_a_strength_is_a_share_of_the_way():
    assert [share_moved(gamma) for gamma in (0.25, 1.0, 3.0)] == pytest.approx([0.2, 0.5, 0.75])


def test_figures_of_all_replicates_have_an_error_and_single_ones_none():
    found = figures({"one": 2.0, "all": np.array([1.0, 2.0, 6.0]), "alone": np.array([4.0])})
    assert found == pytest.approx({"one": 2.0, "all": 3.0, "all_se": (7 / 3) ** 0.5, "alone": 4.0})
