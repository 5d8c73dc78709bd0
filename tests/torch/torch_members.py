"""All torch.optim classes in one table, a network that all of them train, and a step of any of them."""

import inspect
from dataclasses import dataclass, field

import torch

from normbench.torch import (
    AGD,
    FGSGD,
    LARS,
    Fromage,
    GeodesicLBFGS,
    Method1,
    Method2,
    Method2Exp,
    OnlineLBFGS,
    PolarAverage,
)
from normbench.torch.optimizers import DROP_INS
from normbench.torch.optimizers.coupled import Coupled

SHAPES = ((6, 4), (5, 6), (3, 5))


@dataclass(frozen=True)
class Member:
    """A class, options that are not its defaults, and what it is like."""

    kind: type
    options: dict = field(default_factory=dict)
    coupled: bool = False  # its step depends on all layers at once
    alone: bool = False  # layers go as far as they would alone, though their number of steps is one
    rated: bool = False  # it has a learning rate
    complex: bool = False
    closure: bool = False  # its step needs one, and differentiates it

    @property
    def name(self):
        return self.kind.__name__ + "".join(f"-{key}" for key in self.options if key != "lr")

    def takes(self, option):
        """Whether its class has an option of that name."""
        return option in inspect.signature(self.kind).parameters

    def make(self, params, **options):
        return self.kind(params, **(self.options | options))


MEMBERS = [
    Member(Fromage, {"lr": 0.03}, rated=True, complex=True),
    Member(Fromage, {"lr": 0.1, "p_bound": 1.25}, rated=True, complex=True),
    Member(LARS, {"lr": 0.03}, rated=True, complex=True),
    Member(FGSGD, {"lr": 1.0}, rated=True),
    Member(AGD, coupled=True),
    Member(Method2, {"mean_square_input": 4.0}, coupled=True),
    Member(Method2Exp, {"mean_square_input": 4.0}, coupled=True),
    Member(PolarAverage, coupled=True, alone=True),
    Member(Method1, coupled=True, closure=True),
    Member(GeodesicLBFGS, coupled=True, closure=True),
    Member(GeodesicLBFGS, {"manifold": "sphere"}, coupled=True, closure=True),
    Member(OnlineLBFGS, coupled=True, closure=True),
]
MEMBERS += [  # what nobody has written down is taken at its defaults, and for what its class says that it is
    Member(
        kind,
        coupled=issubclass(kind, Coupled),
        rated="lr" in inspect.signature(kind).parameters,
        closure=kind.differentiates,
    )
    for kind in DROP_INS.values()
    if kind not in [member.kind for member in MEMBERS]
]
LAYERWISE = [member for member in MEMBERS if not member.coupled]
COUPLED = [member for member in MEMBERS if member.coupled]
FROM_GRADIENTS = [member for member in MEMBERS if not member.closure]


def names(members):
    return [member.name for member in members]


def network(seed=0, dtype=torch.float32, shapes=SHAPES):
    """Weights of a perceptron with tanh between them."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.nn.Parameter((torch.randn(s, generator=generator, dtype=torch.float64) / s[1] ** 0.5).to(dtype))
        for s in shapes
    ]


def loss(params):
    """A square loss, in the dtype of the weights."""
    generator = torch.Generator().manual_seed(9)
    x, y = (torch.randn((20, n), generator=generator, dtype=torch.float64) for n in (4, 3))
    outputs = x.to(params[0].dtype)
    for k, W in enumerate(params):
        outputs = (outputs.tanh() if k else outputs).to(W.dtype) @ W.T
    return (outputs - y.to(outputs.dtype)).square().mean()


def advance(optimizer, params, steps=1):
    """Steps of any member on :func:`loss`."""
    for _ in range(steps):
        if optimizer.differentiates:
            optimizer.step(lambda: loss(params))
        else:
            optimizer.zero_grad()
            loss(params).backward()
            optimizer.step()


def copies(params):
    return [p.detach().clone() for p in params]
