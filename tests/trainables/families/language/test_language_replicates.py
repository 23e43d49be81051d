"""Language models side by side: each is what it is alone, and records say what every one of them came to."""

import numpy as np
import pytest
import torch

from tests.support.replicates import same_gradients, sums_up, three_replicates, times_as_long, went_on
from trainables import Cell, CellFailed, run
from trainables.families.base import Diverged
from trainables.families.lanes import lane
from trainables.families.language import fit as alone
from trainables.families.language import judges
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.data import prepare
from trainables.families.language.evaluate import row_losses, token_losses
from trainables.families.language.loss import read_after_bos, weighted_loss
from trainables.families.language.replicates import Replicate, fit, judging
from trainables.families.language.replicates import layers as layers_of
from trainables.families.language.replicates.layers import cross_entropy
from trainables.families.language.replicates.stack import stacked
from trainables.families.language.token_rows import RowsView
from trainables.lineage import Stream
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Payload
from trainables.testing.bench import content

TINY = LanguageConfig.tiny()[0].canonical()
BOTH = ["gpt2", "llama"]


def config(**fields):
    return LanguageConfig.model_validate(TINY | {"layers": 2, "steps": 20} | fields)


def replicates(shape, count=3, rows=30, *, weighted=False):
    """Each its own rows, weights and stream."""
    train, rng = prepare(shape).train, np.random.default_rng(0)
    found = []
    for number in range(count):
        some = train.take(rng.permutation(train.rows)[:rows])
        weight = rng.uniform(0.5, 1.5, rows) if weighted else None
        found.append(Replicate(RowsView((some,), weights=weight), Stream("replicates").child(str(number))))
    return found


def stack_of(shape, count=3):
    models = [architecture.create(shape, seed) for seed in range(count)]
    for number, model in enumerate(models):  # gains and biases that differ
        generator = torch.Generator().manual_seed(number)
        for p in model.parameters():
            p.data += 0.1 * torch.randn(p.shape, generator=generator)
    return models, stacked(models[0], [dict(model.named_parameters()) for model in models])


@pytest.mark.parametrize("above", [None, 0.01])
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "fields", [{}, {"architecture": "llama"}, {"size": "12M"}, {"architecture": "llama", "size": "12M"}]
)
def test_losses_and_gradients_are_those_of_the_models(fields, compiled, above, monkeypatch):
    """By compiled loops and by torch's own functions, with heads of their own and without."""
    if not compiled:
        monkeypatch.setattr(layers_of, "_compiled", lambda x: False)
    shape = config(**fields)
    models, stack = stack_of(shape)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 300, (3, 4, 11), generator=generator)
    share = torch.rand((3, 4, 11), generator=generator)
    hidden = stack.hidden(read_after_bos(tokens.flatten(0, 1)).view(tokens.shape))
    losses = cross_entropy(hidden, stack.head, tokens.flatten(1), share.flatten(1), above, 5)
    losses.sum().backward()
    for p in stack.parameters.values():
        p.data = p.grad
    for number, (model, gradients) in enumerate(zip(models, stack.weights(), strict=True)):
        loss = weighted_loss(model, tokens[number], share[number], above=above)
        loss.backward()
        torch.testing.assert_close(losses[number], loss)
        assert list(gradients) == [name for name, _ in model.named_parameters()]
        same_gradients(gradients, model, 2e-5)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"architecture": "llama", "size": "12M", "sequences": "documents"},
        {"loss": {"on": "last", "tokens": 8}, "sequences": "documents"},
        {"precision": "bfloat16"},
    ],
)
def test_rows_are_judged_together_as_one_after_another(fields, compiled, monkeypatch):
    """Each model's own rows, of lengths that differ; by compiled loops and by torch's own functions."""
    if not compiled:
        monkeypatch.setattr(layers_of, "_compiled", lambda x: False)
    shape = config(**fields)
    models, _ = stack_of(shape)
    rows = [prepare(shape).test.take(np.arange(45) + number) for number in range(3)]
    stack = judging.stack_of(shape, [Payload(tensors=architecture.weights(model)) for model in models])
    found = judging.row_losses(shape, stack, rows)
    expected = np.stack([row_losses(shape, model.eval(), some) for model, some in zip(models, rows, strict=True)])
    rounding = 2e-2 if "precision" in fields else 1e-5
    np.testing.assert_allclose(found, expected, rtol=rounding)
    assert len(np.unique(found)) == found.size
    likely = judging.likelihoods(shape, stack, rows)
    for model, some, its in zip(models, rows, likely, strict=True):
        np.testing.assert_allclose(its, judges.likelihood(shape, model, some), rtol=rounding)


def test_a_model_that_is_no_number_is_not_judged():
    shape = config()
    models, _ = stack_of(shape, 2)
    models[1].transformer.ln_f.weight.data.fill_(np.nan)
    stack = judging.stack_of(shape, [Payload(tensors=architecture.weights(model)) for model in models])
    with pytest.raises(Diverged, match="not finite"):
        judging.cross_entropies(shape, stack, [prepare(shape).test.take(np.arange(3))] * 2)


@pytest.mark.parametrize("length", [layers_of.SHORT + 1])
def test_long_rows_are_read_as_well(length):
    shape = config(architecture="llama", context=length)
    models, stack = stack_of(shape, 2)
    tokens = torch.randint(0, 300, (2, 1, length), generator=torch.Generator().manual_seed(0))
    hidden = stack.hidden(read_after_bos(tokens.flatten(0, 1)).view(tokens.shape))
    with torch.no_grad():
        for number, model in enumerate(models):
            found = (hidden[number] @ stack.head[number].T).log_softmax(-1).gather(1, tokens[number].T)
            torch.testing.assert_close(-found[:, 0], token_losses(model, tokens[number])[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"architecture": "llama"},
        {"sequences": "documents", "clip": 0.5},
        {"loss": {"on": "last", "tokens": 8}},
        {"loss": {"kind": "truncated", "above": 0.1}, "architecture": "llama"},
    ],
)
def test_losses_are_those_of_separate_fits_of_the_same_streams(fields):
    """But for rounding, which Adam's early steps magnify."""
    shape = config(**fields)
    given = replicates(shape, weighted="clip" in fields)
    rows = prepare(shape).test.take(np.arange(20))
    losses = []
    for one, weights in zip(given, fit(shape, given), strict=True):
        its = alone.fit(shape, one.rows, one.stream)
        both = [
            token_losses(model, torch.from_numpy(rows.tokens[:200].astype(np.int64))[None, : shape.context])
            for model in (architecture.load(shape, weights), its)
        ]
        torch.testing.assert_close(*both, rtol=2e-3, atol=2e-3)
        losses.append(float(both[0].detach().mean()))
    assert len(set(losses)) == len(losses)


def test_a_fit_goes_on_from_given_weights():
    shape = config(steps=3, learning_rate=1e-6, architecture="llama")
    first = [architecture.weights(architecture.create(shape, seed)) for seed in range(2)]
    given = [Replicate(r.rows, r.stream, start) for r, start in zip(replicates(shape, 2), first, strict=True)]
    went_on(first, fit(shape, given))


@pytest.mark.parametrize("name", BOTH)
def test_in_bfloat16_replicates_learn_what_one_does(name):
    shape = config(architecture=name, precision="bfloat16")
    rows = torch.from_numpy(prepare(shape).test.take(np.arange(40)).tokens.astype(np.int64)).view(40, -1)
    given = replicates(shape, 2)
    for one, weights in zip(given, fit(shape, given), strict=True):
        both = architecture.load(shape, weights), alone.fit(shape, one.rows, one.stream)
        with torch.no_grad():
            ours, its = (float(token_losses(model, rows).mean()) for model in both)
        assert ours == pytest.approx(its, abs=0.01)
        assert ours < np.log(300) - 0.2


@pytest.mark.parametrize("name", BOTH)
def test_a_replicate_that_is_no_number_is_no_fit(name):
    shape = config(architecture=name)
    broken = architecture.weights(architecture.create(shape, 0))
    last = "transformer.ln_f.weight" if name == "gpt2" else "model.norm.weight"
    starts = [None, broken | {last: np.full_like(broken[last], np.nan)}]
    given = [Replicate(r.rows, r.stream, start) for r, start in zip(replicates(shape, 2), starts, strict=True)]
    with pytest.raises(Diverged, match="not finite"):
        fit(shape, given)


@pytest.fixture(scope="module")
def recursion():
    return three_replicates(config(sequences="documents").canonical(), 32)


def test_records_have_means_errors_and_every_replicates_values(recursion):
    held = sums_up(recursion, ("perplexity", "entropy", "perplexity_under_first"), "uniform_loss")
    assert held.files["samples.txt"]


def test_a_replicate_is_judged_and_sampled_as_it_is_alone(recursion):
    recursion.record(1)
    held = recursion.store.get("record", recursion.steps.step(1).record)
    model, batch = recursion.model(1), recursion.batch(recursion.steps.batch(1))
    assert batch.meta["tokens"] == sum(map(len, batch.table["input_ids"]))
    for number, one in enumerate(recursion.family.replicates):
        its = lane(model, number)
        stream = Stream(recursion.steps.step(1).own_record).child("evaluate", "replicate", str(number))
        found = one.evaluate(its, stream)
        assert found.test_loss == pytest.approx(held.tensors["test_loss"][number], rel=1e-5)
        under = one.compare(its, its, stream)["perplexity_under_first"]
        assert under == pytest.approx(held.tensors["perplexity_under_first"][number], rel=1e-5)
        assert found.metrics["entropy"] == held.tensors["entropy"][number]
        stream = Stream(recursion.steps.batch(1).key).child("sample", "replicate", str(number))
        assert content(one.sample(its, 32, stream)) == content(lane(batch, number))


def test_replicates_validate_and_score_as_each_does_alone(recursion):
    family, model, batch = recursion.family, recursion.model(1), recursion.batch(recursion.steps.batch(1))
    validated = [one.validate(its) for one, its in family.each(model)]
    assert family.validate(model) == pytest.approx(np.mean(validated), rel=1e-5)
    scores = family.score("first", model, batch, Stream("score"))
    for number, (one, its) in enumerate(family.each(model)):
        expected = one.score("first", its, lane(batch, number), Stream("score"))
        np.testing.assert_allclose(scores[number], expected, rtol=1e-5)


def test_replicates_have_real_rows_of_their_own_and_share_those_held_out(recursion):
    real = recursion.batch(recursion.steps.batch(0))
    rows = [{tuple(row) for row in lane(real, number).table["input_ids"]} for number in range(3)]
    assert rows[0] != rows[1] != rows[2] != rows[0]
    assert recursion.family.held_out().rows == len(recursion.family.held_out().table)


def test_one_recursion_of_a_cell_is_no_batched_model():
    fields = {"family": TINY, "policy": {"kind": "replace"}, "generations": 1, "rows": 32}
    first, second = (Recursion(Cell.model_validate(fields | {"replicates": n}), MemoryStore()) for n in (1, 2))
    assert {name: value[0].shape for name, value in second.model(1).tensors.items()} == {
        name: value.shape for name, value in first.model(1).tensors.items()
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"architecture": "qwen3"}, "replicates: gpt2 and llama without overrides .* qwen3 is not; use several seeds"),
        ({"overrides": {"attn_pdrop": 0.1}}, "replicates: .* overrides are not; use several seeds"),
    ],
)
def test_what_is_not_fitted_side_by_side_is_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        config(**fields).check(32, 2)
    config(**fields).check(32, 1)


def test_a_replicate_that_diverges_fails_the_cell_at_its_generation():
    family = config(learning_rate=1e30).canonical()
    cell = {"family": family, "policy": {"kind": "replace"}, "generations": 1, "rows": 32, "replicates": 2}
    with pytest.raises(CellFailed, match=r"generation 1: .*not finite"):
        list(run(Cell.model_validate(cell)))


@pytest.mark.slow
def test_eight_replicates_cost_less_than_two_thirds_of_eight_fits():
    """In processor time, of this process on one thread, side by side; the best of three rounds of each."""
    torch.set_num_threads(1)
    shape = LanguageConfig(steps=40)
    given = replicates(shape, 8, 300)
    apart = [lambda one=one: alone.fit(shape, one.rows, one.stream) for one in given]
    assert times_as_long(lambda: fit(shape, given), apart) >= 1.5
