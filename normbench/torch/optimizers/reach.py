"""What a closure does not reach, which is not the same as a gradient of zero, and what an optimiser says of it."""

import warnings
from collections.abc import Sequence

from normbench.errors import InvalidArgumentError, NotReachedWarning
from normbench.torch.optimizers.closure import ClosureCurve

_REPLACED = (
    "If that is not meant, something on the way is detached, or the closure evaluates other parameters than these: "
    "the model was copied, loaded with assign=True, converted or unwrapped since {name} was made. Then make {name} "
    "anew of the parameters that the closure evaluates."
)


def report_unreached(
    objective: ClosureCurve, names: Sequence[str], known: frozenset[str], *, name: str
) -> frozenset[str]:
    """Warn of parameters that the loss does not reach, unless all of them are known; return their names.

    ``name`` is that of the optimiser.

    Raises
    ------
    InvalidArgumentError
        If it reaches none at all, or those that it misses may lie inside a reentrant checkpoint.
    """
    missing = [names[k] for k in objective.unreached]
    if not missing:
        return frozenset()
    if objective.checkpointed:
        raise InvalidArgumentError(
            f"the loss passes a reentrant checkpoint and does not reach {', '.join(missing)}, which may lie inside: "
            f"{name} cannot differentiate through it. Use torch.utils.checkpoint.checkpoint(..., use_reentrant=False)."
        )
    if len(missing) == len(names):
        raise InvalidArgumentError(
            f"the loss reaches none of the {len(names)} parameters of {name} ({missing[0]}, ...). "
            + _REPLACED.format(name=name)
        )
    if not known.issuperset(missing):
        warnings.warn(
            f"the loss does not reach {', '.join(missing)}, which {name} leaves where it is. "
            + _REPLACED.format(name=name),
            NotReachedWarning,
            stacklevel=5,
        )
    return frozenset(missing)
