"""Averages over the processes of data-parallel training, for a step that all of them take alike."""

from typing import Any

import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError


class Ranks:
    """The processes of a group of torch.distributed, or this one alone.

    Raises
    ------
    InvalidArgumentError
        If ``group`` is neither a torch.distributed.ProcessGroup nor None.
    """

    def __init__(self, group: Any) -> None:
        known = torch.distributed.is_available() and isinstance(group, torch.distributed.ProcessGroup)
        if group is not None and not known:
            raise InvalidArgumentError(
                f"process_group must be a torch.distributed.ProcessGroup of which this process is a member, or None; "
                f"got {group!r}. E.g. torch.distributed.group.WORLD after init_process_group()."
            )
        self._group = group

    def average(self, tensors: list[Tensor]) -> list[Tensor]:
        """Mean of every tensor over the processes, in one message."""
        if self._group is None:
            return tensors
        message = torch.cat([t.flatten() for t in tensors])
        torch.distributed.all_reduce(message, group=self._group)
        message /= torch.distributed.get_world_size(self._group)
        parts = message.split([t.numel() for t in tensors])
        return [part.view_as(t).to(t) for part, t in zip(parts, tensors, strict=True)]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Ranks":
        return self
