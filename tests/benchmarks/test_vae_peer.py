"""The benchmark's peer is the same model as the product: equal weights give an equal loss and equal gradients."""

import torch

from benchmarks.vae_peer import LATENT, WIDTH, PlainVae
from trainables.families.vae import objective
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.network import Network

CONFIG = VaeConfig.model_validate(
    {"source": {"kind": "digits", "size": 28}, "width": WIDTH, "latent": LATENT, "observation": "bernoulli"}
)
SIDE, MAPS = CONFIG.side, CONFIG.channels[-1]


def as_torch_flattens(parameter, name):
    """The product's linear layers read maps channels last, torch's `Flatten` channels first."""
    if name.startswith("encoder.5.weight"):
        return parameter.view(-1, SIDE, SIDE, MAPS).permute(0, 3, 1, 2).flatten(1)
    if name.startswith("decoder.0"):
        return parameter.view(SIDE, SIDE, MAPS, -1).permute(2, 0, 1, 3).reshape(parameter.shape)
    return parameter


def test_the_peer_has_the_products_loss_and_gradients():
    torch.manual_seed(0)
    network, peer, x = Network(CONFIG), PlainVae(), torch.rand(6, 1, 28, 28)
    peer.load_state_dict({name: as_torch_flattens(p.detach(), name) for name, p in network.named_parameters()})
    torch.manual_seed(1)
    theirs = peer.loss(x)
    torch.manual_seed(1)
    ours = torch.stack(objective.elbo_parts(CONFIG, network, x, torch.randn(6, LATENT))).sum()
    torch.testing.assert_close(ours, theirs)
    torch.autograd.backward([ours, theirs])
    gradients = {name: p.grad for name, p in peer.named_parameters()}
    for name, parameter in network.named_parameters():
        expected = gradients[name]
        torch.testing.assert_close(as_torch_flattens(parameter.grad, name), expected, rtol=1e-4, atol=2e-3)
