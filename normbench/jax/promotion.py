"""What a program forbids for its own arrays, to promote dtypes or ranks, is not forbidden to ours.

Nothing is relaxed where nothing is forbidden, so that functions which were compiled are found again. What is allowed
changes no number of a function that does without, a user's own value_fn and schedules among them.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import ParamSpec, TypeVar

import jax

Given = ParamSpec("Given")
Made = TypeVar("Made")


def promoting(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """The function, which may promote dtypes and ranks whatever ``jax.numpy_dtype_promotion`` and its like say."""

    @functools.wraps(function)
    def allowed(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        with promotions():
            return function(*args, **kwargs)

    return allowed


@contextmanager
def promotions() -> Iterator[None]:
    """A context in which dtypes and ranks are promoted."""
    with ExitStack() as relaxed:
        if jax.config.jax_numpy_dtype_promotion != "standard":
            relaxed.enter_context(jax.numpy_dtype_promotion("standard"))
        if jax.config.jax_numpy_rank_promotion != "allow":
            relaxed.enter_context(jax.numpy_rank_promotion("allow"))
        yield
