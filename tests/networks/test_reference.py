"""The reference for networks: against autodiff of both backends at every order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.errors import InvalidArgumentError
from normbench.jax.benchmark import network as jax_network
from normbench.networks import Loss, Network
from normbench.reference.network import Objective, forward
from normbench.torch.benchmark import network as torch_network
from tests.networks.examples import OTHERS, PLAIN, draw_inputs, draw_weights, one_hot
from tests.networks.nested import derivatives

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

ORDER = 4
DIVISOR = 1.7
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


class Setting:
    """A network with weights, velocities and samples, and targets of both losses; some ReLUs are at zero throughout."""

    def __init__(self, name: str) -> None:
        rng = np.random.default_rng(0)
        self.network = PLAIN[name]
        self.weights, velocity = draw_weights(self.network, rng), draw_weights(self.network, rng)
        for weight in self.weights[:-1]:
            weight[0] = 0.0
        velocity[1][...] = 0.0  # this layer rests
        self.velocity = velocity
        self.x = draw_inputs(self.network, rng)
        outputs = self.network.output_shape[0]
        self.y = {Loss.SQUARE: rng.normal(size=(6, outputs)), Loss.CROSS_ENTROPY: one_hot(outputs, rng)}
        self.y[Loss.CROSS_ENTROPY][:2] = rng.dirichlet(np.ones(outputs), size=2)  # not only corners
        self.objectives = {loss: Objective(self.network, self.x, y, loss, DIVISOR) for loss, y in self.y.items()}

    def curve(self, t, weights, velocity, cos, sin):
        """W cos t + V sin t, or W where V is zero."""
        moving = [v.any() for v in self.velocity]
        return [w * cos(t) + v * sin(t) if m else w for w, v, m in zip(weights, velocity, moving, strict=True)]

    def torch_losses(self, weights) -> torch.Tensor:
        model = torch_network.build(self.network, self.weights, dtype=torch.float64, device="cpu")
        named = dict(zip((name for name, _ in model.named_parameters()), weights, strict=True))
        outputs = torch.func.functional_call(model, named, (torch.tensor(self.x),))
        return torch.stack([torch_network.loss_value(kind, outputs, torch.tensor(y), DIVISOR) for kind, y in self])

    def jax_losses(self, weights) -> tuple[jax.Array, jax.Array]:
        """With the outputs."""
        outputs = jax_network.apply(self.network, weights, jnp.asarray(self.x))
        return jnp.stack([jax_network.loss_value(kind, outputs, jnp.asarray(y), DIVISOR) for kind, y in self]), outputs

    def __iter__(self):
        return iter(self.y.items())


@pytest.mark.parametrize("name", PLAIN)
def test_losses_and_gradients_match_torch(name: str) -> None:
    setting = Setting(name)
    leaves = [torch.tensor(w, requires_grad=True) for w in setting.weights]
    for (kind, objective), value in zip(setting.objectives.items(), setting.torch_losses(leaves), strict=True):
        assert objective.loss(setting.weights) == pytest.approx(value.item(), rel=1e-12), kind
        gradient = torch.autograd.grad(value, leaves, retain_graph=True)
        for ours, theirs in zip(objective.gradient(setting.weights), gradient, strict=True):
            np.testing.assert_allclose(ours, theirs, **CLOSE, err_msg=kind)


@pytest.mark.parametrize("name", PLAIN)
def test_outputs_losses_and_gradients_match_jax(name: str) -> None:
    setting = Setting(name)

    @jax.jit
    def evaluate(weights):
        values, pull, outputs = jax.vjp(setting.jax_losses, weights, has_aux=True)
        return values, outputs, jax.vmap(pull)(jnp.eye(len(values), dtype=values.dtype))

    with jax.enable_x64(True):
        values, outputs, (gradients,) = evaluate(tuple(map(np.asarray, setting.weights)))
    np.testing.assert_allclose(forward(setting.network, setting.weights, setting.x), outputs, **CLOSE)
    for k, (kind, objective) in enumerate(setting.objectives.items()):
        assert objective.loss(setting.weights) == pytest.approx(float(values[k]), rel=1e-12), kind
        for ours, theirs in zip(objective.gradient(setting.weights), gradients, strict=True):
            np.testing.assert_allclose(ours, np.asarray(theirs)[k], **CLOSE, err_msg=kind)


@pytest.mark.parametrize("name", PLAIN)
def test_curve_derivatives_match_nested_forward_mode(name: str) -> None:
    setting = Setting(name)
    weights, velocity = ([torch.tensor(a) for a in arrays] for arrays in (setting.weights, setting.velocity))

    def function(t: torch.Tensor) -> torch.Tensor:
        return setting.torch_losses(setting.curve(t, weights, velocity, torch.cos, torch.sin))

    expected = np.array([values.numpy() for values in derivatives(function, ORDER)[1:]])
    for k, (kind, objective) in enumerate(setting.objectives.items()):
        for order in range(1, ORDER + 1):
            found = objective.curve_derivatives(setting.weights, setting.velocity, order)
            np.testing.assert_allclose(found, expected[:order, k], **CLOSE, err_msg=kind)


def test_curve_derivatives_match_jax() -> None:
    setting = Setting("strided")

    def along(t: jax.Array) -> jax.Array:
        return setting.jax_losses(setting.curve(t, setting.weights, setting.velocity, jnp.cos, jnp.sin))[0]

    def slope(t: jax.Array) -> jax.Array:
        return jax.jvp(along, (t,), (jnp.ones_like(t),))[1]

    with jax.enable_x64(True):
        expected = np.array(jax.jit(lambda t: jax.jvp(slope, (t,), (jnp.ones_like(t),)))(np.float64(0.0)))
    for k, (kind, objective) in enumerate(setting.objectives.items()):
        found = objective.curve_derivatives(setting.weights, setting.velocity, 2)
        np.testing.assert_allclose(found, expected[:, k], **CLOSE, err_msg=kind)


def test_evaluations_are_counted() -> None:
    setting = Setting("convolutional")
    objective = setting.objectives[Loss.SQUARE]
    objective.loss(setting.weights)
    objective.loss(setting.weights)
    objective.gradient(setting.weights)
    objective.curve_derivatives(setting.weights, setting.velocity, 2)
    assert objective.evaluations == (2, 1)


def test_cross_entropy_of_large_scores_does_not_overflow() -> None:
    setting = Setting("perceptron")
    objective = setting.objectives[Loss.CROSS_ENTROPY]
    huge = (*setting.weights[:-1], 1e6 * setting.weights[-1])
    assert np.isfinite(objective.loss(huge))
    assert all(np.isfinite(g).all() for g in objective.gradient(huge))
    assert np.isfinite(objective.curve_derivatives(huge, setting.velocity, ORDER)).all()


@pytest.mark.parametrize(
    ("name", "layer"), [("vgg16", "BatchNorm"), ("transformer", "Embedding"), ("projections", "Residual")]
)
def test_a_layer_without_a_reference_is_named(name: str, layer: str) -> None:
    network: Network = OTHERS[name]
    rng = np.random.default_rng(0)
    objective = Objective(network, draw_inputs(network, rng), np.zeros((6, *network.output_shape)), Loss.SQUARE, 1.0)
    weights = draw_weights(network, rng)
    for call in (objective.loss, objective.gradient, lambda w: objective.curve_derivatives(w, w, 2)):
        with pytest.raises(InvalidArgumentError, match=layer):
            call(weights)
