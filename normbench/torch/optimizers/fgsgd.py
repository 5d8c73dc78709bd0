"""FG-SGD as a ``torch.optim.Optimizer``: weights on products of scaled manifolds (M. Ozay, Algorithm 1)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from normbench import numbers, specs
from normbench.errors import InvalidArgumentError
from normbench.specs import manifolds
from normbench.torch.norms import is_sharded, wide
from normbench.torch.optimizers import gate
from normbench.torch.optimizers.base import Closure, Gated, dense, evaluate, on_device, tolerance
from normbench.torch.optimizers.gate import Group, label
from normbench.torch.optimizers.tracking import Tracker
from normbench.torch.precision import full_precision
from normbench.torch.updates.fgsgd import departure, deviations_at, indices, layer_step, learning_rate_at
from normbench.torch.updates.geometry import MANIFOLDS

_DEFAULTS = specs.get("fgsgd").defaults


class FGSGD(Gated):
    """FG-SGD: stochastic gradient descent on products of manifolds (POMs) of a layer's blocks of channels.

    omega' = phi_omega(-(r(t) / zeta) grad),   r(t) = lr / (1 + t)^decay,   zeta = max(1, R_g (2 + R_g))
    (M. Ozay, "Fine-grained Optimization of Deep Neural Networks", Algorithm 1, eq. 2-7)

    with grad the Riemannian gradient of a POM, R_g its norm, phi the exponential map (Stiefel: a retraction), and
    W = gamma / lambda omega, gamma = 1 / sqrt(fan-in + channels_out * positions). A component is one height x width
    matrix of a kernel, or a whole block of a matrix or of a 1 x 1 kernel.

    The constructor moves the parameters: to the nearest points of their manifolds, scaled by gamma; if it raises, and
    where a parameter is frozen, they keep their bits. lambda is 1 unless :meth:`track` measures it. Load pretrained
    weights before the optimiser is made: a step refuses weights that are on their manifolds no more. To resume a run,
    make the optimiser first, load the states of both model and optimiser after it, and call :meth:`track` again.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of groups
        Matrices (fan_out, fan_in) and kernels (out, in, height, width); biases go to another optimiser.
    lr : float or Tensor
        r0; named as torch's schedulers expect it.
    decay : float
        Above 1/2, at most 1, so that sum r = inf and sum r^2 < inf (eq. 4).
    manifold : str
        "sphere" (unit Frobenius norm), "stiefel" (orthonormal columns, or rows if there are fewer) or "oblique"
        (columns of unit norm).
    grouping : str
        Channels that are split into sets, at random and for good: "pi" input, "po" output, "pio" both.
    groups : int
        Sets per split side of a layer.
    partition_seed : int
        Seeds the sets.
    positions : int
        Pixels of the output map of the kernels in the group.

    Raises
    ------
    InvalidArgumentError
        If an option is unknown or out of range, or a parameter is no weight, sharded, holds NaN, or has a component
        that is zero.

    Warns
    -----
    NotReachedWarning
        Once, if a step finds no gradient at all.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import FGSGD
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = FGSGD(model.parameters(), lr=0.1)
    >>> before = (model(x) - 1).square().mean()
    >>> before.backward()
    >>> optimizer.step()
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    """

    key = "fgsgd"
    kept: ClassVar[dict[str, Any]] = {"count": 0, "step_size": 0.0}
    numbers: ClassVar[tuple[str, ...]] = ("deviation", "feature_std")
    _points: list[tuple[Tensor, Tensor]] | None = None  # while the constructor runs: parameters, and where they go
    _moved: Sequence["_Moved"] = ()  # until the first step, for a state that says where they belonged

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = _DEFAULTS["learning_rate"],
        *,
        decay: float = _DEFAULTS["decay"],
        manifold: str = _DEFAULTS["manifold"],
        grouping: str = _DEFAULTS["grouping"],
        groups: int = _DEFAULTS["groups"],
        partition_seed: int = _DEFAULTS["partition_seed"],
        positions: int = _DEFAULTS["positions"],
    ) -> None:
        defaults = {"lr": lr, "decay": decay, "manifold": manifold, "grouping": grouping, "groups": groups}
        self._points = []
        super().__init__(params, defaults | {"partition_seed": partition_seed, "positions": positions})
        self._put(self._points)
        self._points = None

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        positions = numbers.count("positions", options.get("positions", _DEFAULTS["positions"]))
        return super()._checked({k: v for k, v in options.items() if k != "positions"}) | {"positions": positions}

    def _require(self, group: Group) -> None:
        gate.require_unsharded("FGSGD", reason="its constructor moves them, and every process would move others")
        super()._require(group)
        for index, p in enumerate(group["params"]):
            manifolds.check_shape(tuple(p.shape), _name(group, index))
            if is_sharded(p):
                raise InvalidArgumentError(
                    f"{label(group, index)} is a DTensor, a shard of a weight, and FGSGD's blocks of channels lie "
                    "across shards: use DistributedDataParallel, or Fromage or LARS on shards."
                )
            if p.numel() == 0:
                raise InvalidArgumentError(f"{label(group, index)} has no entries and no components. Leave it out.")

    def _enter(self, group: Group) -> None:
        """Fix the index sets of new weights, and put those that are free on their manifolds."""
        first = sum(len(other["params"]) for other in self.param_groups[:-1])
        points = []
        for index, p in enumerate(group["params"]):
            self.state[p] |= {"layer": first + index, "deviation": on_device(1.0, p)}
            if p.requires_grad:
                points.append((p, _nearest(p, group, first + index, _name(group, index))))
        if self._points is None:
            self._put(points)
        else:
            self._points += points  # a later group may be refused

    @torch.no_grad()
    def _put(self, points: list[tuple[Tensor, Tensor]]) -> None:
        moved = []
        for p, point in points:
            before = p.detach().clone()
            p.copy_(point)
            moved.append(_Moved(p, before, p.detach().clone()))
        self._moved = [*self._moved, *moved]

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state, before or after the weights that belong to it.

        Where the model was loaded before this FGSGD was made of it, as trainers do, the weights go back to where they
        were: on the manifolds of the state, whose lambda the constructor did not know.
        """
        super().load_state_dict(state_dict)
        group_of = {p: group for group in self.param_groups for p in group["params"]}
        for p, before, after in self._moved:
            away = self._departure(p, group_of[p], before.to(p.device))
            if torch.equal(p, after.to(p.device)) and float(away) <= tolerance(p.dtype):
                p.copy_(before)
        self._moved = ()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for layer, p in enumerate(p for group in self.param_groups for p in group["params"]):
            for name, value in (("layer", layer), ("deviation", on_device(1.0, p))):
                self.state[p].setdefault(name, value)

    def track(self, model: torch.nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        """Measure lambda, the running standard deviation of what feeds each weight, in every training forward pass.

        lambda <- 0.9 lambda + 0.1 std(inputs), from 1 on; the weights are scaled by gamma / max(1, lambda) at the next
        step: the paper rescales once an epoch. As for batch normalisation, the mode of a module says what is a training
        pass; one without samples, or with a NaN or an infinity, measures nothing, nor does one that a checkpoint
        repeats. The processes of distributed training see different inputs, and would scale their weights differently.

        Parameters
        ----------
        model : torch.nn.Module
            Its Linear and Conv2d modules whose weights are among the parameters are tracked; one that is tracked
            already counts once, and gets a new handle.

        Returns
        -------
        list of torch.utils.hooks.RemovableHandle
            ``handle.remove()`` ends it.

        Raises
        ------
        InvalidArgumentError
            If the model has no such module.
        """
        kinds = (torch.nn.Linear, torch.nn.Conv2d)
        modules = model.modules() if isinstance(model, torch.nn.Module) else ()
        found = [m for m in modules if isinstance(m, kinds) and m.weight in self.state]
        if not found:
            raise InvalidArgumentError(
                "track() found no Linear or Conv2d module whose weight this FGSGD moves; pass the model that it trains."
            )
        return [Tracker(self).follow(module) for module in found]

    @torch._disable_dynamo  # torch.compiler.disable would load the compiler at import; the index sets are NumPy's
    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        """Take one step from ``p.grad``; parameters without a gradient stay. ``group["step_size"]`` is then r(t).

        Raises
        ------
        InvalidArgumentError
            If weights have left their manifolds since the last step, because they were loaded or changed otherwise.
        """
        loss = evaluate(closure)
        self._moved = ()
        self._require_same_shapes()
        moving = [
            [k for k, p in enumerate(group["params"]) if p.grad is not None and p.requires_grad]
            for group in self.param_groups
        ]
        if any(moving):
            self._require_on_manifolds(moving)
        elif any(group["params"] for group in self.param_groups):
            names = self._names()
            self._warn_of_missing_gradients(names, len(names))
        for group, chosen in zip(self.param_groups, moving, strict=True):
            r0 = group["lr"].reshape(()) if isinstance(group["lr"], Tensor) else group["lr"]
            rate = learning_rate_at(group["count"], learning_rate=r0, decay=group["decay"])
            with full_precision(group["params"]):
                for k in chosen:
                    self._move(group["params"][k], group, rate)
            group["count"] += 1
            group["step_size"] = rate
        return loss

    def _require_on_manifolds(self, moving: list[list[int]]) -> None:
        """Look at all weights that are about to move, and wait for the device once."""
        places = [(group, k) for group, chosen in zip(self.param_groups, moving, strict=True) for k in chosen]
        found = [self._departure(group["params"][k], group) for group, k in places]
        for (group, k), size in zip(places, torch.stack([d.to(found[0].device) for d in found]).tolist(), strict=True):
            # false for NaN, which shall be seen as a diverged loss
            if tolerance(group["params"][k].dtype) < size < float("inf"):
                raise InvalidArgumentError(
                    f"{label(group, k)} is not on its manifold: a component departs from it by {size:.3g} of its "
                    "scale. It was loaded, changed or freed since FGSGD was made, and a step would throw it back. Make "
                    "FGSGD anew, which moves the weights onto their manifolds; to resume a run, load the optimiser's "
                    "state_dict together with the model's."
                )

    def _departure(self, p: Tensor, group: Group, weight: Tensor | None = None) -> Tensor:
        """By how much a parameter, or another weight in its place, is off its manifold."""
        before = manifolds.scale(p.shape, positions=group["positions"]) / self.state[p]["deviation"]
        W = (p if weight is None else weight).to(wide([p]))
        return departure(W, self._indices(p, group), MANIFOLDS[group["manifold"]], scale=before).double()

    def _indices(self, p: Tensor, group: Group) -> Any:
        return indices(p.shape, p.device, layer=self.state[p]["layer"], **_grouping(group))

    def _move(self, p: Tensor, group: Group, rate: float | Tensor) -> None:
        state = self.state[p]
        now = state["deviation"] = on_device(state["deviation"], p)  # the model may have gone to another device
        (deviation,) = deviations_at(group["count"], [state.get("feature_std", now)], 1)
        then = on_device(deviation, p)
        gamma = manifolds.scale(p.shape, positions=group["positions"])
        kind = wide([p, p.grad])  # half precision cannot be factorised
        G, W = dense(p.grad).to(kind), p.to(kind)
        manifold = MANIFOLDS[group["manifold"]]
        new = layer_step(G, W, self._indices(p, group), manifold, rate=rate, gamma=gamma, deviations=(now, then))
        p.copy_(new)
        state["deviation"] = then


class _Moved(NamedTuple):
    """A parameter that was put on its manifold, and its values before and after."""

    parameter: Tensor
    before: Tensor
    after: Tensor


def _name(group: Group, index: int) -> str:
    names = group.get("param_names")
    return f"parameter {repr(names[index]) if names else index}"


def _nearest(p: Tensor, group: Group, layer: int, name: str) -> Tensor:
    """Where a weight goes on the scaled manifolds."""
    shape = tuple(p.shape)
    sets = manifolds.partition(shape, layer=layer, **_grouping(group))
    point = manifolds.nearest(p.detach().cpu().double().numpy(), sets, group["manifold"], name)
    return torch.from_numpy(point * manifolds.scale(shape, positions=group["positions"])).to(p.dtype)


def _grouping(group: Group) -> dict[str, Any]:
    return {name: group[name] for name in ("grouping", "groups", "partition_seed")}
