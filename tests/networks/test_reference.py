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
    """A network with weights and velocities, samples and targets; with ``dead``, ReLUs at zero for every sample."""

    def __init__(self, name: str, loss: Loss, *, dead: bool = False, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.network, self.loss = PLAIN[name], loss
        self.weights, velocity = draw_weights(self.network, rng), draw_weights(self.network, rng)
        if dead:
            for weight in self.weights[:-1]:
                weight[0] = 0.0
        velocity[1][...] = 0.0  # this layer rests
        self.velocity = velocity
        self.x = draw_inputs(self.network, rng)
        outputs = self.network.output_shape[0]
        self.y = rng.normal(size=(6, outputs)) if loss is Loss.SQUARE else one_hot(outputs, rng)
        if loss is Loss.CROSS_ENTROPY:
            self.y[:2] = rng.dirichlet(np.ones(outputs), size=2)  # not only corners
        self.objective = Objective(self.network, self.x, self.y, loss, DIVISOR)

    def curve(self, t, weights, velocity, cos, sin):
        """W cos t + V sin t, or W where V is zero."""
        moving = [v.any() for v in self.velocity]
        return [w * cos(t) + v * sin(t) if m else w for w, v, m in zip(weights, velocity, moving, strict=True)]

    def torch_loss(self, weights) -> torch.Tensor:
        model = torch_network.build(self.network, self.weights, dtype=torch.float64, device="cpu")
        named = dict(zip((name for name, _ in model.named_parameters()), weights, strict=True))
        outputs = torch.func.functional_call(model, named, (torch.tensor(self.x),))
        return torch_network.loss_value(self.loss, outputs, torch.tensor(self.y), DIVISOR)

    def jax_loss(self, weights) -> tuple[jax.Array, jax.Array]:
        """With the outputs."""
        outputs = jax_network.apply(self.network, weights, jnp.asarray(self.x))
        return jax_network.loss_value(self.loss, outputs, jnp.asarray(self.y), DIVISOR), outputs


# with ReLUs at zero under one loss: what is behind the outputs does not see them
every_setting = pytest.mark.parametrize(
    ("name", "loss", "dead"), [(name, loss, loss is Loss.SQUARE) for name in PLAIN for loss in Loss]
)


@every_setting
def test_loss_and_gradient_match_torch(name: str, loss: Loss, dead: bool) -> None:
    setting = Setting(name, loss, dead=dead)
    leaves = [torch.tensor(w, requires_grad=True) for w in setting.weights]
    value = setting.torch_loss(leaves)
    assert setting.objective.loss(setting.weights) == pytest.approx(value.item(), rel=1e-12)
    gradient = torch.autograd.grad(value, leaves)
    for ours, theirs in zip(setting.objective.gradient(setting.weights), gradient, strict=True):
        np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("name", PLAIN)
def test_outputs_loss_and_gradient_match_jax(name: str, loss: Loss) -> None:
    setting = Setting(name, loss, dead=True)
    with jax.enable_x64(True):
        weights = tuple(map(jnp.asarray, setting.weights))
        (value, outputs), gradient = jax.jit(jax.value_and_grad(setting.jax_loss, has_aux=True))(weights)
    np.testing.assert_allclose(forward(setting.network, setting.weights, setting.x), outputs, **CLOSE)
    assert setting.objective.loss(setting.weights) == pytest.approx(float(value), rel=1e-12)
    for ours, theirs in zip(setting.objective.gradient(setting.weights), gradient, strict=True):
        np.testing.assert_allclose(ours, theirs, **CLOSE)


@every_setting
def test_curve_derivatives_match_nested_forward_mode(name: str, loss: Loss, dead: bool) -> None:
    setting = Setting(name, loss, dead=dead)
    weights, velocity = ([torch.tensor(a) for a in arrays] for arrays in (setting.weights, setting.velocity))

    def function(t: torch.Tensor) -> torch.Tensor:
        return setting.torch_loss(setting.curve(t, weights, velocity, torch.cos, torch.sin))

    expected = [value.item() for value in derivatives(function, ORDER)[1:]]
    for order in range(1, ORDER + 1):
        found = setting.objective.curve_derivatives(setting.weights, setting.velocity, order)
        np.testing.assert_allclose(found, expected[:order], **CLOSE)


@pytest.mark.parametrize("loss", Loss)
def test_curve_derivatives_match_jax(loss: Loss) -> None:
    setting = Setting("strided", loss)
    with jax.enable_x64(True):
        weights, velocity = (tuple(map(jnp.asarray, arrays)) for arrays in (setting.weights, setting.velocity))

        def along(t: jax.Array) -> jax.Array:
            return setting.jax_loss(setting.curve(t, weights, velocity, jnp.cos, jnp.sin))[0]

        def slope(t: jax.Array) -> jax.Array:
            return jax.jvp(along, (t,), (jnp.ones_like(t),))[1]

        expected = jax.jit(lambda t: jax.jvp(slope, (t,), (jnp.ones_like(t),)))(jnp.asarray(0.0))
    found = setting.objective.curve_derivatives(setting.weights, setting.velocity, 2)
    np.testing.assert_allclose(found, np.array(expected), **CLOSE)


def test_evaluations_are_counted() -> None:
    setting = Setting("convolutional", Loss.SQUARE)
    setting.objective.loss(setting.weights)
    setting.objective.loss(setting.weights)
    setting.objective.gradient(setting.weights)
    setting.objective.curve_derivatives(setting.weights, setting.velocity, 2)
    assert setting.objective.evaluations == (2, 1)


def test_cross_entropy_of_large_scores_does_not_overflow() -> None:
    setting = Setting("perceptron", Loss.CROSS_ENTROPY)
    huge = (*setting.weights[:-1], 1e6 * setting.weights[-1])
    assert np.isfinite(setting.objective.loss(huge))
    assert all(np.isfinite(g).all() for g in setting.objective.gradient(huge))
    assert np.isfinite(setting.objective.curve_derivatives(huge, setting.velocity, ORDER)).all()


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
