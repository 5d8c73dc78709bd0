"""What a program has set in torch or JAX for itself changes no number of a fit, and is there afterwards."""

from contextlib import ExitStack, contextmanager

import jax
import numpy as np
import pytest
import torch

from normbench import LipschitzRegressor
from tests.estimators.tables import flights

X, Y = flights(samples=40)


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def coarse_products():
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


@contextmanager
def wary_jax():
    """What those who write libraries for JAX switch on."""
    with ExitStack() as settings:
        settings.enter_context(jax.numpy_dtype_promotion("strict"))
        settings.enter_context(jax.numpy_rank_promotion("raise"))
        settings.enter_context(jax.transfer_guard("disallow"))
        settings.enter_context(jax.debug_nans(True))
        yield


SET = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "coarse products": coarse_products,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "meta": lambda: torch.device("meta"),
}
# one whose products are its own, one that searches, and the libraries' own
OPTIMISERS = ("polar_average", "geodesic_lbfgs", "online_lbfgs", "scion", "adam", "prodigy", "riemannian_tr")


def predictions(backend, optimiser):
    model = LipschitzRegressor(20.0, hidden=(4,), optimiser=optimiser, backend=backend, max_iter=6, tol=0.0)
    return model.fit(X, Y).predict(X)


def settings():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_float32_matmul_precision(),
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("setting", SET)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_what_is_set_in_torch_changes_no_number_of_a_fit(optimiser, setting):
    usual = predictions("torch", optimiser)
    with SET[setting]():
        before = settings()
        found = predictions("torch", optimiser)
        assert settings() == before
    np.testing.assert_array_equal(found, usual)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("optimiser", ["polar_average", "adam"])
def test_what_is_set_in_jax_changes_no_number_of_a_fit(optimiser):
    usual = predictions("jax", optimiser)
    with wary_jax():
        found = predictions("jax", optimiser)
        assert jax.config.jax_numpy_dtype_promotion == "strict"
    np.testing.assert_array_equal(found, usual)
