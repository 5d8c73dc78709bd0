"""The updates as ``torch.optim.Optimizer`` classes, for a user's own network and loop.

Each class is a thin loop around the pure update of its family; ``p.grad`` is read and never changed.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.torch import agd, fromage, method1, method2
from normbench.torch.closure import Closure, ClosureCurve

_KEYS_OF_TORCH = frozenset({"params", "param_names", "differentiable"})


class _Coupled(torch.optim.Optimizer):
    """An optimiser whose step depends on all layers at once: one parameter group, every parameter of one dtype."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the only group, without options of its own."""
        name = type(self).__name__
        if self.param_groups:
            raise InvalidArgumentError(
                f"{name} takes one parameter group, because its step couples all layers; got a second one. "
                "Give the other parameters to another optimiser."
            )
        options = sorted(param_group.keys() - {"params", "param_names"})
        if options:
            raise InvalidArgumentError(f"{name} takes no options in a parameter group; got {', '.join(options)}.")
        super().add_param_group(param_group)

    @property
    def _layers(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def _require_matrices(self) -> None:
        for index, p in enumerate(self._layers):
            if p.dim() != 2:
                raise InvalidArgumentError(
                    f"{type(self).__name__} needs matrices (fan_out, fan_in); parameter {index} has shape "
                    f"{tuple(p.shape)}. Leave biases out (bias=False) and flatten convolution kernels first."
                )

    def _remember_radii(self) -> None:
        for index, p in enumerate(self._layers):
            radius = float(torch.linalg.vector_norm(p.detach()))
            if radius == 0.0:
                raise InvalidArgumentError(
                    f"parameter {index} of shape {tuple(p.shape)} is zero and lies on no sphere. Initialise it, or "
                    "give it to another optimiser."
                )
            self.state[p]["radius"] = radius

    def _radii(self) -> list[float]:
        return [self.state[p]["radius"] for p in self._layers]

    def _gradient(self) -> list[Tensor]:
        """Gradients of all layers; a layer without one counts as zero."""
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self._layers]

    def _move(self, weights: Sequence[Tensor], step_size: float) -> None:
        torch._foreach_copy_(self._layers, list(weights))
        self.param_groups[0]["step_size"] = step_size


def _evaluate(closure: Closure | None) -> Tensor | None:
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


class Method1(_Coupled):
    """Method 1: a Hessian-free automatic step along the geodesic on the product of spheres.

    Gamma_i(t) = W_i cos t + mu_i V_i sin t, with t chosen by Algorithm 2       (arXiv 2312.10672, eq. 5-8)

    There is no learning rate. Every parameter keeps its Frobenius norm mu_i.

    Parameters
    ----------
    params : iterable of Tensor
        Weights of the normalised layers, of any shape but not zero.
    order : int
        Order of the Taylor polynomial, 2 to 4.
    trust_region : float
        Largest step, in radians.
    max_halvings : int
        How often a step may be halved until the closure's loss does not rise; 0 switches the safeguard off.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is out of range, a parameter is zero, or there is more than one group.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        order: int = 2,
        trust_region: float = math.pi / 6,
        max_halvings: int = 20,
    ) -> None:
        given = {"order": order, "trust_region": trust_region, "max_halvings": max_halvings}
        super().__init__(params, {**specs.get("method1").resolve(given), "step_size": 0.0})
        self._remember_radii()

    @torch.no_grad()
    def step(self, closure: Closure) -> Tensor:
        """Take one step; the step size is then in ``param_groups[0]["step_size"]``, 0 if nothing lowers the loss.

        Parameters
        ----------
        closure : callable
            Evaluates the model and returns the loss *without* calling ``backward()``: the step differentiates the
            loss twice along the curve. It must give the same loss for the same weights (no dropout, one batch).

        Returns
        -------
        Tensor
            Loss before the step.
        """
        group = self.param_groups[0]
        objective = ClosureCurve(self._layers, closure)
        start = objective.start()
        accepted, tau, _ = method1.method1(
            objective,
            start,
            self._radii(),
            order=group["order"],
            trust_region=group["trust_region"],
            max_halvings=group["max_halvings"],
        )
        self._move(accepted.weights, tau)
        return start.loss


class Method2(_Coupled):
    """Method 2: majorisation-minimisation on the product of spheres, for square loss ||f - y||^2 / 2.

    tau = argmin over [0, pi] of alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2
    (arXiv 2312.10672, eq. 22-23, Algorithm 3)

    Parameters
    ----------
    params : iterable of Tensor, shape (fan_out, fan_in) each
        All weight matrices of a bias-free perceptron with 1-Lipschitz activations.
    mean_square_input : float
        Q, the mean of ||x||^2 over the data; 1 for inputs scaled to unit norm.

    Raises
    ------
    InvalidArgumentError
        If a parameter is not a matrix or is zero, Q is not positive, or there is more than one group.
    """

    def __init__(self, params: Iterable[Tensor], *, mean_square_input: float = 1.0) -> None:
        odd = mean_square_input is None or isinstance(mean_square_input, str | bool)
        if odd or not 0.0 < mean_square_input < math.inf:
            raise InvalidArgumentError(f"mean_square_input must be positive and finite; got {mean_square_input!r}.")
        super().__init__(params, {"mean_square_input": mean_square_input, "step_size": 0.0})
        self._require_matrices()
        self._remember_radii()

    def _update(self, gradient: list[Tensor]) -> tuple[list[Tensor], float]:
        group = self.param_groups[0]
        return method2.method2(
            gradient, self._layers, self._radii(), Q=group["mean_square_input"], guess=group["step_size"]
        )

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:
        """Take one step from ``p.grad``; the step size is then in ``param_groups[0]["step_size"]``, in radians."""
        loss = _evaluate(closure)
        self._move(*self._update(self._gradient()))
        return loss


class Method2Exp(Method2):
    """Closed-form variant of method 2 with an exponential majorant.

    tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L,  P = prod mu_i      (the authors' code of 2312.10672)

    Parameters, errors and use as :class:`Method2`.
    """

    def _update(self, gradient: list[Tensor]) -> tuple[list[Tensor], float]:
        return method2.method2_exp(gradient, self._layers, self._radii(), Q=self.param_groups[0]["mean_square_input"])


class AGD(_Coupled):
    """Automatic gradient descent for bias-free fully-connected networks; no hyperparameters.

    W_k - (eta / L) sqrt(d_k / d_{k-1}) G_k / ||G_k||_F,  eta = log((1 + sqrt(1 + 4 G)) / 2)
    (arXiv 2304.05187, Algorithm 1)

    The initial weights should be semi-orthogonal with singular values sqrt(d_k / d_{k-1}), inputs of norm sqrt(d_0).

    Parameters
    ----------
    params : iterable of Tensor, shape (fan_out, fan_in) each
        All weight matrices of the network: their number is L.

    Raises
    ------
    InvalidArgumentError
        If a parameter is not a matrix, or there is more than one group.
    """

    def __init__(self, params: Iterable[Tensor]) -> None:
        super().__init__(params, {"step_size": 0.0})
        self._require_matrices()

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:
        """Take one step from ``p.grad``; eta is then in ``param_groups[0]["step_size"]``."""
        loss = _evaluate(closure)
        self.param_groups[0]["step_size"] = agd.agd_(self._gradient(), self._layers)
        return loss


class _Layerwise(torch.optim.Optimizer):
    """An optimiser whose layers move independently: any number of groups, each with its own hyperparameters."""

    _key: str

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; what it sets of its own is checked against the spec."""
        own = {k: value for k, value in param_group.items() if k not in _KEYS_OF_TORCH}
        for option in own.keys() - self.defaults.keys():
            raise InvalidArgumentError(
                f"{type(self).__name__} has no option {option!r}. It takes: {', '.join(self.defaults)}."
            )
        # torch's name of the learning rate is lr: its schedulers look for it
        given = {"learning_rate" if k == "lr" else k: value for k, value in (self.defaults | own).items()}
        specs.get(self._key).resolve({k: value for k, value in given.items() if k not in _KEYS_OF_TORCH})
        super().add_param_group(param_group)

    def _update(self, gradient: list[Tensor], layers: list[Tensor], group: dict[str, Any]) -> None:
        """Move the layers in place."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:
        """Take one step from ``p.grad``; parameters without a gradient stay."""
        loss = _evaluate(closure)
        for group in self.param_groups:
            for layers in _alike(group["params"]):
                self._update([p.grad for p in layers], layers, group)
        return loss


def _alike(parameters: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    """The parameters that have a gradient, in lists of one device and one dtype."""
    lists: dict[Any, list[Tensor]] = {}
    for p in parameters:
        if p.grad is not None:
            lists.setdefault((p.device, p.dtype), []).append(p)
    return lists.values()


class Fromage(_Layerwise):
    """Fromage: every layer changes by the relative amount eta.

    W <- [W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)        (arXiv 2002.03432, Algorithm 1)

    Parameters
    ----------
    params : iterable of Tensor or of groups
    lr : float
        eta, in [0, 1]; named as torch's schedulers expect it.
    p_bound : float, optional
        Bound on ||W||_F in multiples of its value at construction, at least 1.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is unknown or out of range.
    """

    _key = "fromage"

    def __init__(self, params: Iterable[Any], lr: float = 0.01, *, p_bound: float | None = None) -> None:
        super().__init__(params, {"lr": lr, "p_bound": p_bound})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; its norm bounds are fixed now."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        bounds = fromage.norm_bounds([p.detach() for p in group["params"]], group["p_bound"])
        for p, bound in zip(group["params"], bounds or (), strict=bounds is not None):
            self.state[p]["norm_bound"] = bound

    def _update(self, gradient: list[Tensor], layers: list[Tensor], group: dict[str, Any]) -> None:
        bounds = None if group["p_bound"] is None else [self.state[p]["norm_bound"] for p in layers]
        fromage.fromage_(gradient, layers, bounds, learning_rate=group["lr"])


class LARS(_Layerwise):
    """LARS as the foil of the Fromage paper: the same relative step without the prefactor, so norms grow.

    W <- W - eta (||W||_F / ||g||_F) g        (arXiv 2002.03432, eq. 5)

    Parameters and errors as :class:`Fromage`, without ``p_bound``.
    """

    _key = "lars"

    def __init__(self, params: Iterable[Any], lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})

    def _update(self, gradient: list[Tensor], layers: list[Tensor], group: dict[str, Any]) -> None:
        fromage.lars_(gradient, layers, learning_rate=group["lr"])
