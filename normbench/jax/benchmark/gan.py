"""Two players in JAX: a conditional generator and a discriminator in turn, moved by the same kind of optimiser."""

from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from normbench.jax.benchmark.drop_ins import drop_in
from normbench.jax.benchmark.network import apply
from normbench.jax.benchmark.precision import of_run
from normbench.jax.updates.spheres import Arrays
from normbench.networks import Network
from normbench.problems.problem import Weights


class _Player(NamedTuple):
    weights: Arrays
    state: Any


class _Game(NamedTuple):
    generator: _Player
    discriminator: _Player


class _Rules(NamedTuple):
    """What selects a program: both networks, the optimiser and its hyperparameters but the learning rate."""

    generator: Network
    discriminator: Network
    key: str
    others: tuple[tuple[str, Any], ...]

    def optimiser(self, learning_rate: Array) -> optax.GradientTransformation:
        return drop_in(self.key, {"learning_rate": learning_rate, **dict(self.others)})

    def generated(self, weights: Arrays, noise: Array, classes: Array) -> Array:
        return apply(self.generator, weights, jnp.concatenate([noise, classes], axis=1))

    def judged(self, weights: Arrays, images: Array, classes: Array) -> Array:
        planes = jnp.broadcast_to(classes[:, :, None, None], (*classes.shape, *images.shape[2:]))
        return apply(self.discriminator, weights, jnp.concatenate([images, planes], axis=1))

    def discriminator_loss(self, weights: Arrays, images: Array, fakes: Array, classes: Array) -> Array:
        both = self.judged(weights, jnp.concatenate([images, fakes]), jnp.concatenate([classes, classes]))
        real, fake = jnp.split(both, 2)
        return jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + fake))

    def generator_loss(self, weights: Arrays, judge: Arrays, noise: Array, classes: Array) -> Array:
        return -jnp.mean(self.judged(judge, self.generated(weights, noise, classes), classes))


@partial(jax.jit, static_argnames="rules")
def _begin(weights: tuple[Arrays, Arrays], learning_rate: Array, *, rules: _Rules) -> _Game:
    optimiser = rules.optimiser(learning_rate)
    return _Game(*(_Player(own, optimiser.init(own)) for own in weights))


@partial(jax.jit, static_argnames="rules")
def _advance(
    game: _Game, learning_rate: Array, images: Array, classes: Array, rows: Array, noise: Array, *, rules: _Rules
) -> _Game:
    optimiser = rules.optimiser(learning_rate)

    def move(player: _Player, gradient: Arrays) -> _Player:
        updates, state = optimiser.update(gradient, player.state, player.weights)
        return _Player(optax.apply_updates(player.weights, updates), state)

    def step(game: _Game, batch: tuple[Array, Array]) -> tuple[_Game, None]:
        chosen, (first, second) = batch
        generator, discriminator = game
        real, wanted = images[chosen], classes[chosen]
        fakes = rules.generated(generator.weights, first, wanted)
        slope = jax.grad(rules.discriminator_loss)(discriminator.weights, real, fakes, wanted)
        discriminator = move(discriminator, slope)
        slope = jax.grad(rules.generator_loss)(generator.weights, discriminator.weights, second, wanted)
        return _Game(move(generator, slope), discriminator), None

    return jax.lax.scan(step, game, (rows, noise))[0]


_generated = partial(jax.jit, static_argnums=0)(_Rules.generated)


class JaxPlayers:
    """Both players of one game in JAX; :class:`normbench.papers.fromage.gan.Players` has the equations.

    Parameters as :class:`normbench.torch.benchmark.gan.TorchPlayers`; 64-bit types are enabled for the calls of
    these players only.
    """

    def __init__(
        self,
        networks: tuple[Network, Network],
        weights: tuple[Weights, Weights],
        images: np.ndarray,
        classes: np.ndarray,
        key: str,
        hyperparameters: dict[str, Any],
        *,
        dtype: str,
    ) -> None:
        self._dtype = dtype
        others = tuple((name, value) for name, value in hyperparameters.items() if name != "learning_rate")
        self._rules = _Rules(*networks, key, others)
        with self._precision():
            self._learning_rate = self._array(hyperparameters["learning_rate"])
            self._images, self._classes = self._array(images), self._array(classes)
            start = tuple(tuple(map(self._array, own)) for own in weights)
            self._game = _begin(start, self._learning_rate, rules=self._rules)

    def _precision(self) -> AbstractContextManager:
        return of_run(self._dtype)

    def _array(self, value: Any) -> Array:
        return jnp.asarray(value, self._dtype)

    def advance(self, rows: np.ndarray, noise: np.ndarray) -> None:
        """One step of the discriminator and one of the generator for every batch."""
        with self._precision():
            batches = jnp.asarray(rows, jnp.int32), self._array(noise)
            self._game = _advance(
                self._game, self._learning_rate, self._images, self._classes, *batches, rules=self._rules
            )

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of both players for all further steps."""
        with self._precision():
            self._learning_rate = self._learning_rate * factor

    def generated(self, noise: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Images of the generator as it is, float64."""
        with self._precision():
            weights = self._game.generator.weights
            found = _generated(self._rules, weights, self._array(noise), self._array(classes))
            return np.asarray(found, dtype=np.float64)

    def weights(self) -> tuple[Weights, Weights]:
        """Weights of generator and discriminator, float64."""
        generator, discriminator = (
            tuple(np.asarray(weight, dtype=np.float64) for weight in player.weights) for player in self._game
        )
        return generator, discriminator
