"""The example in the docstring of every drop-in optimiser runs, and shows what it prints."""

import doctest
import importlib

import pytest
import torch

DROP_INS = [
    (package, key)
    for package in ("normbench.torch.optimizers", "normbench.jax.transformations")
    for key in importlib.import_module(package).DROP_INS
]


def run(function, name):
    """How many lines of a docstring's examples were tried, and how many failed."""
    (found,) = doctest.DocTestFinder(recurse=False).find(function, name)
    return doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(found)


@pytest.mark.parametrize(("package", "key"), DROP_INS)
def test_the_example_prints_what_it_shows(package, key):
    torch.manual_seed(0)
    drop_in = importlib.import_module(package).DROP_INS[key]
    result = run(drop_in, key)
    assert result.attempted > 5
    assert result.failed == 0


def test_a_wrong_example_is_noticed():
    def wrong():
        """No.

        >>> 1 + 1
        3
        """

    assert run(wrong, "wrong").failed == 1
