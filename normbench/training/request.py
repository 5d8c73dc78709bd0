"""What identifies a run before it starts; everything here changes numbers, nothing else does."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from normbench import specs, tasks
from normbench.errors import InvalidArgumentError
from normbench.normalisation import check_layers
from normbench.specs import BACKENDS, Value

DTYPES = ("float32", "float64")
DEVICES = ("cpu", "cuda")
SPLITS = ("random", "blocked")


@dataclass(frozen=True)
class RunRequest:
    """One run, fully specified; build it with :func:`request`, which fills defaults and checks.

    Attributes
    ----------
    task, split, optimiser, backend, device, dtype : str
    layers : tuple of int
        Widths d_0, ..., d_L.
    hyperparameters : tuple of (name, value)
        Every hyperparameter of the optimiser, in the order of its declaration.
    seed, iterations : int
    """

    task: str
    split: str
    layers: tuple[int, ...]
    optimiser: str
    hyperparameters: tuple[tuple[str, Value], ...]
    backend: str
    device: str
    dtype: str
    seed: int
    iterations: int

    def as_dict(self) -> dict[str, Any]:
        """Plain types for hashing and storing: layers as a list, hyperparameters as a mapping."""
        return asdict(self) | {"layers": list(self.layers), "hyperparameters": dict(self.hyperparameters)}


def request(
    *,
    task: str,
    layers: tuple[int, ...],
    optimiser: str,
    backend: str,
    seed: int,
    hyperparameters: Mapping[str, Value] | None = None,
    iterations: int | None = None,
    split: str = "random",
    device: str = "cpu",
    dtype: str = "float32",
) -> RunRequest:
    """A checked request; ``iterations`` defaults to the optimiser's own number.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, a hyperparameter is out of range, or backend, device and dtype do not fit together.
    """
    tasks.get(task)
    spec = specs.get(optimiser)
    for name, value, choices in (
        ("backend", backend, BACKENDS),
        ("device", device, DEVICES),
        ("dtype", dtype, DTYPES),
        ("split", split, SPLITS),
    ):
        if value not in choices:
            raise InvalidArgumentError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
    if backend not in spec.backends:
        raise InvalidArgumentError(
            f"{optimiser} is not implemented on backend {backend!r}; choose {' or '.join(spec.backends)}."
        )
    if backend == "reference" and (device, dtype) != ("cpu", "float64"):
        raise InvalidArgumentError(
            f"the reference runs in float64 on the CPU only; got dtype={dtype!r}, device={device!r}."
        )
    iterations = spec.iterations if iterations is None else iterations
    if iterations < 1:
        raise InvalidArgumentError(f"iterations must be at least 1; got {iterations}.")
    if seed < 0:
        raise InvalidArgumentError(f"seed must be at least 0; got {seed}.")
    check_layers(layers)
    return RunRequest(
        task=task,
        split=split,
        layers=tuple(layers),
        optimiser=optimiser,
        hyperparameters=tuple(spec.resolve(hyperparameters or {}).items()),
        backend=backend,
        device=device,
        dtype=dtype,
        seed=seed,
        iterations=iterations,
    )
