"""The yardstick: the same network by plain automatic differentiation, as a user would write it."""

from importlib import import_module


def autodiff_gradient(backend, x, y, weights):
    """A function without arguments that computes the gradient and waits for it; samples in columns, float32.

    Parameters
    ----------
    backend : str
        "torch" or "jax".
    x : array, shape (samples, d_0)
    y : array, shape (samples, d_L)
    weights : sequence of arrays, shape (d_k, d_{k-1})
    """
    return {"torch": _torch, "jax": _jax}[backend](*_float32_columns(x, y, weights))


def _float32_columns(x, y, weights):
    return x.T.astype("float32"), y.T.astype("float32"), [w.astype("float32") for w in weights]


def _torch(x, y, weights):
    torch = import_module("torch")
    x, y = torch.tensor(x), torch.tensor(y)
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]

    return lambda: torch.autograd.grad(_torch_loss(torch, parameters, x, y), parameters)


def _torch_loss(torch, parameters, x, y):
    layer = x
    for parameter in parameters[:-1]:
        layer = torch.relu(parameter @ layer)
    return (parameters[-1] @ layer - y).square().sum() / (2 * x.shape[1])


def _jax(x, y, weights):
    jax = import_module("jax")
    x, y = jax.numpy.asarray(x), jax.numpy.asarray(y)
    start = tuple(map(jax.numpy.asarray, weights))

    compiled = jax.jit(jax.grad(lambda parameters, x, y: _jax_loss(jax, parameters, x, y)))
    return lambda: jax.block_until_ready(compiled(start, x, y))


def autodiff_scan(x, y, weights, steps):
    """The same in JAX as ``steps`` gradients in one compiled scan, each at slightly other weights."""
    jax = import_module("jax")
    x, y, start = jax.tree.map(jax.numpy.asarray, _float32_columns(x, y, weights))

    def loss(parameters):
        return _jax_loss(jax, parameters, x, y)

    def descend(parameters, _):
        gradient = jax.grad(loss)(parameters)
        return [p - 1e-6 * g for p, g in zip(parameters, gradient, strict=True)], None

    compiled = jax.jit(lambda start: jax.lax.scan(descend, start, length=steps)[0])
    return lambda: jax.block_until_ready(compiled(start))


def nested_method1(backend, x, y, weights):
    """An iteration of method 1 by nested autodiff, several ways: loss, gradient, L''(0) and the loss of the new point.

    The step is a fixed one: what is timed is the derivatives.
    """
    return {"torch": _torch_nested, "jax": _jax_nested}[backend](*_float32_columns(x, y, weights))


def _torch_nested(x, y, weights):
    torch = import_module("torch")
    from normbench.torch import Method1

    x, y = torch.tensor(x), torch.tensor(y)
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in weights]
    optimiser = Method1(parameters)

    def loss(layers):
        return _torch_loss(torch, layers, x, y)

    def jvp_of_jvp():
        with torch.enable_grad():
            gradient = torch.autograd.grad(loss(parameters), parameters)
        fixed = [p.detach() for p in parameters]
        along = [g / g.norm() for g in gradient]

        def curve(t):
            return loss([w * t.cos() - v * t.sin() for w, v in zip(fixed, along, strict=True)])

        zero, one = torch.zeros(()), torch.ones(())
        second = torch.func.jvp(lambda t: torch.func.jvp(curve, (t,), (one,))[1], (zero,), (one,))[1]
        return second, curve(zero + 1e-3)

    return {
        "method1, double backward": lambda: optimiser.step(lambda: loss(parameters)),
        "method1, jvp of jvp": jvp_of_jvp,
    }


def _jax_nested(x, y, weights):
    jax = import_module("jax")
    x, y = jax.numpy.asarray(x), jax.numpy.asarray(y)
    start = tuple(map(jax.numpy.asarray, weights))

    def iteration(parameters, x, y):
        value, gradient = jax.value_and_grad(lambda p: _jax_loss(jax, p, x, y))(parameters)
        along = [g / jax.numpy.linalg.norm(g) for g in gradient]

        def curve(t):
            moved = [w * jax.numpy.cos(t) - v * jax.numpy.sin(t) for w, v in zip(parameters, along, strict=True)]
            return _jax_loss(jax, moved, x, y)

        slope = lambda t: jax.jvp(curve, (t,), (1.0,))[1]  # noqa: E731
        return value, jax.jvp(slope, (0.0,), (1.0,))[1], curve(1e-3)

    compiled = jax.jit(iteration)
    return {"method1, jvp of jvp": lambda: jax.block_until_ready(compiled(start, x, y))}


def _jax_loss(jax, parameters, x, y):
    layer = x
    for parameter in parameters[:-1]:
        layer = jax.nn.relu(parameter @ layer)
    return jax.numpy.square(parameters[-1] @ layer - y).sum() / (2 * x.shape[1])
