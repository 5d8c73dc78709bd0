"""The peers in torch, from torch.optim, pytorch_optimizer, geoopt and pymanopt: a line each where gradients are enough.

The last three take up to seconds to import, and most runs do without: they are imported where they are used.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.backends.method import Method, Step
from normbench.specs.base import Geometry
from normbench.torch.updates.balls import Product
from normbench.torch.updates.library import Library, library_step
from normbench.torch.updates.searching import Searching
from normbench.torch.updates.through import Through
from normbench.torch.updates.trust_regions import TrustRegion, left_after_one, load_pymanopt


def _rated(build: Callable[..., torch.optim.Optimizer]) -> Callable[..., Library]:
    """A peer whose one hyperparameter is the learning rate, from a function of the weights and ``lr``."""
    return lambda *, learning_rate: Library(partial(build, lr=learning_rate), learning_rate)


prodigy = _rated(lambda weights, lr: import_module("pytorch_optimizer").Prodigy(weights, lr=lr))
dadapt_adamw = _rated(
    lambda weights, lr: import_module("pytorch_optimizer").DAdaptAdam(weights, lr=lr, weight_decouple=True)
)
# it takes matrices only: a kernel is the view that multiplies patches
muon = _rated(lambda weights, lr: torch.optim.Muon([w.flatten(1) for w in weights], lr=lr, weight_decay=0.0))


def schedule_free(*, learning_rate: float) -> Method:
    """Schedule-free AdamW: losses are those of the averaged weights, gradients are taken elsewhere."""

    def init(objective: Any, weights: Sequence[Tensor]) -> _Averaged:
        moved = [w.clone() for w in weights]
        return _Averaged(moved, import_module("pytorch_optimizer").ScheduleFreeAdamW(moved, lr=learning_rate))

    def step(objective: Any, point: Any, state: _Averaged) -> Step:
        state.optimizer.train()
        gradient = objective.slope(objective.point(state.weights)).gradient
        library_step(state.optimizer, state.weights, gradient, learning_rate)
        state.optimizer.eval()
        return Step(objective.point([w.clone() for w in state.weights]), state, learning_rate, evaluations=2)

    return Method(init, step)


class _Averaged(NamedTuple):
    """The weights that the optimiser moves (y in training, x in evaluation), and the optimiser."""

    weights: list[Tensor]
    optimizer: Any


def lbfgs(*, history: int) -> Method:
    """torch.optim.LBFGS with its strong Wolfe line search; the step size is that of the search."""
    return Method(partial(_Search, history=history), lambda objective, point, search: search.step(point))


class _Search(Searching):
    """torch.optim.LBFGS."""

    def __init__(self, objective: Any, weights: Sequence[Tensor], history: int) -> None:
        super().__init__(objective, [w.clone() for w in weights])
        self._optimizer = torch.optim.LBFGS(
            self._moved,
            max_iter=1,
            max_eval=25,
            history_size=history,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

    def step(self, point: Any) -> Step:
        """One direction and its line search; no step where the search found nothing."""
        before = self._copies()
        self._known_at(point)
        self._optimizer.step(self._closure)
        moved = not all(map(torch.equal, before, self._moved))
        return self._ended(point, float(self._optimizer.state[self._moved[0]]["t"]) if moved else 0.0)


def riemannian_cg() -> Method:
    """geoopt's RiemannianLineSearch with Polak-Ribiere directions and the strong Wolfe conditions."""
    return Method(_Conjugate, lambda objective, point, search: search.step(point))


class _Conjugate(Searching):
    """geoopt.optim.RiemannianLineSearch on the lifts of matrices in balls, or on spheres of radius 1."""

    def __init__(self, objective: Any, weights: Sequence[Tensor]) -> None:
        geometry = objective.geometry if isinstance(objective, Through) else Geometry.SPHERE
        self._product = Product.of(geometry, weights)
        on_spheres = geometry is Geometry.SPHERE
        lifts = self._product.lift(list(weights))
        self._shapes = [Q.shape for Q in lifts]
        with warnings.catch_warnings():  # it scripts functions at import, which torch has deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            geoopt = import_module("geoopt")
        sphere, stiefel = geoopt.Sphere(), geoopt.EuclideanStiefel()

        def place(Q: Tensor) -> Tensor:
            if on_spheres and Q.numel() > 1:
                return geoopt.ManifoldParameter(Q.flatten(), manifold=sphere)
            return geoopt.ManifoldParameter(Q, manifold=stiefel)  # geoopt has no sphere of one number, which is +-1

        super().__init__(objective, list(map(place, lifts)))
        self._build = partial(
            geoopt.optim.RiemannianLineSearch, self._moved, line_search_method="wolfe", cg_method="pr"
        )
        self._optimizer = self._build()

    def _lifts(self) -> list[Tensor]:
        return [Q.detach().view(shape) for Q, shape in zip(self._moved, self._shapes, strict=True)]

    def _weights(self) -> list[Tensor]:
        return [P.clone() for P in self._product.down(self._lifts())]

    def _gradient(self, weights: Sequence[Tensor]) -> list[Tensor]:
        tangents = self._product.gradient(self._lifts(), list(weights))
        return [G.reshape(Q.shape) for G, Q in zip(tangents, self._moved, strict=True)]

    def step(self, point: Any) -> Step:
        """One direction and its line search; along the gradient where the search of that direction found nothing."""
        self._known_at(point)
        length = self._searched()
        if length == 0.0 and len(self._optimizer.step_size_history) > 1:
            self._optimizer = self._build()
            length = self._searched()
        return self._ended(point, length)

    def _searched(self) -> float:
        """Length of the step, 0 where the search found none or there was nowhere to go."""
        before = self._copies()
        with warnings.catch_warnings():  # that a search found nothing is seen by its length
            warnings.filterwarnings("ignore", ".*(line search|step size)", RuntimeWarning)
            self._optimizer.step(lambda: float(self._closure()))
        moved = not all(map(torch.equal, before, self._moved))
        return float(self._optimizer.last_step_size or 0.0) if moved else 0.0


def riemannian_tr() -> Method:
    """pymanopt's TrustRegions, an iteration a step, which nothing but the benchmark ends."""
    pymanopt = load_pymanopt()
    solver = pymanopt.optimizers.TrustRegions(verbosity=0, min_gradient_norm=0.0, max_time=math.inf)
    init = partial(TrustRegion, solver=left_after_one(solver))
    return Method(init, lambda objective, point, region: region.step(point))
