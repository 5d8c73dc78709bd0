"""Networks whose Lipschitz constant stays below a number that you name, by ``torch.nn.utils.parametrize``."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize as library

from normbench.errors import InvalidArgumentError
from normbench.networks.base import Shape
from normbench.numbers import positive
from normbench.problems.initial_variables import initial_variables
from normbench.problems.shares import Share
from normbench.specs import parametrisations
from normbench.specs.base import Geometry
from normbench.specs.parametrisations import Certificate, Parametrisation
from normbench.torch.bound_shares import SharedBound, like, numbers_of, share_together, shares_of
from normbench.torch.declared import Declared, declared
from normbench.torch.updates.parametrisations import chart

Module = TypeVar("Module", bound=nn.Module)
Tensors = Sequence[Tensor]
Weight = Callable[[Tensors, Tensors], Tensor]  # of the variables of the layer before, and those of a layer's own


def parametrize(module: Module, parametrisation: str, *, lipschitz: float, geometry: str | None = None) -> Module:
    """Make the weights of a network functions of free variables, so that it never exceeds a Lipschitz constant.

    ||f(x) - f(x')|| <= lipschitz ||x - x'||  for all x, x' and at every value of the variables, rounding included

    The weights become parametrisations of ``torch.nn.utils.parametrize``: everything that works with these works here,
    state_dict, deepcopy, ``.to()``. ``remove_parametrizations(layer, "weight")`` of every layer leaves a plain network,
    whose bound :func:`normbench.certify` confirms; of the module itself, since torch's deep copies share a class which
    that takes apart. Biases stay as they are: they move outputs, not differences.

    The variables are the parameters whose names end in ``original``, ``original0`` or ``original1``; make the optimiser
    after this call. "spectral", "bjorck" and "sandwich" take any optimiser. On the geometry "stiefel" each variable has
    to stay in its unit ball, and on "sphere" on its unit sphere, where GeodesicLBFGS, OnlineLBFGS and PolarAverage with
    ``radius=1.0``, or Method1, keep them.

    The weights share the bound in the ratio of their norms, for good; a state_dict holds the ratios, not the bound. One
    that is loaded in part makes the weights smaller where its ratios and those that stay would exceed the bound. In
    balls, and in the sandwich on "stiefel", the network starts as the function that it is, where the product of its
    norms is within the bound; of other networks, and elsewhere, the directions are kept, and in the sandwich positive
    factors go from one layer to another.

    Parameters
    ----------
    module : torch.nn.Sequential
        Of Linear, Conv2d, ReLU, LeakyReLU, Tanh, Flatten and pools without overlap, in float32 or float64; changed.
    parametrisation : str
        "spectral", W = V / ||V||_op; "bjorck", that after 15 steps W (3 I - W^T W) / 2; "ball", W itself; "sphere"; or
        "sandwich", a larger set with the same bound, of Linear and activations in turn: W_k = 2 B_k A_{k-1}^T with
        ||[A_k B_k]||_op <= 1.
    lipschitz : float
        Output units per unit of the input, both as the module has them.
    geometry : str, optional
        Where the variables lie: "free", "stiefel" or "sphere"; free if the parametrisation has that, else its own.

    Returns
    -------
    torch.nn.Sequential
        The same module.

    Raises
    ------
    InvalidArgumentError
        If module or geometry does not go with the parametrisation, the bound is not positive, or a weight is zero, not
        finite, of half precision, that of two layers, or parametrised already; in a forward pass, if the module was
        cast to half precision.

    Examples
    --------
    >>> import torch
    >>> from normbench import certify
    >>> from normbench.torch import parametrize
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> model = parametrize(model, "sandwich", lipschitz=5.0)
    >>> optimizer, x = torch.optim.Adam(model.parameters(), lr=0.1), torch.randn(32, 3)
    >>> for _ in range(20):
    ...     optimizer.zero_grad()
    ...     (model(x) - 1).square().mean().backward()
    ...     optimizer.step()
    >>> weights = [model[k].weight.detach().numpy() for k in (0, 2)]
    >>> certify(weights).bound <= 5.0
    True
    """
    bound = positive("lipschitz", lipschitz)
    found = parametrisations.get(parametrisation)
    if not found.bounded:
        bounded = [key for key, other in parametrisations.PARAMETRISATIONS.items() if other.bounded]
        raise InvalidArgumentError(f"parametrisation {found.key!r} keeps no bound. Choose {' or '.join(bounded)}.")
    lies = _geometry(found, geometry)
    network = declared(module)
    parametrisations.check_network(found, network.network, bounded=True)
    parts = shares_of(network, lipschitz=bound)
    layers = list(network.weighted.values())
    if found.certificate is Certificate.PRODUCT:
        for layer, share in zip(layers, parts, strict=True):
            library.register_parametrization(layer, "weight", _Alone(found, lies, layer.weight, share))
    else:
        _sandwich(network, found, lies, parts)
    share_together(layers)
    return module


def _geometry(found: Parametrisation, named: str | None) -> Geometry:
    if named is None:
        return Geometry.FREE if Geometry.FREE in found.geometries else found.geometries[0]
    for lies in found.geometries:
        if named == lies:
            return lies
    known = " or ".join(repr(lies.value) for lies in found.geometries)
    raise InvalidArgumentError(f"geometry of parametrisation {found.key!r} must be {known}; got {named!r}.")


class _Alone(SharedBound):
    """A weight that is a function of one variable of its own."""

    def __init__(self, found: Parametrisation, lies: Geometry, weight: Tensor, share: Share) -> None:
        super().__init__(weight, share)
        self._start = lambda array: initial_variables(found, lies, (array,))[0]
        self._weights = chart(found, lies, [tuple(weight.shape)]).weights

    def forward(self, variable: Tensor) -> Tensor:
        """The weight."""
        return self.shared(lambda variables: self._weights(variables)[0], [variable])

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The variable of the weight, or of the nearest by its size that the bound admits."""
        return like(self._start(numbers_of(weight) / float(self.share)), weight)


class _Linked(SharedBound):
    """A weight of the sandwich, a function of its layer's own variables and of those of the layer before.

    Attributes
    ----------
    before : tuple of ParametrizationList
        That of the layer before, if there is one: in a tuple, so that this module does not own it.
    """

    def __init__(
        self,
        made: Weight,
        before: tuple[library.ParametrizationList, ...],
        start: list[Tensor],
        weight: Tensor,
        share: Share,
    ) -> None:
        super().__init__(weight, share)
        self._made, self.before = made, before
        self._start: list[Tensor] | None = start

    def forward(self, *own: Tensor) -> Tensor:
        """The weight."""
        earlier = [_original(held, k) for held in self.before for k in range(held.ntensors)]
        count = len(earlier)
        return self.shared(lambda of_both: self._made(of_both[:count], of_both[count:]), [*earlier, *own])

    def right_inverse(self, weight: Tensor) -> list[Tensor]:
        """The variables with which the network starts: one weight alone has none."""
        start, self._start = self._start, None
        if start is None:
            raise InvalidArgumentError(
                "a weight of the sandwich depends on the layer before, too, and cannot be set alone. Set the weights "
                "of a plain network and parametrise that, or load a state_dict."
            )
        return start


def _original(held: library.ParametrizationList, index: int) -> Tensor:
    found: Tensor = getattr(held, f"original{index}")
    return found


def _sandwich(network: Declared, found: Parametrisation, lies: Geometry, parts: Sequence[Share]) -> None:
    layers = list(network.weighted.values())
    shapes = network.network.weight_shapes
    arrays = tuple(numbers_of(layer.weight) / share.factor for layer, share in zip(layers, parts, strict=True))
    start = list(initial_variables(found, lies, arrays))
    before: tuple[library.ParametrizationList, ...] = ()
    for k, (layer, share) in enumerate(zip(layers, parts, strict=True)):
        last = k == len(layers) - 1
        count = {Geometry.STIEFEL: 0 if last else 1, Geometry.FREE: 1 if last else 2}[lies]
        own = [like(start.pop(0), layer.weight) for _ in range(count)]
        made = (_bounded if lies is Geometry.STIEFEL else _free)(found, shapes, k)
        library.register_parametrization(layer, "weight", _Linked(made, before, own, layer.weight, share))
        before = (layer.parametrizations["weight"],)


def _bounded(found: Parametrisation, shapes: Sequence[Shape], k: int) -> Weight:
    """W_k of M_{k-1} and M_k: in the middle of a sandwich of these two, or at the end of one of the first alone."""
    last = k == len(shapes) - 1
    around = [*shapes[max(k - 1, 0) : k + 1]]
    if not last:  # the columns of A_k: all units of the layer, or of the last M the outputs
        outputs = shapes[-1][0] if k == len(shapes) - 2 else shapes[k][0]
        around.append((outputs, shapes[k][0]))
    weights, place = chart(found, Geometry.STIEFEL, around).weights, min(k, 1)
    return lambda earlier, own: weights([*earlier, *own])[place]


def _free(found: Parametrisation, shapes: Sequence[Shape], k: int) -> Weight:
    """W_k of X_{k-1}, psi_{k-1} and X_k, its rows divided by e^psi_k."""
    weights = chart(found, Geometry.FREE, shapes).weights

    def weight(earlier: Tensors, own: Tensors) -> Tensor:
        W = weights([*earlier, own[0]])[-1]
        return W / torch.exp(own[1])[:, None] if len(own) > 1 else W

    return weight
