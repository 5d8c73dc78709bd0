"""The sandwich keeps its bound with every activation that acts unit by unit with slopes in [0, 1]."""

import pytest
import torch
from torch import nn

from normbench import certify
from normbench.networks.activations import LeakyRelu
from normbench.torch import parametrize


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2, 1.0])
def test_leaky_slopes_keep_the_bound(slope):
    """Slopes other than 0.01 were refused."""
    torch.manual_seed(0)
    layers = [nn.Linear(5, 7, bias=False), nn.LeakyReLU(slope), nn.Linear(7, 6, bias=False), nn.LeakyReLU(slope)]
    model = nn.Sequential(*layers, nn.Linear(6, 3, bias=False)).double()
    parametrize(model, "sandwich", lipschitz=2.0)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(3 * torch.randn_like(p))
    weights = [model[k].weight.detach().numpy() for k in (0, 2, 4)]
    assert certify(weights, activation=LeakyRelu(slope)).bound <= 2.0
