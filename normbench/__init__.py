"""normbench: a benchmark of optimisers for layerwise-normalised neural networks.

Importing this package loads neither torch nor JAX; the backends live in
:mod:`normbench.torch` and :mod:`normbench.jax`.
"""

from importlib.metadata import version

__version__ = version("normbench")
