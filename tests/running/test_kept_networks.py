"""The network that a run leaves is the function that was trained, in physical units of inputs of norm 1."""

import numpy as np
import pytest

from normbench.certificates import from_arrays, verify
from normbench.networks.activations import ACTIVATIONS
from normbench.networks.families import perceptron
from normbench.reference.network import forward
from normbench.running.run import problem_of, run
from tests.running.few_digits import asked, few_digits


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("optimiser", ["agd", "method1"])  # inputs of norm sqrt(d_0), and of norm 1
def test_the_kept_network_is_the_function_that_was_trained(optimiser, activation):
    request = asked("digits", optimiser, "reference", activation=activation, iterations=1)
    problem, result = problem_of(request, few_digits()), run(request, few_digits())
    trained = problem.output_scale * forward(problem.network, result.trajectory.weights, problem.x_test)
    kept = result.network
    z = problem.x_test / problem.input_norm / kept.input_scale
    found = kept.output_scale * forward(perceptron(request.layers, ACTIVATIONS[kept.activation]), kept.weights, z)
    np.testing.assert_allclose(found, trained, rtol=1e-12, atol=1e-13)
    verify(kept.weights, from_arrays(kept.witness), activation=kept.activation, output_scale=kept.gain_scale)
