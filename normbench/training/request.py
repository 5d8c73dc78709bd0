"""What identifies a run before it starts; everything here changes numbers, nothing else does."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from normbench import specs, tasks
from normbench.data.splits import RULES
from normbench.errors import InvalidArgumentError
from normbench.networks.families import check_layers
from normbench.specs import BACKENDS, Value

DTYPES = ("float32", "float64")
DEVICES = ("cpu", "cuda")
SPLITS = tuple(RULES)
SCHEDULES = ("constant", "plateau")


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
    batch_size : int or None
        Samples that an iteration sees; None for the whole training set.
    schedule : str
        "constant", or "plateau": the learning rate falls to a tenth where the training loss no longer falls.
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
    batch_size: int | None = None
    schedule: str = SCHEDULES[0]

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
    batch_size: int | None = None,
    schedule: str = SCHEDULES[0],
) -> RunRequest:
    """A checked request; ``iterations`` defaults to the number of the task, or else of the optimiser.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, a hyperparameter is out of range, or backend, device and dtype do not fit together.
    """
    entry = tasks.get(task)
    spec = specs.get(optimiser)
    for name, value, choices in (
        ("backend", backend, BACKENDS),
        ("device", device, DEVICES),
        ("dtype", dtype, DTYPES),
        ("split", split, SPLITS),
        ("schedule", schedule, SCHEDULES),
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
    iterations = iterations if iterations is not None else entry.iterations or spec.iterations
    if iterations < 1:
        raise InvalidArgumentError(f"iterations must be at least 1; got {iterations}.")
    if seed < 0:
        raise InvalidArgumentError(f"seed must be at least 0; got {seed}.")
    check_layers(layers)
    if batch_size is not None and batch_size < 1:
        raise InvalidArgumentError(f"batch_size must be at least 1; got {batch_size}. Leave it out for full batches.")
    resolved = spec.resolve(hyperparameters or {})
    if schedule != SCHEDULES[0] and "learning_rate" not in resolved:
        raise InvalidArgumentError(
            f"schedule {schedule!r} changes a learning rate, and {optimiser} has none. Leave schedule out."
        )
    return RunRequest(
        task=task,
        split=split,
        layers=tuple(layers),
        optimiser=optimiser,
        hyperparameters=tuple(resolved.items()),
        backend=backend,
        device=device,
        dtype=dtype,
        seed=seed,
        iterations=iterations,
        batch_size=batch_size,
        schedule=schedule,
    )
