"""The yardstick: loss and gradient of the same network by plain automatic differentiation, as a user would write it."""

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
    columns = [array.T.astype("float32") for array in (x, y)]
    start = [w.astype("float32") for w in weights]
    return {"torch": _torch, "jax": _jax}[backend](*columns, start)


def _torch(x, y, weights):
    torch = import_module("torch")
    x, y = torch.tensor(x), torch.tensor(y)
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]

    def gradient():
        layer = x
        for parameter in parameters[:-1]:
            layer = torch.relu(parameter @ layer)
        loss = (parameters[-1] @ layer - y).square().sum() / (2 * x.shape[1])
        return torch.autograd.grad(loss, parameters)

    return gradient


def _jax(x, y, weights):
    jax = import_module("jax")
    x, y = jax.numpy.asarray(x), jax.numpy.asarray(y)
    start = tuple(map(jax.numpy.asarray, weights))

    def loss(parameters, x, y):
        layer = x
        for parameter in parameters[:-1]:
            layer = jax.nn.relu(parameter @ layer)
        return jax.numpy.square(parameters[-1] @ layer - y).sum() / (2 * x.shape[1])

    compiled = jax.jit(jax.grad(loss))
    return lambda: jax.block_until_ready(compiled(start, x, y))
