"""The bound on what rounding does to outputs holds for float32 in any order of the sums, and is not much too large."""

from itertools import pairwise

import numpy as np
import pytest

from normbench.certificates.arithmetic import rounding_error
from normbench.certificates.stored import StoredNetwork
from normbench.networks.activations import ACTIVATIONS
from tests.exports.networks import outputs

SHAPES = [(3,), (7, 2), (12, 25, 30, 15, 3), (1, 4, 1), (40, 1, 40)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_float32_output_is_further_off(activation, shape):
    rng = np.random.default_rng(len(shape))
    widths = (5, *shape)
    weights = [rng.normal(size=(n, k)).astype("f") for k, n in pairwise(widths)]
    biases = [rng.normal(size=n).astype("f") for n in shape]
    z = (rng.normal(size=(200, 5)) * 10.0 ** rng.integers(-3, 4, size=(200, 1))).astype("f")
    wide = [[np.float64(entry) for entry in arrays] for arrays in (weights, biases)]
    bound = rounding_error(*wide, activation=ACTIVATIONS[activation], output_scale=0.7, dtype=np.dtype("float32"))
    at_most = bound.part * np.linalg.norm(z, axis=1) + bound.rest
    exact = _outputs(wide, np.float64(z), activation, 0.7)
    worst = 0.0
    for order in (slice(None), slice(None, None, -1)):
        turned = [w[:, order] if k == 0 else w for k, w in enumerate(weights)]
        found = _outputs((turned, biases), z[:, order], activation, np.float32(0.7))
        off = np.linalg.norm(found - exact, axis=1)
        assert (off <= at_most).all()
        worst = max(worst, float((off / at_most).max()))
    assert worst > 1e-6  # depth multiplies norms of matrices, where signs cancel


def _outputs(numbers, z, activation, scale):
    weights, biases = numbers
    network = StoredNetwork(
        weights=tuple(weights),
        lipschitz=None,
        witness={},
        biases=tuple(biases),
        activation=activation,
        output_scale=scale,
        input_scale=z.dtype.type(1.0),
    )
    return outputs(network, z)
