"""An update on tensors that stay in place is the plain one."""

import torch
from torch import Tensor, nn

from trainables.families.vae.training import Schedule, _Recorded, _Update, shuffled, train

ROWS, WIDTH = 50, 6


def fitted(kind: type[_Update]) -> tuple[list[float], list[Tensor]]:
    """Losses and weights after 20 updates of 8 rows, clipped, with numbers drawn for each."""
    torch.manual_seed(0)
    module, x = nn.Linear(WIDTH, 1), torch.randn(ROWS, WIDTH)
    plan = Schedule(updates=20, batch=8, learning_rate=0.05, clip=0.5)

    def loss(index: Tensor, eps: Tensor) -> Tensor:
        return (module(x[index])[:, 0] - x[index].sum(dim=1) - 0.1 * eps).square().mean()

    update, batches = kind(module, loss, plan), shuffled(ROWS, 8, torch.Generator().manual_seed(0))
    noise, losses = torch.Generator().manual_seed(1), []
    for step in range(plan.updates):
        losses.append(float(update(plan.rate(step), (next(batches), torch.randn(8, generator=noise)))))
    return losses, [parameter.detach() for parameter in module.parameters()]


def test_updates_in_place_are_the_plain_ones() -> None:
    (plain, weights), (recorded, others) = fitted(_Update), fitted(_Recorded)
    torch.testing.assert_close(torch.tensor(recorded), torch.tensor(plain), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(others, weights, rtol=1e-5, atol=1e-6)
    assert plain[-1] < 0.5 * plain[0]
    assert len(set(recorded)) == 20


def test_on_a_cpu_resident_data_changes_nothing() -> None:
    found = []
    for resident in (False, True):
        torch.manual_seed(0)
        module = nn.Linear(WIDTH, 1)
        x = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(0))
        plan = Schedule(updates=5, batch=8, learning_rate=0.05)
        found.append(train(module, lambda i, m=module, x=x: m(x[i]).square().mean(), ROWS, plan, 0, resident=resident))
    assert found[0] == found[1]
