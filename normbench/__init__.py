"""normbench: a benchmark of optimisers for layerwise-normalised neural networks.

Importing this package loads neither torch, JAX nor scikit-learn; the backends live in
:mod:`normbench.torch` and :mod:`normbench.jax`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for those who read and do not run
    from normbench.api import leaderboard as leaderboard
    from normbench.api import plot_frontier as plot_frontier
    from normbench.api import run as run
    from normbench.certificates import certify as certify
    from normbench.estimators import LipschitzClassifier as LipschitzClassifier
    from normbench.estimators import LipschitzRegressor as LipschitzRegressor
    from normbench.records.frame import load_records as load_records

__all__ = [
    "LipschitzClassifier",
    "LipschitzRegressor",
    "__version__",
    "certify",
    "leaderboard",
    "load_records",
    "plot_frontier",
    "run",
]


def __getattr__(name: str) -> Any:
    """The names above, with what each needs loaded when it is first asked for."""
    if name in ("LipschitzClassifier", "LipschitzRegressor"):
        from normbench import estimators

        return getattr(estimators, name)
    if name == "certify":
        from normbench.certificates import certify

        return certify
    if name in ("leaderboard", "plot_frontier", "run"):
        from normbench import api

        return getattr(api, name)
    if name == "load_records":
        from normbench.records.frame import load_records

        return load_records
    if name == "__version__":
        from importlib.metadata import version

        return version("normbench")
    raise AttributeError(f"module 'normbench' has no attribute {name!r}")
