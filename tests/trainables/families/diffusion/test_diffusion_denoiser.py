"""The denoiser's symmetries, and the process around it against its closed form."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from trainables.families.diffusion.batching import Featured, edge_types
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.denoiser import Dense, centred
from trainables.families.diffusion.fit import create, rate
from trainables.families.diffusion.process import check_schedule, noise, noised, sample, scheduler
from trainables.lineage import Stream
from trainables.sources.molecules import Conformers, Graph, stack

CONFIG = DiffusionConfig(width=16, messages=8, layers=2, timesteps=100, beta_end=0.1, sampling_steps=20)


def chain(size: int) -> Graph:
    """A ring-free molecule of carbon atoms in a row."""
    bonds = np.array([(i, i + 1, 1) for i in range(size - 1)], dtype=np.int16).reshape(-1, 3)
    return Graph(np.full(size, 6, np.uint8), np.zeros(size, np.int8), bonds)


def chains(sizes: list[int]) -> Conformers:
    rng = np.random.default_rng(0)
    places = [rng.standard_normal((size, 3)) for size in sizes]
    return stack(range(len(sizes)), [chain(size) for size in sizes], [p - p.mean(axis=0) for p in places])


@pytest.fixture
def inputs() -> tuple[Dense, torch.Tensor, torch.Tensor]:
    featured = Featured(chains([5, 3, 7]), 1.0)
    index = np.arange(3)
    return featured.graphs(index), featured.places(index), torch.tensor([3, 40, 99])


@pytest.fixture
def model():
    made = create(CONFIG, 2)
    for layer in made.layers:  # untrained coordinate updates are tiny; make symmetries visible
        torch.nn.init.normal_(layer.move.weight, std=1.0, generator=torch.Generator().manual_seed(0))
    return made.eval()


@torch.no_grad()
def predict(model, graphs, x_BN3, t_B):
    return model(model.prepare(graphs), x_BN3, t_B)


def test_graphs_that_nobody_looks_at_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit of so many steps sees few rows of a pool that has grown."""
    looked: list[int] = []
    graph = Conformers.graph
    monkeypatch.setattr(Conformers, "graph", lambda self, row: [looked.append(row), graph(self, row)][1])
    rows = chains([5, 3, 7, 3])
    featured = Featured(rows, 1.0)
    first, again = featured.graphs(np.array([2, 1])), featured.graphs(np.array([1, 2]))
    assert looked == [2, 1]
    assert torch.equal(first.types_BN, again.types_BN.flip(0))
    assert torch.equal(first.edges_BNN, again.edges_BNN.flip(0))
    assert torch.equal(featured.graphs(np.array([3])).edges_BNN, again.edges_BNN[:1, :3, :3]), "equal graphs are one"
    assert looked == [2, 1, 3]


class TestSymmetry:
    @pytest.mark.parametrize("improper", [False, True])
    def test_prediction_turns_with_the_molecule(self, model, inputs, improper):
        graphs, x_BN3, t_B = inputs
        turn = torch.from_numpy(Rotation.random(random_state=0).as_matrix().astype(np.float32)) * (
            -1 if improper else 1
        )
        plain, turned = predict(model, graphs, x_BN3, t_B), predict(model, graphs, x_BN3 @ turn, t_B)
        assert plain.abs().max() > 0.1
        torch.testing.assert_close(turned, plain @ turn, rtol=1e-4, atol=1e-5)

    def test_prediction_does_not_see_where_the_molecule_is(self, model, inputs):
        graphs, x_BN3, t_B = inputs
        shift = torch.tensor([1.0, -2.0, 0.5]) * graphs.mask_BN[..., None]
        torch.testing.assert_close(
            predict(model, graphs, x_BN3 + shift, t_B), predict(model, graphs, x_BN3, t_B), rtol=1e-3, atol=1e-4
        )

    def test_prediction_has_its_centroid_at_zero(self, model, inputs):
        graphs, x_BN3, t_B = inputs
        torch.testing.assert_close(predict(model, graphs, x_BN3, t_B).sum(1), torch.zeros(3, 3), rtol=0, atol=1e-5)

    def test_prediction_follows_the_numbering_of_atoms(self, model, inputs):
        graphs, x_BN3, t_B = inputs
        order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
        again = Dense(graphs.types_BN[:, order], graphs.edges_BNN[:, order][:, :, order], graphs.mask_BN[:, order])
        torch.testing.assert_close(
            predict(model, again, x_BN3[:, order], t_B),
            predict(model, graphs, x_BN3, t_B)[:, order],
            rtol=1e-4,
            atol=1e-5,
        )

    def test_padding_changes_nothing(self, model, inputs):
        graphs, x_BN3, t_B = inputs
        alone = Dense(graphs.types_BN[1:2, :3], graphs.edges_BNN[1:2, :3, :3], graphs.mask_BN[1:2, :3])
        together = predict(model, graphs, x_BN3, t_B)
        torch.testing.assert_close(
            predict(model, alone, x_BN3[1:2, :3], t_B[1:2]), together[1:2, :3], rtol=1e-4, atol=1e-5
        )
        assert (together[1, 3:] == 0).all()

    def test_prediction_depends_on_graph_and_time(self, model, inputs):
        graphs, x_BN3, t_B = inputs
        plain = predict(model, graphs, x_BN3, t_B)
        edges = graphs.edges_BNN.clone()
        edges[0, 0, 1] = edges[0, 1, 0] = 2
        assert not torch.allclose(
            predict(model, Dense(graphs.types_BN, edges, graphs.mask_BN), x_BN3, t_B)[0], plain[0]
        )
        assert not torch.allclose(predict(model, graphs, x_BN3, t_B * 0)[0], plain[0])


@pytest.mark.parametrize("fields", [{}, {"width": 8, "messages": 4, "layers": 1, "radial": 3}])
def test_parameters_are_counted_without_building(fields):
    config = DiffusionConfig(**fields)
    assert config.parameters == sum(p.numel() for p in create(config, 0).parameters())


def test_edges_tell_orders_and_distances_apart():
    bonds = np.array([(0, 1, 2), (1, 2, 1), (2, 3, 4), (3, 4, 1), (4, 5, 3)], np.int16)
    graph = Graph(np.full(6, 6, np.uint8), np.zeros(6, np.int8), bonds)
    types = edge_types(graph)
    assert types[0].tolist() == [0, 2, 5, 6, 7, 7]
    assert types[2].tolist() == [5, 1, 0, 4, 5, 6]
    assert (types == types.T).all()


def test_learning_rate_rises_then_falls_to_nothing():
    rates = [rate(CONFIG, step, 100) for step in range(100)]
    assert max(rates) == rates[4] == 1.0
    assert rates[0] == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(1 / 95)


class Exact(torch.nn.Module):
    """The best denoiser of coordinates drawn from N(0, s²) without centroid: linear in what it sees."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.spread = spread
        self.levels = scheduler(CONFIG).alphas_cumprod

    def prepare(self, graphs: Dense) -> Dense:
        return graphs

    def forward(self, given: Dense, x_BN3: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
        kept = self.levels[t_B][:, None, None]
        return x_BN3 * (1 - kept).sqrt() / (kept * self.spread**2 + 1 - kept)


class TestProcess:
    ROWS = chains([6] * 3000)

    def spread(self, bias: float = 1.0, **fields: object) -> float:
        config = CONFIG.model_copy(update=fields)
        made = sample(config, Exact(0.5), self.ROWS, Stream("s"), bias).positions / config.scale
        return float(np.square(made).mean() * 6 / 5)  # one in six degrees of freedom is the centroid

    def test_noise_has_no_centroid_and_unit_variance_beside_it(self):
        mask = torch.ones(4000, 5)
        mask[:, 4] = 0
        drawn = noise(torch.Size([4000, 5, 3]), mask, torch.Generator().manual_seed(0))
        assert drawn.sum(1).abs().max() < 1e-5
        assert (drawn[:, 4] == 0).all()
        assert float(drawn[:, :4].square().mean()) == pytest.approx(3 / 4, rel=0.02)

    def test_noising_keeps_the_variance_of_unit_data(self):
        levels = scheduler(CONFIG).alphas_cumprod
        x, eps = (torch.randn(20_000, 1, 3, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
        for t in (0, 50, 99):
            assert float(noised(levels, x, eps, torch.full((20_000,), t)).var()) == pytest.approx(1.0, rel=0.03)

    @pytest.mark.parametrize(
        ("schedule", "steps", "start", "end"),
        [
            ("linear", 1000, 1e-4, 0.02),
            ("scaled_linear", 1000, 1e-4, 0.02),
            ("squaredcos_cap_v2", 1000, 1e-4, 0.02),
            ("sigmoid", 5000, 1e-7, 2e-3),  # GeoDiff's own
        ],
    )
    def test_every_schedule_ends_in_noise(self, schedule, steps, start, end):
        config = DiffusionConfig(schedule=schedule, timesteps=steps, beta_start=start, beta_end=end)
        check_schedule(config)
        assert (scheduler(config).alphas_cumprod.diff() < 0).all()

    def test_a_schedule_that_leaves_data_is_refused(self):
        with pytest.raises(ValueError, match=r"^beta_end: after 100 timesteps .* 0\.36 of the variance is still data"):
            check_schedule(DiffusionConfig(timesteps=100))

    @pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
    def test_samplers_recover_a_gaussian(self, sampler):
        assert self.spread(sampler=sampler, sampling_steps=100) == pytest.approx(0.25, rel=0.12)

    def test_bias_scales_the_variance_of_what_is_sampled(self):
        """With a linear denoiser every sample is linear in the noise drawn, so λ comes out exactly."""
        for sampler in ("ddpm", "ddim"):
            assert self.spread(0.5, sampler=sampler) == pytest.approx(0.5 * self.spread(sampler=sampler), rel=1e-3)

    def test_sampled_conformers_keep_graphs_and_order(self):
        rows = chains([7, 3, 5, 3, 9])
        made = sample(CONFIG, Exact(0.5), rows, Stream("s"))
        assert made.sizes.tolist() == rows.sizes.tolist()
        assert [made.graph(n).key for n in range(5)] == [rows.graph(n).key for n in range(5)]
        for n in range(5):
            np.testing.assert_allclose(made.place(n).mean(axis=0), 0, atol=1e-5)

    def test_centring_leaves_padding_at_zero(self):
        mask = torch.tensor([[1.0, 1.0, 0.0]])
        found = centred(torch.ones(1, 3, 3) * torch.tensor([1.0, 3.0, 9.0])[None, :, None], mask)
        assert found[0, :, 0].tolist() == [-1.0, 1.0, 0.0]


def test_every_parameter_is_trained():
    model, featured = create(CONFIG, 0), Featured(chains([5, 3]), 1.0)
    found = model(model.prepare(featured.graphs(np.arange(2))), featured.places(np.arange(2)), torch.tensor([1, 50]))
    torch.autograd.backward(found.square().sum())
    assert [name for name, value in model.named_parameters() if value.grad is None] == []
