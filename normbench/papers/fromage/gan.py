"""A class-conditional GAN on small digits: the GAN of Table 1 of arXiv 2002.03432 at a size that two cores can do.

The paper trains on CIFAR-10; its appendix, with networks, loss and batches, is not in the text that this follows. The
hinge loss is that of the conditional GANs which it cites (arXiv 1802.05637):

    discriminator:  min mean max(0, 1 - D(x, y)) + mean max(0, 1 + D(G(z, y), y))
    generator:      min -mean D(G(z, y), y)

One step of the discriminator and one of the generator take turns, both by the same optimiser with the same
hyperparameters. Fakes have the classes of the real images beside them. The paper decays every learning rate by 10
when the loss plateaus; the losses of a game say little, so that here the distance to the real images is watched, in
the second half of a game: at first it may stand still before the players have found anything.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np

from normbench import data, specs
from normbench.backends import every, usable
from normbench.errors import InvalidArgumentError
from normbench.networks import Network, discriminator, generator
from normbench.papers.fromage.frechet import Judge
from normbench.problems.initial_weights import WEIGHT_STREAM, xavier_uniform
from normbench.problems.problem import Weights
from normbench.running.batches import batches
from normbench.running.schedule import Plateau

SOURCE = "digits"
DTYPE = "float32"
NOISE_STREAM = 6  # seeds the noise apart from split, weights and batches
COMPONENTS = 20
PATIENCE = 4  # evaluations; one more without a smaller distance is a plateau
REFERENCES = ("held-out digits", "class means", "pixel noise")


@dataclass(frozen=True)
class Size:
    """How large a game is.

    Attributes
    ----------
    steps, every : int
        Steps of each player, and how many lie between two evaluations.
    batch, noise, width : int
        Samples of a batch, entries of the noise, and width of both networks.
    """

    steps: int = 3000
    every: int = 100
    batch: int = 64
    noise: int = 16
    width: int = 16


SIZE = Size()


@dataclass(frozen=True, eq=False)
class Game:
    """What a game starts from.

    Attributes
    ----------
    images, held_out : array, shape (samples, channels, side, side)
        Two halves of the real images by seed, pixels from -1 to 1; players see the first.
    classes, held_out_classes : array, shape (samples, classes)
        Their one-hot rows.
    networks : pair of Network
        Generator and discriminator.
    weights : pair of tuples of arrays
        Their initial weights, uniform Xavier by seed.
    """

    images: np.ndarray
    classes: np.ndarray
    held_out: np.ndarray
    held_out_classes: np.ndarray
    networks: tuple[Network, Network]
    weights: tuple[Weights, Weights]


class Players(Protocol):
    """Generator and discriminator in a backend."""

    def advance(self, rows: np.ndarray, noise: np.ndarray) -> None:
        """One step of the discriminator, then one of the generator, for every batch.

        Parameters
        ----------
        rows : array of int, shape (steps, batch)
            Real images of every step.
        noise : array, shape (steps, 2, batch, noise)
            For the fakes that the discriminator sees, and for those of the generator's own step.
        """

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of both players for all further steps."""

    def generated(self, noise: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Images of the generator as it is, float64."""

    def weights(self) -> tuple[Weights, Weights]:
        """Weights of generator and discriminator, float64."""


def game(size: Size, *, seed: int) -> Game:
    """Two halves of the digits, both networks and their initial weights."""
    dataset = data.load(SOURCE)
    order = np.random.default_rng(seed).permutation(len(dataset.inputs))
    half, other = np.array_split(order, 2)
    images, classes = 2 * dataset.inputs - 1, dataset.outputs
    channels, side = images.shape[1:3]
    shape = {"width": size.width, "side": side, "channels": channels}
    networks = generator(size.noise, classes.shape[1], **shape), discriminator(classes.shape[1], **shape)
    rng = np.random.default_rng([seed, WEIGHT_STREAM])
    weights = xavier_uniform(networks[0].weight_shapes, rng), xavier_uniform(networks[1].weight_shapes, rng)
    return Game(images[half], classes[half], images[other], classes[other], networks, weights)


def draws(samples: int, size: Size, *, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and noise for :meth:`Players.advance`, ``size.every`` steps at a time, from NumPy by seed.

    Raises
    ------
    InvalidArgumentError
        If the steps are no multiple of those between evaluations, or a batch is larger than the data.
    """
    if size.steps % size.every:
        raise InvalidArgumentError(f"steps must be a multiple of every={size.every}; got {size.steps}.")
    rng = np.random.default_rng([seed, NOISE_STREAM, 1])
    chosen = batches(samples, size.batch, seed=seed)
    for _ in range(size.steps // size.every):
        rows = np.stack(list(islice(chosen, size.every)))
        yield rows, rng.normal(size=(size.every, 2, size.batch, size.noise))


def backends() -> list[str]:
    """Those that have players."""
    return [backend.name for backend in every() if backend.players]


def players(backend: str, start: Game, key: str, hyperparameters: dict[str, Any], *, dtype: str = "float32") -> Players:
    """Both players in a backend, which is imported here.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend, or it has no players.
    BackendUnavailableError
        If the backend is missing.
    """
    found = usable(backend).players
    if found is None:
        raise InvalidArgumentError(f"backend must be one of {', '.join(backends())}; got {backend!r}.")
    make: Callable[..., Players] = found.load()
    return make(start.networks, start.weights, start.images, start.classes, key, hyperparameters, dtype=dtype)


@dataclass(frozen=True)
class GanJob:
    """One game in a worker process.

    Calling it gives one row an evaluation: ``optimiser, seed, step, decays, distance, accuracy``, the last two as
    :class:`Judge` has them for as many generated images as there are real ones, of the same classes and always from
    the same noise; ``decays`` counts those of the learning rate so far. A game whose images are no longer finite ends
    with NaN.
    """

    backend: str
    optimiser: str
    learning_rate: float
    seed: int
    size: Size
    cost: float = 1.0

    @property
    def family(self) -> object:
        """What has to be compiled anew when it changes."""
        return self.optimiser

    def __call__(self) -> list[dict[str, Any]]:
        """Play and evaluate."""
        start = game(self.size, seed=self.seed)
        hyperparameters = dict(specs.get(self.optimiser).resolve({"learning_rate": self.learning_rate}))
        both = players(self.backend, start, self.optimiser, hyperparameters, dtype=DTYPE)
        judge = Judge(start.images, start.classes, components=COMPONENTS)
        noise = np.random.default_rng([self.seed, NOISE_STREAM]).normal(size=(len(start.images), self.size.noise))
        plateau, decays = Plateau(patience=PATIENCE), 0
        rows: list[dict[str, Any]] = []
        for step, drawn in self._segments(len(start.images)):
            if drawn is not None:
                both.advance(*drawn)
            images = both.generated(noise, start.classes)
            found = {"distance": judge.distance(images), "accuracy": judge.accuracy(images, start.classes)}
            rows.append({"optimiser": self.optimiser, "seed": self.seed, "step": step, "decays": decays, **found})
            if not np.isfinite(found["distance"]):
                break
            flat = plateau.is_flat(found["distance"])
            if flat and 2 * step >= self.size.steps:
                both.scale_learning_rate(plateau.factor)
                decays += 1
        return rows

    def _segments(self, samples: int) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray] | None]]:
        """Steps done at every evaluation, with what is drawn for those since the last one; nothing for step 0."""
        yield 0, None
        for k, drawn in enumerate(draws(samples, self.size, seed=self.seed), start=1):
            yield k * self.size.every, drawn


def reference_rows(*, seed: int) -> list[dict[str, Any]]:
    """What images that no generator made are worth: ``reference, seed, distance, accuracy``, by :data:`REFERENCES`.

    The half of the digits that the players do not see; the mean image of every class in place of its images; pixels
    drawn apart from one another, each normal with the mean and the variance that it has in the seen half.
    """
    start = game(SIZE, seed=seed)
    judge = Judge(start.images, start.classes, components=COMPONENTS)
    means = np.linalg.lstsq(start.classes, start.images.reshape(len(start.images), -1), rcond=None)[0]
    noise = np.random.default_rng([seed, NOISE_STREAM]).normal(size=start.images.shape)
    shown = (
        (start.held_out, start.held_out_classes),
        ((start.classes @ means).reshape(start.images.shape), start.classes),
        (start.images.mean(axis=0) + start.images.std(axis=0) * noise, start.classes),
    )
    return [
        {"reference": name, "seed": seed, "distance": judge.distance(x), "accuracy": judge.accuracy(x, y)}
        for name, (x, y) in zip(REFERENCES, shown, strict=True)
    ]
