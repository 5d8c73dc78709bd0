"""Time of the parts of an iteration: gradient, direction and curvature, line search, and a step without a network.

The objectives are taken from the trainers' private attributes, whose names are the same in every commit, while the
constructors are not. One call differs: since JAX evaluates value and gradient in one sweep, its points carry the slope.
"""

from functools import lru_cache

import numpy as np

from .common import BACKENDS, module, require_device, warm_trainer

STEP_OPTIMISERS = ("method2", "method2_exp", "fromage", "lars", "agd", "adam")
DEPTH, WIDTH = 64, 64


class _TorchParts:
    """Parts of methods 1 and 2 in torch, on the CPU."""

    def __init__(self, size):
        self.spheres = module("normbench.torch.updates.spheres")
        self.method2 = module("normbench.torch.updates.method2")
        trainer = warm_trainer(size, "method1", "torch")
        self.objective, self.weights = trainer._objective, trainer._point.weights
        self.renew()

    def renew(self):
        """Evaluate again: the objective's buffers hold one point, and :meth:`gradient` overwrites it."""
        self.point = self.objective.point(self.weights)
        self.slope = self.objective.slope(self.point)
        self.mu = self.spheres.radii(self.weights)
        self.along = self.spheres.directions(self.slope.gradient, self.weights, self.mu)

    def gradient(self):
        return self.objective.slope(self.objective.point(self.weights)).gradient

    def curvature(self):
        along = self.spheres.directions(self.slope.gradient, self.weights, self.mu)
        return self.objective.curve_derivatives(self.point, self.slope, along.velocity, along.moving, 2)

    def line_search(self):
        gram = self.method2.grams(self.weights, self.along)
        return self.method2.line_search(gram, self.along.alpha, self.along.beta, 1.0, 0.0)


class _JaxParts:
    """The same in JAX: three compiled programs."""

    def __init__(self, size):
        jax = module("normbench.jax.benchmark.trainer").jax
        spheres, method2 = module("normbench.jax.updates.spheres"), module("normbench.jax.updates.method2")
        trainer = warm_trainer(size, "method1", "jax")
        self.wait = jax.block_until_ready
        objective, weights = trainer._objective, trainer._run.point.weights
        mu = jax.jit(spheres.radii)(weights)
        zero = jax.numpy.zeros(())

        def value_and_gradient(objective, weights):
            point = objective.point(weights)
            return point, objective.slope(point) if hasattr(objective, "slope") else point

        def curvature(objective, point, slope):
            along = spheres.directions(slope.gradient, point.weights, mu)
            start = (point, slope) if hasattr(objective, "slope") else (point,)
            return objective.curve_derivatives(*start, along.velocity, along.moving, 2)

        def line_search(weights, along):
            return method2.line_search(method2.grams(weights, along), along.alpha, along.beta, zero + 1, zero)

        point, slope = jax.jit(value_and_gradient)(objective, weights)
        along = jax.jit(spheres.directions)(slope.gradient, weights, mu)
        self.programs = {
            "gradient": (jax.jit(lambda *given: value_and_gradient(*given)[1].gradient), (objective, weights)),
            "curvature": (jax.jit(curvature), (objective, point, slope)),
            "line_search": (jax.jit(line_search), (weights, along)),
        }

    def renew(self):
        """Nothing to do: arrays of JAX do not change."""

    def _run(self, name):
        program, arguments = self.programs[name]
        return self.wait(program(*arguments))

    def gradient(self):
        return self._run("gradient")

    def curvature(self):
        return self._run("curvature")

    def line_search(self):
        return self._run("line_search")


@lru_cache
def _parts(backend, size):
    """Parts with everything compiled by one call each; they keep no state, so every sample may share them."""
    require_device(backend, "cpu")
    made = {"torch": _TorchParts, "jax": _JaxParts}[backend](size)
    for part in (made.curvature, made.line_search, made.gradient):
        part()
    return made


class Parts:
    """Gradient alone, direction and curvature, and the line search of method 2, on the paper's two networks."""

    params = (BACKENDS, ("E1", "E2"))
    param_names = ("backend", "size")
    number, warmup_time, rounds, repeat = 1, 0, 1, (20, 200, 1.0)

    def setup(self, backend, size):
        """Compile and warm up."""
        self.parts = _parts(backend, size)
        self.parts.renew()

    def time_gradient(self, backend, size):
        """Loss and gradient at fixed weights."""
        self.parts.gradient()

    def time_direction_and_curvature(self, backend, size):
        """Directions of descent and the first two derivatives along the geodesic, from a known gradient."""
        self.parts.curvature()

    def time_line_search(self, backend, size):
        """Gram matrices and the minimiser of method 2's majorant, started cold."""
        self.parts.line_search()


@lru_cache
def _layers():
    """Weights and gradients of a deep net, float32."""
    rng = np.random.default_rng(0)
    weights, gradients = rng.normal(size=(2, DEPTH, WIDTH, WIDTH)).astype("float32") / WIDTH
    return list(weights), list(gradients)


def _torch_step(optimiser):
    """The drop-in class on 64 parameters that have their gradients."""
    classes = module("normbench.torch")
    torch = module("normbench.torch.benchmark.trainer").torch
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in _layers()[0]]
    for parameter, gradient in zip(parameters, _layers()[1], strict=True):
        parameter.grad = torch.tensor(gradient)
    names = {"method2": "Method2", "method2_exp": "Method2Exp", "fromage": "Fromage", "lars": "LARS", "agd": "AGD"}
    if optimiser == "adam":
        return torch.optim.Adam(parameters).step
    return getattr(classes, names[optimiser])(parameters).step


@lru_cache
def _jax_program(optimiser):
    import jax
    import optax

    made = optax.adam(1e-3) if optimiser == "adam" else getattr(module("normbench.jax"), optimiser)()
    weights, gradients = (tuple(map(jax.numpy.asarray, arrays)) for arrays in _layers())

    @jax.jit
    def step(gradients, state, weights):
        updates, state = made.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state

    state = made.init(weights)
    return lambda: jax.block_until_ready(step(gradients, state, weights))


class OptimiserStep:
    """The step of the drop-in optimisers alone: 64 layers of 64 x 64 with given gradients, no network."""

    params = (STEP_OPTIMISERS, BACKENDS)
    param_names = ("optimiser", "backend")
    number, warmup_time, rounds, repeat = 1, 0, 1, (10, 100, 1.0)

    def setup(self, optimiser, backend):
        """The second step of a fresh optimiser: its state exists, its program is compiled."""
        require_device(backend, "cpu")
        module(f"normbench.{backend}.benchmark.trainer")
        self.step = _torch_step(optimiser) if backend == "torch" else _jax_program(optimiser)
        self.step()

    def time_step(self, optimiser, backend):
        """One step of all layers."""
        self.step()
