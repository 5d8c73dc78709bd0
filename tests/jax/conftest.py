"""The cases of tests/agreement, for the drop-in optimisers, and what all of their tests share."""

import pytest

from tests.agreement.cases import case, case_of, deviation, each  # noqa: F401


@pytest.fixture
def float64():
    """JAX with 64 bits, which it is without by default."""
    import jax

    with jax.enable_x64(True):
        yield
