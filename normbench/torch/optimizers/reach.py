"""What Method1 says of parameters that the loss does not reach, which is not the same as a gradient of zero."""

import warnings
from collections.abc import Sequence

from normbench.errors import InvalidArgumentError, NotReachedWarning
from normbench.torch.optimizers.closure import ClosureCurve

_REPLACED = (
    "If that is not meant, something on the way is detached, or the closure evaluates other parameters than these: "
    "the model was copied, loaded with assign=True, converted or unwrapped since Method1 was made. Then make Method1 "
    "anew of the parameters that the closure evaluates."
)


def report_unreached(objective: ClosureCurve, names: Sequence[str], known: frozenset[str]) -> frozenset[str]:
    """Warn of parameters that the loss does not reach, unless all of them are known; return their names.

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
            "Method1 cannot differentiate through it. Use torch.utils.checkpoint.checkpoint(..., use_reentrant=False)."
        )
    if len(missing) == len(names):
        raise InvalidArgumentError(
            f"the loss reaches none of the {len(names)} parameters of Method1 ({missing[0]}, ...). {_REPLACED}"
        )
    if not known.issuperset(missing):
        warnings.warn(
            f"the loss does not reach {', '.join(missing)}, which Method1 leaves where it is. {_REPLACED}",
            NotReachedWarning,
            stacklevel=5,
        )
    return frozenset(missing)
