"""Online geodesic L-BFGS as a ``torch.optim.Optimizer``: our own quasi-Newton method for mini-batches at a bound."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench import specs
from normbench.torch.optimizers.averages import MODE, Averaging
from normbench.torch.optimizers.balls import as_matrix
from normbench.torch.optimizers.base import Closure
from normbench.torch.optimizers.bounded import Bounded
from normbench.torch.optimizers.closure import ClosureCurve
from normbench.torch.optimizers.lifted import Lifted, Lifts, is_known
from normbench.torch.updates.balls import Ball
from normbench.torch.updates.online_lbfgs import OnlineState, advanced, averaged

_DEFAULTS = specs.get("online_lbfgs").defaults


class OnlineLBFGS(Bounded, Averaging):
    """Online geodesic L-BFGS: quasi-Newton steps from mini-batches that keep every bound, and the mean of the iterates.

    m <- Proj(momentum m + (1 - momentum) g),   D = -Proj(H m),   H of the pairs (s, y) of earlier batches
    Q <- (Q + t D) ((Q + t D)^T (Q + t D))^(-1/2),   Q = [P; V],   Q^T Q = I,   W = radius P
    A <- A + rho (W - A),   rho = (power + 1) / (k + power + 1),   k = 0, 1, ...

    so that ||W||_op <= radius and ||A||_op <= radius at every iterate. The step t is 1, or what turns a column by
    pi/12 where that is shorter; without pairs it is what turns one by 1/20; times sqrt(400 / (k + 400)). The first
    and then every ``interval``-th step makes a pair: it evaluates and differentiates the loss of its batch twice,
    where it starts and where it ends, so that the difference y of both gradients is of one batch. Nothing is
    searched, no second derivatives are taken, nothing depends on how long the run will be, and there is no learning
    rate: ``lr`` in the groups is 1 for loggers, and a step refuses another value. ``step_size`` is the largest
    angle by which a column turned, in radians.

    The parameters hold W, where gradients are to be taken. What to evaluate, validate and ship is the average A:
    :meth:`eval` puts it into the parameters and :meth:`train` puts W back, as schedule-free optimisers have it. Both do
    nothing where it is done already; a step in between is refused. Weights are loaded in training mode.

    Each parameter is a matrix for itself: a kernel (out, in, height, width) as (out, in height width), a vector as one
    column. ``{"params": ..., "radius": r}`` gives a group its own ball ||W||_op <= r. The bounds hold in the
    parameter's own dtype, rounding included. Weights that are loaded or changed later start with an empty memory and a
    new average, and are refused where they lie outside. The step waits for the device. Let the closure return its loss
    in float32 at least.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of groups
        Weights and vectors of any shape, on one device.
    history : int
        Pairs of steps and gradient differences that are kept.
    interval : int
        Steps from one pair to the next.
    momentum : float
        Decay of the average of the gradients.
    decay : float
        Of the averages of G G^T and G^T G that make the metric.
    damping : float
        Added to the averages, in units of their mean eigenvalue.
    power : int
        The average gives the k-th iterate about the weight k^power.
    radius : float, optional
        Of the balls; None takes the operator norm that each weight has now.
    process_group : torch.distributed.ProcessGroup, optional
        For data-parallel training, as :class:`normbench.torch.Method1` has it.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter or an option of a group is unknown or out of range, or a parameter is frozen, sharded, a
        single number, holds NaN, lies outside its ball, or is zero where no radius is given.

    Warns
    -----
    NotReachedWarning
        If the loss of a step does not reach some parameters: once for the same ones. One that no loss has reached yet
        stays where it is. If it reaches none, the step raises.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import OnlineLBFGS
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(60, 3)
    >>> optimizer = OnlineLBFGS(model.parameters(), radius=2.0)
    >>> before = (model(x) - 1).square().mean()
    >>> for batch in x.split(12):
    ...     loss = optimizer.step(lambda: (model(batch) - 1).square().mean())
    >>> optimizer.eval()
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    >>> torch.linalg.matrix_norm(model.weight.double(), 2) <= 2.0
    tensor(True)
    >>> optimizer.train()
    """

    key = "online_lbfgs"
    kept: ClassVar[dict[str, Any]] = {"step_size": 0.0} | MODE
    higher = False
    update_state = OnlineState

    def __init__(
        self,
        params: Iterable[Any],
        *,
        history: int = _DEFAULTS["history"],
        interval: int = _DEFAULTS["interval"],
        momentum: float = _DEFAULTS["momentum"],
        decay: float = _DEFAULTS["decay"],
        damping: float = _DEFAULTS["damping"],
        power: int = _DEFAULTS["power"],
        radius: float | None = _DEFAULTS["radius"],
        process_group: Any = None,
    ) -> None:
        options = {"history": history, "interval": interval, "momentum": momentum, "decay": decay, "damping": damping}
        super().__init__(params, options | {"power": power, "radius": radius}, process_group=process_group)

    def step(self, closure: Closure | Sequence[Closure] | None = None) -> Tensor:
        """Take one step on a batch; the step size is then in ``param_groups[0]["step_size"]``, in radians.

        Where the loss or its gradient is NaN or infinite, so are the new weights and the step size; the state stays,
        and the step does not count, so that a run goes on where its weights are restored. If the closure raises, the
        weights are those from before.

        Parameters
        ----------
        closure : callable, or sequence of callables
            Evaluates the model and returns the loss of the present batch *without* calling ``backward()``: the step
            differentiates the loss itself, where a pair is due at two points. Both times it must be the loss of the
            same batch (no dropout). Of several, one for each part of the batch, the loss is the sum, and no more
            than one graph is in memory. Running statistics of batch normalisation follow every evaluation.

        Returns
        -------
        Tensor
            Loss of the batch before the step.

        Raises
        ------
        InvalidArgumentError
            If the parameters hold the averages, the closure gives no loss that can be differentiated, the loss reaches
            none of the parameters, or one of them is frozen or outside its ball.
        """
        return super().step(closure)

    def _prepared(self) -> Lifts:
        for group in self.param_groups:
            self._require_iterates(group)
        return super()._prepared()

    def _more(self, own: list[dict[str, Any]]) -> dict[str, Any] | None:
        return {"m": [of_layer["momentum"] for of_layer in own]} if all("momentum" in each for each in own) else None

    def _bends(self, prepared: Lifts) -> bool:
        return False

    def _walk(self, objective: ClosureCurve, start: Any, prepared: Lifts) -> tuple[Sequence[Tensor], float]:
        options, batch = self._shared(self.param_groups[0]), Batch(objective, start, prepared)
        power, own = options.pop("power"), [self.state[p] for p in self._layers]
        state, angle = advanced(batch.gradient, prepared.state, **options)
        weights, angle = batch.keep(state, batch.parameters(state.Q), angle, self.state)
        if not math.isnan(angle):
            known = prepared.state.metric.count > 0
            before = [of_layer["average"] for of_layer in own] if known else batch.variables
            for of_layer, average in zip(own, averaged(before, state, power=power), strict=True):
                of_layer["average"] = average
        return weights, angle

    def _average(self, p: Tensor) -> Tensor | None:
        own = self.state[p]
        if not is_known(p, own) or "average" not in own:
            return None
        rests = torch.equal(own["average"], Ball(as_matrix(p).shape).down(own["lift"]))
        return None if rests else own["average"]


class Batch(Lifted):
    """The loss of a batch on lifts, to be differentiated where a step starts and where it ends."""

    def __init__(self, curve: ClosureCurve, start: Any, lifts: Lifts) -> None:
        super().__init__(curve, start, lifts)
        self._latest = lifts.state.Q, start.weights

    def parameters(self, Q: list[Tensor]) -> list[Tensor]:
        """Those of lifts, in their balls by their own rounding."""
        if Q is not self._latest[0]:
            self._latest = Q, self._rounded(self._lifts.state.manifold.down(Q))
        return self._latest[1]

    def gradient(self, Q: list[Tensor]) -> list[Tensor]:
        """In the tangent space at these lifts."""
        found = self._gradient
        if Q is not self._lifts.state.Q:  # where it is known
            found = self._scaled(self._curve.gradient_at(self.parameters(Q)).gradient)
        return self._lifts.state.manifold.gradient(Q, found)

    def _write(self, own: dict[str, Any], state: OnlineState, k: int) -> None:
        own["momentum"] = state.m[k]
