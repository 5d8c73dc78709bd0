"""A stored network as a function of JAX: what it gives, and what jit, vmap and grad make of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normbench.errors import InvalidArgumentError
from normbench.jax.plain_network import function
from tests.exports.networks import REGRESSORS, bare, of_all_lengths, outputs, samples


@pytest.mark.parametrize("name", REGRESSORS)
def test_the_function_gives_what_the_network_gives_in_both_precisions(name):
    network = REGRESSORS[name]
    apply, params = function(network)
    x = of_all_lengths() if name == "unit norm" else samples("float32", network)
    found, wanted = jax.jit(apply)(params, jnp.asarray(x, jnp.float32)), outputs(network, x)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * abs(wanted).max())
    with jax.enable_x64(True):
        apply, params = function(network, "float64")
        np.testing.assert_allclose(jax.jit(apply)(params, x), wanted, rtol=0, atol=1e-13 * abs(wanted).max())


def test_leading_axes_are_kept_and_vmap_and_grad_apply():
    network = REGRESSORS["unit norm"]
    apply, params = function(network)

    @jax.jit
    def all_of_them(params, x):
        slopes = jax.vmap(jax.jacobian(lambda row: apply(params, row)))(x)
        gradient = jax.grad(lambda p: jnp.square(apply(p, x)).sum())(params)
        return apply(params, x.reshape(2, 3, 4)), jax.vmap(apply, in_axes=(None, 0))(params, x), slopes, gradient

    x = samples("float32")[:6]
    folded, mapped, slopes, gradient = all_of_them(params, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(folded, outputs(network, x).reshape(2, 3, 3), atol=1e-5)
    np.testing.assert_allclose(mapped, outputs(network, x), atol=1e-5)
    np.testing.assert_allclose(np.einsum("noi,ni->no", slopes, x), np.zeros((6, 3)), atol=1e-4)  # of the length of x
    assert np.abs(slopes).max() > 0.01
    assert jax.tree.map(jnp.shape, gradient) == jax.tree.map(jnp.shape, params)
    assert all(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("name", REGRESSORS)
def test_what_a_program_forbids_to_promote_changes_nothing(name):
    network = REGRESSORS[name]
    x = jnp.asarray(of_all_lengths() if name == "unit norm" else samples("float32", network), jnp.float32)
    apply, params = function(network)
    usual = apply(params, x)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        apply, params = function(network)
        np.testing.assert_array_equal(apply(params, x), usual)
        assert jax.jit(jax.grad(lambda p: apply(p, x).sum()))(params)[0]["weight"].any()


def test_a_dtype_that_is_none_or_turned_off_is_one_error():
    with pytest.raises(InvalidArgumentError, match="dtype must be float32 or float64; got 'bfloat16'"):
        function(bare(), "bfloat16")
    with pytest.raises(InvalidArgumentError, match=r'call jax\.config\.update\("jax_enable_x64", True\) first'):
        function(bare(), "float64")
