"""JAX as it is where nobody has set anything, for a training that shall not depend on what its caller has set."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import jax

from normbench.jax.promotion import promotions


@contextmanager
def usual_settings() -> Iterator[None]:
    """Dtypes and ranks are promoted, NaN is a number, arrays go to devices, and functions are compiled."""
    with ExitStack() as ours:
        ours.enter_context(promotions())
        ours.enter_context(jax.transfer_guard("allow"))
        ours.enter_context(jax.debug_nans(False))
        ours.enter_context(jax.debug_infs(False))
        ours.enter_context(jax.disable_jit(False))
        yield
