"""The float64 NumPy reference as a backend of the benchmark: what the others are judged by."""

from normbench.backends import Address, Backend


def _threads() -> int:
    """Threads of the BLAS that NumPy calls."""
    from threadpoolctl import threadpool_info  # it comes with scikit-learn

    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)


BACKEND = Backend(
    name="reference",
    title="NumPy reference",
    libraries=(),
    dtypes=("float64",),
    devices=("cpu",),
    slowness=5.0,
    trainer=Address("normbench.reference.trainer", "ReferenceTrainer", ("rows", "feed", "parametrisation")),
    threads=_threads,
    dash=(2, 2),
    shape="triangle-up",
    oracle=True,
)
