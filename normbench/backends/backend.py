"""What a backend says of itself, in a module that loads no array library: its facts, and where its classes are."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from normbench.errors import install

if TYPE_CHECKING:
    import numpy as np

    from normbench.backends.trajectory import Path, Trainer
    from normbench.problems.problem import Problem

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Start:
    """What a trainer starts from.

    Attributes
    ----------
    problem : Problem
    optimiser : str
        Key, see :data:`normbench.specs.SPECS`.
    hyperparameters : dict
        Every hyperparameter of the optimiser, resolved.
    iterations : int
        The most that the run will do.
    dtype : str
        "float32" or "float64".
    device : str
        "cpu" or "cuda".
    rows : array of int, shape (iterations, samples of a batch), or None
        Which samples each iteration sees; None for all of them, or where there is a feed.
    feed : iterator of batches, or None
        Samples and targets of every iteration, in their order, as they are to be seen: shapes (samples of a batch,
        *network.input_shape) and as ``problem.y_train``. It is read once, by one trainer.
    parametrisation : str or None
        Through which the optimiser moves the weights; None for its own.
    devices : int
        Over how many the samples are spread; the first of them has the weights.
    """

    problem: "Problem"
    optimiser: str
    hyperparameters: dict[str, Any]
    iterations: int
    dtype: str
    device: str
    rows: "np.ndarray | None" = None
    feed: "Iterator[tuple[np.ndarray, np.ndarray]] | None" = None
    parametrisation: str | None = None
    devices: int = 1


@dataclass(frozen=True)
class Address(Generic[Made]):
    """Where a class is, which is imported when it is asked for.

    Attributes
    ----------
    module, name : str
    options : tuple of str
        Fields of :class:`Start` that it takes by name, behind problem, optimiser and hyperparameters.
    """

    module: str
    name: str
    options: tuple[str, ...] = ()

    def load(self) -> Callable[..., Made]:
        """The class."""
        found: Callable[..., Made] = getattr(import_module(self.module), self.name)
        return found

    def build(self, start: Start) -> Made:
        """An instance of it; raises what the class does."""
        options = {name: getattr(start, name) for name in self.options}
        return self.load()(start.problem, start.optimiser, dict(start.hyperparameters), **options)


def lent_names(package: str, module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that offers the names of one of its modules.

    The module is imported when one of them is asked for: ``backend`` of the same package is read without its libraries.

    Parameters
    ----------
    package : str
    module : str
        Within the package; its ``__all__`` is what is offered.
    """

    def find(name: str) -> Any:
        if name == "__all__" or not name.startswith("_"):
            offered = import_module(f"{package}.{module}")
            if name == "__all__" or name in offered.__all__:
                return getattr(offered, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def every() -> list[str]:
        return sorted({*vars(import_module(package)), *find("__all__")})

    return find, every


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One of the ways to compute a run; ``BACKEND`` in the module ``backend`` of its package.

    Attributes
    ----------
    name, title : str
        Key, and name in sentences.
    libraries : tuple of str
        Distributions that it needs; each is imported by its own name.
    dtypes, devices : tuple of str
        What it computes in and on; the first is taken where a list of runs asks for one that it does not have.
    slowness : float
        Seconds of an iteration over those of the fastest backend, about: it orders the queue, and a search for a
        hyperparameter runs on the fastest of the backends at hand.
    trainer : Address of a Trainer
        The code version of a run covers what its module imports.
    threads : callable
        Threads with which this process computes, as the loaded library says; part of every record.
    dash : tuple of int
        Of its lines: lengths of ink and gap.
    shape : str
        Of its marks, a symbol of Vega.
    plain : Address of a Path, or None
        A trainer made of its drop-in optimisers, as a user's own loop would be; None where there are none.
    players : Address of a class, or None
        See :class:`normbench.papers.fromage.gan.Players`; None where nobody has written them.
    plug_ins : Address of a function, or None
        (key, hyperparameters) -> None, which raises :class:`normbench.errors.PlugInError` where an optimiser of another
        package cannot be made; None where there can be none.
    usual_settings : Address of a context, or None
        () -> a context in which the library has the settings that it has where nobody changed them; None where it has
        none.
    compilation_cache : callable, or None
        Variables of the environment by which processes that start later keep what they compile; raises
        :class:`normbench.errors.OutputError` where the cache cannot be written. None where nothing is compiled.
    processor_devices : callable, or None
        Has this process compute on so many devices of its processor, which ends what it has computed on before: for
        processes that are ours. None where every process has as many as it likes.
    oracle : bool
        True for the one that the others are judged by. It is slow and runs only where it is asked for.
    """

    name: str
    title: str
    libraries: tuple[str, ...]
    dtypes: tuple[str, ...]
    devices: tuple[str, ...]
    slowness: float
    trainer: "Address[Trainer]"
    threads: Callable[[], int]
    dash: tuple[int, ...]
    shape: str
    plain: "Address[Path] | None" = None
    players: Address[Any] | None = None
    plug_ins: Address[None] | None = None
    usual_settings: Address[AbstractContextManager[None]] | None = None
    compilation_cache: Callable[[], dict[str, str]] | None = None
    processor_devices: Callable[[int], None] | None = None
    oracle: bool = False

    def missing(self) -> str:
        """Which of its libraries are not installed, with the remedy, or ""; imports none of them."""
        absent = [name for name in self.libraries if find_spec(name) is None]
        return f"{' and '.join(absent)} not installed; {install(self.name)}" if absent else ""

    @property
    def spreads(self) -> bool:
        """True if its trainer spreads samples over devices."""
        return "devices" in self.trainer.options

    @property
    def compiles(self) -> bool:
        """True if a program is compiled for every network, which may take longer than a short run of it."""
        return self.compilation_cache is not None

    def dtype_for(self, asked: str) -> str:
        """The precision that was asked for if it has it, else its own."""
        return asked if asked in self.dtypes else self.dtypes[0]

    def device_for(self, asked: str) -> str:
        """The device that was asked for if it computes there, else its own."""
        return asked if asked in self.devices else self.devices[0]
