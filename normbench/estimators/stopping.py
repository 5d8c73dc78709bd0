"""When a fit ends, and which of its iterates is kept: the last, or the best on samples that were held out.

It looks once a pass over the rows: after every step on all of them, or after the mini-batches that make one.
"""

from typing import NamedTuple, Protocol

import numpy as np

from normbench.backends.trajectory import Trainer, Trajectory

PATIENCE = 10  # passes in which the training loss has to fall by the tolerance


class Limits(Protocol):
    """What of :class:`normbench.estimators.settings.Settings` says when to end."""

    @property
    def max_iter(self) -> int:
        """Most passes."""

    @property
    def tol(self) -> float:
        """The part by which a loss has to fall."""

    @property
    def n_iter_no_change(self) -> int:
        """Passes in which the loss of the held-out samples has to fall by the tolerance."""


class Advanced(NamedTuple):
    """A run that has ended.

    Attributes
    ----------
    kept : Trajectory
        Up to the iterate that is kept.
    whole : Trajectory
        Up to the last one.
    losses : array, shape (passes + 1,)
        Before the first pass, and of each: the last loss of it, or the mean over its mini-batches.
    held_out : array, shape (passes + 1,)
        Losses of the held-out samples; empty where there are none.
    converged : bool
        False where ``max_iter`` ended it.
    """

    kept: Trajectory
    whole: Trajectory
    losses: np.ndarray
    held_out: np.ndarray
    converged: bool


def until_settled(trainer: Trainer, limits: Limits, batches: int) -> Advanced:
    """Iterate until the training loss has settled or ``max_iter`` is reached; the last iterate is kept.

    Parameters
    ----------
    trainer : Trainer
    limits : Limits
    batches : int
        Steps of a pass: 1 for all rows at once.
    """
    trainer.compile()
    left, converged = limits.max_iter, limits.tol == 0.0
    while left:
        passes = min(PATIENCE, left)
        if trainer.advance(passes * batches) < passes * batches:
            converged = True  # no step lowers the loss, or it is not finite
            break
        left -= passes
        if passes == PATIENCE and limits.tol and settled(_by_pass(trainer, batches), limits.tol, PATIENCE):
            converged = True
            break
    whole = trainer.trajectory()
    return Advanced(whole, whole, _by_pass(trainer, batches), np.empty(0), converged)


def until_worse(trainer: Trainer, limits: Limits, batches: int) -> Advanced:
    """Iterate until the loss of the test samples, which were held out, has settled or rises; the best iterate is kept.

    The test samples are those of the problem that the trainer was built for; they are looked at after every pass.
    Parameters as for :func:`until_settled`.
    """
    trainer.compile()
    losses, kept = [trainer.test_loss()], trainer.trajectory()
    converged = False
    while len(losses) <= limits.max_iter and not converged:
        if trainer.advance(batches) < batches:
            converged = True
            break
        losses.append(trainer.test_loss())
        if losses[-1] < min(losses[:-1]):
            kept = trainer.trajectory()
        patience = limits.n_iter_no_change
        converged = len(losses) > patience and settled(np.array(losses), limits.tol, patience)
    return Advanced(kept, trainer.trajectory(), _by_pass(trainer, batches), np.array(losses), converged)


def _by_pass(trainer: Trainer, batches: int) -> np.ndarray:
    """The training loss before the first pass and of every pass that is complete."""
    loss = trainer.trajectory().loss
    if batches == 1:
        return loss
    passes = (len(loss) - 1) // batches
    return np.append(loss[:1], loss[1 : 1 + passes * batches].reshape(passes, batches).mean(axis=1))


def settled(losses: np.ndarray, tol: float, patience: int) -> bool:
    """Whether the last ``patience`` iterations changed little, or the loss is next to nothing.

    Little is ``tol`` of the loss, and of its fall so far: at a narrow bound most of the loss has to stay, and all that
    there is to gain is less than a thousandth of it.
    """
    first, before, now = losses[0], losses[:-patience].min(), losses.min()
    return bool(before - now <= tol * min(now, first - now) or now <= tol**2 * first)
