"""What the quasi-Newton optimisers share: parameters in balls or on spheres, which they know by their lifts."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from normbench.torch.optimizers import balls, gate
from normbench.torch.optimizers.base import INERT_RATE, require_no_rate
from normbench.torch.optimizers.gate import Group
from normbench.torch.optimizers.lifted import Lifts, is_known
from normbench.torch.optimizers.uncast import Uncast
from normbench.torch.optimizers.walking import Walking
from normbench.torch.updates.quasi_newton import PairRows


class Bounded(Uncast, Walking):
    """An optimiser whose step is that of an update on lifts; every group has a radius of its own.

    Attributes
    ----------
    update_state : type
        State of the update.
    """

    own: ClassVar[tuple[str, ...]] = ("radius",)
    update_state: ClassVar[type]

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        require_no_rate(type(self).__name__, options)
        shared = gate.check_hyperparameters(self.key, self._shared(options))
        return shared | {"radius": balls.checked_radius(options.get("radius")), "lr": INERT_RATE}

    def _require(self, group: Group) -> None:
        super()._require(group)
        balls.require_matrices(type(self).__name__, group)

    def _on_spheres(self, group: Group) -> bool:
        """Whether the parameters of a group lie on spheres, and not in balls."""
        return False

    def _enter(self, group: Group) -> None:
        balls.enter(group, self.state, sphere=self._on_spheres(group))

    def _prepared(self) -> Lifts:
        for group in self.param_groups:
            if not all(is_known(p, self.state[p]) and not balls.is_new(group, self.state[p]) for p in group["params"]):
                balls.require_there(group, self.state, sphere=self._on_spheres(group))
        spheres = [self._on_spheres(group) for group in self.param_groups for _ in group["params"]]
        memory = self.__dict__.setdefault("_memory", PairRows())  # which copies and files do without
        return Lifts.of(self._layers, self.state, spheres, partial(self.update_state, memory=memory), self._more)

    def _more(self, own: list[dict[str, Any]]) -> dict[str, Any] | None:
        """What the state of the update has beside lifts, pairs and metric, of what is kept of every parameter.

        None where that is of another class.
        """
        raise NotImplementedError
