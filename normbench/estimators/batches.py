"""Mini-batches of a fit: who can learn from them, and how many make a pass over the rows."""

from collections.abc import Iterator

from normbench import specs
from normbench.errors import InvalidArgumentError, argument
from normbench.problems.problem import Part, Problem
from normbench.running.batches import batches
from normbench.specs import LineDerivatives, OptimiserSpec, parametrisations

AUTOMATIC = "automatic"  # the optimiser that is taken where nobody names one
WHOLE, MINI = "geodesic_lbfgs", "online_lbfgs"  # which that is: for all rows at once, and for mini-batches


def takes_batches(spec: OptimiserSpec) -> bool:
    """True if a step of it makes sense on some of the rows: it looks for no minimum of their loss along a line."""
    return not spec.full_batch and spec.line_derivatives is LineDerivatives.NEVER


def chosen(optimiser: str, batch_size: int | None) -> OptimiserSpec:
    """The optimiser of that key, or the automatic one, which learns from such batches.

    Raises
    ------
    InvalidArgumentError
        If there is none of that key, or it needs all rows at once and does not get them.
    """
    if optimiser == AUTOMATIC:
        return specs.get(WHOLE if batch_size is None else MINI)
    spec = specs.get(optimiser)
    if batch_size is not None and not takes_batches(spec):
        able = (key for key, each in specs.SPECS.items() if takes_batches(each))
        able = (key for key in able if parametrisations.through(specs.get(key), bounded=True))
        raise InvalidArgumentError(
            f"optimiser {spec.key!r} searches for where the loss of all rows falls; got "
            f"{argument('batch_size', batch_size)}. Leave it out, or choose {AUTOMATIC!r} or one of {', '.join(able)}."
        )
    return spec


def batches_of_a_pass(rows: int, batch_size: int | None) -> int:
    """Steps that see every row once, but for an incomplete last batch; 1 for all rows at once.

    Raises
    ------
    InvalidArgumentError
        If a batch is larger than all rows.
    """
    if batch_size is None:
        return 1
    if batch_size > rows:
        raise InvalidArgumentError(
            f"{argument('batch_size', batch_size)} is more than the {rows} rows that train. Choose a smaller one, or "
            "leave it out for all rows in every step."
        )
    return rows // batch_size


def feed(problem: Problem, batch_size: int | None, seed: int) -> Iterator[Part] | None:
    """Samples and targets of one mini-batch after the other, without end; None for all rows at once.

    They are made when they are asked for: their numbers for all passes would be many times the table.
    """
    if batch_size is None:
        return None
    drawn = batches(len(problem.x_train), batch_size, seed=seed)
    return ((problem.x_train[rows], problem.y_train[rows]) for rows in drawn)
