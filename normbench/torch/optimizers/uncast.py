"""A state whose tensors come back from ``load_state_dict`` in the dtype in which they were stored."""

import itertools
from typing import Any

from torch import Tensor

from normbench.torch.optimizers.base import Gated


class Uncast(Gated):
    """An optimiser that keeps tensors wider than its parameters, which torch would cast to those on loading."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; its tensors go to the device of their parameter and keep their dtype."""
        seen: list[dict[str, Any]] = []
        last = self.register_load_state_dict_pre_hook(lambda optimizer, given: seen.append(given))
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()
        groups = zip(self.param_groups, seen[-1]["param_groups"], strict=True)
        pairs = itertools.chain.from_iterable(zip(now["params"], then["params"], strict=True) for now, then in groups)
        for p, index in pairs:
            if index in seen[-1]["state"]:
                self.state[p] = _beside(seen[-1]["state"][index], p)


def _beside(value: Any, p: Tensor) -> Any:
    """The same on the device of a parameter."""
    if isinstance(value, Tensor):
        return value.to(p.device)
    if isinstance(value, dict):
        return {name: _beside(part, p) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_beside(part, p) for part in value)
    return value
