"""The pretended card catches a planted fault of each kind that it is there for, and gives a CPU's numbers."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from tests.support.pretend_card import Card, OnCard
from tests.support.pretend_cuda import pretend_card

HERE = "cuda:0"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    with pretend_card(monkeypatch, count=2) as card:
        yield card


def there(*shape: int) -> Tensor:
    return torch.arange(float(np.prod(shape)), device=HERE).view(shape)


TWO_DEVICES: dict[str, Callable[[], object]] = {
    "sum": lambda: there(3) + torch.ones(3),
    "product": lambda: there(2, 2) @ torch.ones(2, 2),
    "rows": lambda: there(3).index_select(0, torch.tensor([1])),
    "joined": lambda: torch.cat([there(3), torch.ones(3)]),
    "of two cards": lambda: there(3) + torch.ones(3, device="cuda:1"),
    "of another generator": lambda: torch.rand(3, device=HERE, generator=torch.Generator().manual_seed(0)),
    "numpy": lambda: np.sin(there(3)),
    "as an array": lambda: there(3).numpy(),
}


@pytest.mark.parametrize("what", TWO_DEVICES)
def test_two_devices_do_not_meet(card: Card, what: str) -> None:
    with pytest.raises((RuntimeError, TypeError), match=r"device"):
        TWO_DEVICES[what]()


def test_numbers_of_the_host_meet_what_is_on_a_card(card: Card) -> None:
    """As CUDA has it: a tensor of one number, and indices, which are sent."""
    assert (there(3) + torch.tensor(2.0)).tolist() == [2, 3, 4]
    assert there(3)[torch.tensor([2, 0])].tolist() == [2, 0]
    assert there(3)[[2, 0]].tolist() == [2, 0]
    assert there(3)[np.array([2, 0])].tolist() == [2, 0]


WAITS: dict[str, Callable[[Tensor], object]] = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "truth": lambda x: bool(x.sum() > 0),
    "if": lambda x: 1 if x.sum() > 0 else 0,
    "list": lambda x: x.tolist(),
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 1],
    "assigned by a mask": lambda x: x.__setitem__(x > 1, x[:1].expand(1)),
    "to the host": lambda x: x.cpu(),
    "to another's device": lambda x: x.to(torch.zeros(1)),
    "from the host": lambda x: x.copy_(torch.ones(3)),
    "made of a list": lambda x: torch.tensor([1.0], device=HERE),
    "indexed from the host": lambda x: x[torch.tensor([1])],
    "indexed by a list": lambda x: x[[1]],
    "as many times": lambda x: x.repeat_interleave(x.long()),
    "equal": lambda x: torch.equal(x, x),
    "indexed by one number there": lambda x: x[x.long()[1]],
}


@pytest.mark.parametrize("what", WAITS)
def test_nothing_waits_for_the_host_while_it_is_recorded(card: Card, what: str) -> None:
    x, graph = there(3), torch.cuda.CUDAGraph()
    WAITS[what](x)
    assert card.waits.total() > 0, "it is counted"
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"), torch.cuda.graph(graph):
        WAITS[what](x)
    assert card.faults


def test_a_number_put_where_a_mask_is_can_be_recorded(card: Card) -> None:
    x, graph = there(3), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x[x > 1] = 0.0
        x.masked_fill_(x > 5, 1.0)
        x.add_(2.0 ** torch.arange(3, device=HERE))
    assert x.tolist() == [0, 1, 2], "a recording runs nothing"
    graph.replay()
    assert x.tolist() == [1, 3, 4]
    assert not card.faults


def test_a_replay_reads_and_writes_where_the_recording_did(card: Card) -> None:
    x, total, graph = there(3), torch.zeros((), device=HERE), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        total += (2 * x).sum()
    for number in range(3):
        assert float(total) == 6.0 * number
        graph.replay()
    x.fill_(1)
    graph.replay()
    assert float(total) == 24
    assert card.replays == 4


def test_what_was_freed_since_the_recording_is_missed(card: Card) -> None:
    held, out, graph = [there(3)], torch.zeros(3, device=HERE), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out.copy_(held[0])
    graph.replay()
    held[0] = there(3)
    with pytest.raises(RuntimeError, match="freed"):
        graph.replay()


def test_gradients_that_were_let_go_are_missed(card: Card) -> None:
    weight, graph = nn.Parameter(there(3)), torch.cuda.CUDAGraph()
    weight.square().sum().backward()
    with torch.cuda.graph(graph):
        weight.square().sum().backward()
    weight.grad = None
    with pytest.raises(RuntimeError, match="freed"):
        graph.replay()


def test_memory_of_a_recording_is_noise_until_it_is_replayed_and_after_another_one_was(card: Card) -> None:
    x, kept = there(3), []
    first, second = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(first):
        x.mul_(1)
    with torch.cuda.graph(second, pool=first.pool()):
        kept.append(x + 1)
    assert kept[0].isnan().all()
    second.replay()
    assert kept[0].tolist() == [1, 2, 3]
    first.replay()
    assert kept[0].isnan().all()


def test_a_pool_whose_recordings_are_gone_is_refused_while_something_lies_in_it(card: Card) -> None:
    x, pool, kept = there(3), torch.cuda.graph_pool_handle(), []
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        kept.append(x + 1)
    del graph
    again = torch.cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match="use_count > 0"), torch.cuda.graph(again, pool=pool):
        x.add_(1)


def test_a_recording_of_another_card_is_empty(card: Card) -> None:
    x, graph = torch.zeros(3, device="cuda:1"), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x.add_(1)
    assert "empty" in card.faults[0]
    graph.replay()
    assert x.tolist() == [1, 1, 1], "it ran while it should have been recorded, and never again"


def test_streams_wait_for_each_other(card: Card) -> None:
    x, aside, here = there(3), torch.cuda.Stream(), torch.cuda.current_stream()
    aside.wait_stream(here)
    with torch.cuda.stream(aside):
        x.add_(1)
    with pytest.raises(RuntimeError, match="not been waited for"):
        x.add_(1)
    here.wait_stream(aside)
    x.add_(1)


@pytest.mark.parametrize("name", ["add", "index", "where"])
def test_bare_types_can_be_held_and_no_more(card: Card, name: str) -> None:
    x = torch.from_numpy(np.arange(3, dtype=np.uint16)).to(HERE)
    assert x.long().tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="not implemented"):
        {"add": lambda: x + 1, "index": lambda: x[x.long()], "where": lambda: torch.where(x == x, x, x)}[name]()


def test_halves_have_no_linear_algebra(card: Card) -> None:
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.linalg.cholesky_ex(torch.eye(2, device=HERE, dtype=torch.bfloat16))


def test_optimisers_need_steps_on_the_card(card: Card) -> None:
    """Those whose step is a number of the host refuse to be recorded, as torch has them."""
    weight, graph = nn.Parameter(there(3)), torch.cuda.CUDAGraph()
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    weight.square().sum().backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="capturable"), torch.cuda.graph(graph):
        optimizer.step()


def test_autocast_has_cudas_lists(card: Card) -> None:
    """Sums, exponents and norms are single on a card, products halves, and what is mixed the wider; a CPU's differ."""
    x = torch.ones(2, 4, device=HERE, dtype=torch.bfloat16)
    wide = torch.ones(4, 4, device=HERE)
    with torch.autocast("cuda", torch.bfloat16):
        assert (wide @ wide).dtype == torch.bfloat16
        assert nn.functional.linear(wide, wide).dtype == torch.bfloat16
        assert {f(x).dtype for f in (torch.exp, torch.sum, lambda x: x.softmax(1))} == {torch.float32}
        assert nn.functional.layer_norm(x, (4,)).dtype == torch.float32
        assert torch.addcmul(x, x, wide[:2]).dtype == torch.float32
        assert x.sum(dtype=torch.float64).dtype == torch.float64
    assert torch.exp(x).dtype == torch.bfloat16


def test_numbers_and_gradients_are_those_of_a_cpu(card: Card) -> None:
    """Modules moved with tied weights, clipped, by a fused optimiser whose rate lies there."""
    found = []
    for where in ("cpu", HERE):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 7, bias=False))
        model[3].weight = model[0].weight
        model.to(where)
        assert model[3].weight is model[0].weight
        words = {"capturable": True} if where == HERE else {}
        optimizer = torch.optim.AdamW(model.parameters(), lr=torch.tensor(0.1, device=where), fused=True, **words)
        tokens = torch.arange(6, device=where).view(2, 3)
        for _ in range(3):
            x = model[:3](tokens)[:, None]
            x = scaled_dot_product_attention(x, x, x, is_causal=True)[:, 0]
            loss = nn.functional.cross_entropy(model[3](x).flatten(0, 1), tokens.flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
        assert all(isinstance(p, OnCard) == (where == HERE) for p in model.parameters())
        found.append([p.detach().cpu() for p in model.parameters()])
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-6)
    assert not card.faults


def test_nothing_is_left_behind() -> None:
    assert not torch.cuda.is_available() or torch.version.cuda is not None
    assert torch.zeros(1).to("cpu").device.type == "cpu"
    with torch.autocast("cpu", torch.bfloat16):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
