"""torch as it is where nobody has set anything, for a training that shall not depend on what its caller has set."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from normbench.torch.precision import full_precision


@contextmanager
def usual_settings() -> Iterator[None]:
    """Gradients, no inference mode, no autocast, float32 for new tensors on the CPU, and products as precise as that.

    The default dtype and the precision of products hold for all threads, and so do their changes in here.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as ours:
        ours.enter_context(torch.inference_mode(False))
        ours.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":  # else a mode would look at every call
            ours.enter_context(torch.device("cpu"))
        ours.enter_context(full_precision([torch.empty(0, device="cpu")]))
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
            ours.callback(torch.set_default_dtype, dtype)
        yield
