"""Networks that say the same of every row: how a fit warns of them."""

from sklearn.exceptions import ConvergenceWarning

DEAD = (  # the two arguments, as the caller calls them
    "the outputs are the same for every row: all units of some layer are zero on all of them, and no step changes "
    "that. Choose wider layers ({0}) or another {1}."
)


class DeadNetworkWarning(ConvergenceWarning):
    """A fit ended at a network whose outputs are the same for every row, though the targets vary.

    All units of some layer are zero on every row that it was trained on. That happens to layers of a few units, by
    chance: wider ones (``hidden``), or another ``random_state``, help. The bound and its proof hold all the same.
    """
