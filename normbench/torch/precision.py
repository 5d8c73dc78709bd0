"""What a user allows for the products of a network is not allowed for those of a step: autocast, TF32, bfloat16."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch
from torch import Tensor

Surroundings = Callable[[], AbstractContextManager]


@contextmanager
def full_precision(tensors: Iterable[Tensor]) -> Iterator[Surroundings]:
    """Products of float32 matrices on the devices of these tensors are rounded to float32 and to nothing coarser.

    A matrix on the edge of its ball that is put together from factors of 8 or 11 bits lies outside it by a
    thousandth. What ``torch.set_float32_matmul_precision`` says holds for all threads, and so does its change in here.

    Parameters
    ----------
    tensors : iterable of Tensor

    Yields
    ------
    callable
        Makes a context in which all is as the caller has it: for the closures of a step.
    """
    tensors = list(tensors)
    casts = {device: torch.get_autocast_dtype(device) for device in _casting(tensors)}
    found = _Allowed()
    if not casts and found.is_exact:
        yield nullcontext
        return

    @contextmanager
    def as_the_caller_has_it() -> Iterator[None]:
        with ExitStack() as theirs:
            for device, dtype in casts.items():
                theirs.enter_context(torch.autocast(device, dtype))
            if not found.is_exact:
                found.allow()
                theirs.callback(_forbid)
            yield

    with ExitStack() as ours:
        ours.enter_context(without_autocast(tensors))
        if not found.is_exact:
            ours.callback(found.allow)
            _forbid()
        yield as_the_caller_has_it


@contextmanager
def without_autocast(tensors: Iterable[Tensor]) -> Iterator[None]:
    """No operator on the devices of these tensors casts: as torch wants it for backward passes."""
    with ExitStack() as switched_off:
        for device in _casting(tensors):
            switched_off.enter_context(torch.autocast(device, enabled=False))
        yield


def _casting(tensors: Iterable[Tensor]) -> set[str]:
    return {device for device in {p.device.type for p in tensors} if torch.is_autocast_enabled(device)}


class _Allowed:
    """How products of float32 matrices may be rounded: torch's older setting, and the newer two that it drives."""

    def __init__(self) -> None:
        backends = torch.backends
        self._cuda, self._mkldnn = backends.cuda.matmul.fp32_precision, backends.mkldnn.matmul.fp32_precision
        usual = (backends.fp32_precision, backends.mkldnn.fp32_precision)
        self.is_exact = all(way in ("none", "ieee") for way in (self._cuda, self._mkldnn, *usual))
        try:
            self._older = torch.get_float32_matmul_precision()
        except RuntimeError:  # only the newer settings were used, which are put back by themselves
            self._older = "highest"

    def allow(self) -> None:
        torch.set_float32_matmul_precision(self._older)
        torch.backends.cuda.matmul.fp32_precision = self._cuda
        torch.backends.mkldnn.matmul.fp32_precision = self._mkldnn


def _forbid() -> None:
    torch.set_float32_matmul_precision("highest")
