"""What identifies a run before it starts; everything here changes numbers, nothing else does.

The fields are declared once, in :class:`Asked`, each with what the rest of the program has to know of it. Checks,
option of ``normbench run``, identity and file name of a record, the boards and rows that hold it, what ``compare``
pairs, labels, columns of JSON, CSV and Parquet and the command that makes a row again are all derived from that
declaration, through :func:`axes` and :func:`setting`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from normbench import backends, specs
from normbench.data import augmentation
from normbench.data.splits import JUDGED_ON, RULES
from normbench.errors import InvalidArgumentError, argument
from normbench.networks.activations import ACTIVATIONS
from normbench.networks.families import check_layers
from normbench.problems import tasks
from normbench.problems.initial_weights import INITIALISATIONS, USUAL, check, usual
from normbench.running.axis import Axis, Level, Place, declared
from normbench.running.devices import check_devices
from normbench.running.schedule import SCHEDULES
from normbench.specs import Value, parametrisations
from normbench.specs.parametrisations import PARAMETRISATIONS

DTYPES = ("float32", "float64")
DEVICES = ("cpu", "cuda")
SPLITS = tuple(RULES)
_OVER = "Over how many the samples of a run are spread: GPUs, or threads of the processor."


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One run as it is asked for; :meth:`resolved` checks it and fills in what is not said.

    Attributes
    ----------
    task, split, optimiser, backend, device, dtype : str
    layers : tuple of int
        Widths d_0, ..., d_L.
    hyperparameters : dict of name to value
        Those that are not to be at their defaults.
    seed : int
    iterations : int or None
        None for the number of the task, or else of the optimiser.
    batch_size : int or None
        Samples that an iteration sees; None for the whole training set.
    schedule : str
        Of the learning rate: "constant"; "plateau": it falls to a tenth where the training loss no longer falls;
        "linear": it falls linearly to 0 over the run, in stairs, see :class:`normbench.running.schedule.Linear`.
    activation : str
        One of :data:`normbench.networks.activations.ACTIVATIONS`.
    initialisation : str
        One of :data:`normbench.problems.initial_weights.INITIALISATIONS`. The one that the optimiser's normalisation
        asks for is "usual" under its own name as well, so that a run has one identity.
    lipschitz : float or None
        Bound that no iterate exceeds, in units of the outputs, or of the logits, per unit of a normalised input; None
        for the scaling of the optimiser's paper, whose bound is what it comes to.
    output_scale : float or None
        What the unit of the outputs is multiplied by, after the scaling of the optimiser's paper: the same weights make
        a function that is so many times as steep. None leaves it, as a bound needs it, which sets the unit itself.
    parametrisation : str or None
        Through which the optimiser moves the weights, see :mod:`normbench.specs.parametrisations`. None where it moves
        them as its paper has it, which :meth:`resolved` says for its own name as well; at a bound it names every one.
    judged_on : str
        "test", or "validation": the run trains on 80 % of its training samples and is judged on the others, see
        :func:`normbench.data.splits.split_indices`; what its record calls test is that part.
    augmentation : str
        One of :data:`normbench.data.augmentation.AUGMENTATIONS`: what happens to the images of a mini-batch before an
        iteration sees them. Errors are those on images as they are.
    devices : int
        Over how many the samples of an iteration are spread, see :mod:`normbench.running.devices`.
    """

    task: str = field(metadata=Axis(Level.BOARD, original=True).metadata)
    optimiser: str = field(metadata=Axis(Level.ROW, original=True).metadata)
    # a dict cannot be hashed; two requests that differ in it alone share their hash and are not equal
    hyperparameters: dict[str, Value] = field(
        default_factory=dict, hash=False, metadata=Axis(Level.ROW, option="--set", original=True).metadata
    )
    backend: str = field(metadata=Axis(Level.ROW, Place.WHERE, original=True).metadata)
    seed: int = field(metadata=Axis(Level.RUN, at_least=0, option="--seeds", original=True).metadata)
    iterations: int | None = field(
        default=None,
        metadata=Axis(
            Level.ROW,
            words="{} it.",
            at_least=1,
            help="Iterations per run.  [default: each optimiser's own]",
            original=True,
        ).metadata,
    )
    layers: tuple[int, ...] = field(metadata=Axis(Level.BOARD, original=True).metadata)
    split: str = field(
        default="random",
        metadata=Axis(
            Level.BOARD,
            choices=SPLITS,
            help="random: 80/20 by sample, as in the paper. blocked: whole blocks of 5 s are held out, because "
            "neighbouring samples of a flight are alike. grouped: whole flights, or groups of --group, are held out. "
            "official: the data's own test set.  [default: the task's, mostly random]",
            of_task=True,
            original=True,
        ).metadata,
    )
    device: str = field(
        default=DEVICES[0],
        metadata=Axis(
            Level.ROW, Place.WHERE, choices=DEVICES, help="The reference uses the CPU.", original=True
        ).metadata,
    )
    dtype: str = field(
        default=DTYPES[0],
        metadata=Axis(
            Level.ROW, Place.WHERE, choices=DTYPES, help="The reference uses float64.", original=True
        ).metadata,
    )
    batch_size: int | None = field(
        default=None,
        metadata=Axis(
            Level.ROW,
            Place.HOW,
            words="batch {}",
            at_least=1,
            help="Samples that an iteration sees.  [default: the task's, mostly the whole training set]",
            of_task=True,
        ).metadata,
    )
    schedule: str = field(
        default=SCHEDULES[0],
        metadata=Axis(
            Level.ROW,
            Place.HOW,
            choices=SCHEDULES,
            help="plateau: the learning rate falls to a tenth where the training error no longer falls. linear: it "
            "falls to 0 over the run, in 20 stairs.",
        ).metadata,
    )
    activation: str = field(
        default="relu",
        metadata=Axis(
            Level.ROW,
            Place.HOW,
            choices=tuple(ACTIVATIONS),
            help="Of perceptrons and convolutional networks. maxmin: pairs of units, or channels, sorted.",
        ).metadata,
    )
    initialisation: str = field(
        default=USUAL,
        metadata=Axis(
            Level.ROW,
            Place.HOW,
            words="{} weights",
            choices=(USUAL, *INITIALISATIONS),
            help="What is drawn before every layer is scaled. usual: xavier, which is uniform; for AGD orthogonal.",
        ).metadata,
    )
    lipschitz: float | None = field(
        default=None, metadata=Axis(Level.BOARD, Place.BOARD, words="L = {:g}", positive=True).metadata
    )
    output_scale: float | None = field(
        default=None, metadata=Axis(Level.ROW, Place.HOW, words="outputs x {:g}", positive=True).metadata
    )
    parametrisation: str | None = field(
        default=None,
        metadata=Axis(
            Level.ROW,
            Place.HOW,
            choices=tuple(PARAMETRISATIONS),
            help="What the optimiser moves in place of the weights.  [default: each optimiser's own; with --lipschitz "
            "one that keeps the bound]",
        ).metadata,
    )
    judged_on: str = field(
        default=JUDGED_ON[0],
        metadata=Axis(
            Level.ROW,
            Place.HOW,
            words="judged on {}",
            choices=JUDGED_ON,
            help="validation: train on 80 % of the training set and be judged on the other 20 %. Such runs choose and "
            "stand on no board; --format json and csv show them.",
        ).metadata,
    )

    augmentation: str = field(
        default=augmentation.NONE,
        metadata=Axis(
            Level.ROW,
            Place.HOW,
            words="{} images",
            choices=tuple(augmentation.AUGMENTATIONS),
            help="What happens to the images of a mini-batch. crop_flip: shifted by up to 4 pixels and mirrored, at "
            "random.",
            of_task=True,
        ).metadata,
    )
    devices: int = field(
        default=1,
        metadata=Axis(Level.ROW, Place.WHERE, words="{} devices", at_least=1, help=_OVER).metadata,
    )

    def resolved(self) -> "RunRequest":
        """The run, fully specified.

        Raises
        ------
        InvalidArgumentError
            If a name is unknown, a value is out of range, or backend, device and dtype do not fit together.
        """
        entry = tasks.get(self.task)
        spec = specs.get(self.optimiser)
        has = backends.get(self.backend)
        said = {each.name: each.check(getattr(self, each.name)) for each in axes()}
        specs.check_backend(spec, self.backend)
        if self.dtype not in has.dtypes or self.device not in has.devices:
            raise InvalidArgumentError(
                f"backend {self.backend!r} runs in {' or '.join(has.dtypes)} on {' or '.join(has.devices)} only; got "
                f"{argument('dtype', self.dtype)}, {argument('device', self.device)}."
            )
        layers = check_layers(self.layers)
        augmentation.check(self.augmentation, entry.source_info.shape, batch_size=self.batch_size)
        network = entry.declared_network(layers, self.activation)
        check_devices(self.devices, backend=has, network=network, batch_size=self.batch_size)
        initialisation = USUAL if self.initialisation == usual(spec.normalisation) else self.initialisation
        if self.activation != "relu" or initialisation != USUAL:
            check(network.weight_shapes, initialisation if initialisation != USUAL else usual(spec.normalisation))
        bounded = self.lipschitz is not None
        found = parametrisations.resolve(spec, self.parametrisation, network, bounded=bounded)
        if bounded and self.output_scale is not None:
            raise InvalidArgumentError(
                f"{argument('output_scale')} multiplies the unit that a paper's scaling gives to outputs, and "
                f"{argument('lipschitz')} sets that unit itself; got {argument('output_scale', self.output_scale)} and "
                f"{argument('lipschitz', self.lipschitz)}. Leave one out."
            )
        hyperparameters = spec.resolve(self.hyperparameters)
        if self.schedule != SCHEDULES[0] and "learning_rate" not in hyperparameters:
            raise InvalidArgumentError(
                f"{argument('schedule', self.schedule)} changes a learning rate, and {self.optimiser} has none. "
                "Leave it out."
            )
        filled = {
            "layers": layers,
            "hyperparameters": hyperparameters,
            "iterations": said["iterations"] or entry.iterations or spec.iterations,
            "initialisation": initialisation,
            "parametrisation": None if parametrisations.is_own(spec, found) and not bounded else found.key,
        }
        return RunRequest(**said | filled)


@dataclass(frozen=True, kw_only=True)
class RunRequest(Asked):
    """One run, fully specified: every hyperparameter of its optimiser in the order of the declaration, and iterations.

    :meth:`Asked.resolved` makes one that is checked; one of a stored record is as it was stored.
    """

    iterations: int


AXES = declared(Asked)


def axes(*levels: Level) -> tuple[Axis, ...]:
    """The axes that separate on these levels, or all."""
    return tuple(axis for axis in AXES if not levels or axis.separates in levels)


def setting(request: RunRequest, *levels: Level, without: Collection[str] = ()) -> tuple[tuple[str, Any], ...]:
    """Name and value of every axis of these levels, but those left out, as something that can be compared and hashed.

    Parameters
    ----------
    request : RunRequest
    levels : Level
        All where none is named.
    without : collection of str
        Names of axes.
    """
    return tuple(
        (axis.name, _frozen(getattr(request, axis.name))) for axis in axes(*levels) if axis.name not in without
    )


def _frozen(value: Any) -> Any:
    """Hyperparameters as pairs in the order of their names, numbers as floats, so that 1 and 1.0 are one value."""
    if isinstance(value, dict):
        return tuple((name, _as_floats(v)) for name, v in sorted(value.items()))
    return value


def _as_floats(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(map(float, value))
    return float(value) if isinstance(value, int | float) else value
