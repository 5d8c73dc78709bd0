"""Two players in torch: a conditional generator and a discriminator in turn, moved by the same kind of optimiser."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from normbench.networks import Network
from normbench.problems.problem import Weights
from normbench.torch.benchmark.drop_ins import drop_in
from normbench.torch.benchmark.network import build
from normbench.torch.dtypes import DTYPES


class TorchPlayers:
    """Both players of one game in torch; :class:`normbench.papers.fromage.gan.Players` has the equations.

    Networks, initial weights, images and their classes are those of a :class:`normbench.papers.fromage.gan.Game`; key,
    hyperparameters and dtype are as of a trainer, see :class:`normbench.backends.Start`.
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
        self._dtype = DTYPES[dtype]
        self._generator, self._discriminator = (
            build(network, own, dtype=self._dtype, device="cpu") for network, own in zip(networks, weights, strict=True)
        )
        self._optimizers = {
            player: drop_in(key, list(player.parameters()), hyperparameters)
            for player in (self._generator, self._discriminator)
        }
        self._images, self._classes = self._tensor(images), self._tensor(classes)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=self._dtype)

    def advance(self, rows: np.ndarray, noise: np.ndarray) -> None:
        """One step of the discriminator and one of the generator for every batch."""
        for chosen, (first, second) in zip(torch.as_tensor(rows), self._tensor(noise), strict=True):
            images, classes = self._images[chosen], self._classes[chosen]
            with torch.no_grad():
                fakes = self._generated(first, classes)
            self._move(self._discriminator, self._discriminator_loss(images, fakes, classes))
            self._move(self._generator, -self._judged(self._generated(second, classes), classes).mean())

    def _generated(self, noise: Tensor, classes: Tensor) -> Tensor:
        return self._generator(torch.cat([noise, classes], dim=1))

    def _judged(self, images: Tensor, classes: Tensor) -> Tensor:
        planes = classes[:, :, None, None].expand(-1, -1, *images.shape[2:])
        return self._discriminator(torch.cat([images, planes], dim=1))

    def _discriminator_loss(self, images: Tensor, fakes: Tensor, classes: Tensor) -> Tensor:
        real, fake = self._judged(torch.cat([images, fakes]), torch.cat([classes, classes])).chunk(2)
        return (1 - real).relu().mean() + (1 + fake).relu().mean()

    def _move(self, player: torch.nn.Module, loss: Tensor) -> None:
        weights = list(player.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        self._optimizers[player].step()

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of both players for all further steps."""
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] *= factor

    def generated(self, noise: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Images of the generator as it is, float64."""
        with torch.no_grad():
            return self._generated(self._tensor(noise), self._tensor(classes)).double().numpy()

    def weights(self) -> tuple[Weights, Weights]:
        """Weights of generator and discriminator, float64."""
        generator, discriminator = (
            tuple(weight.detach().double().numpy().copy() for weight in player.parameters())
            for player in (self._generator, self._discriminator)
        )
        return generator, discriminator
