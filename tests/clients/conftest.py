"""The classes of the pages of docs/clients, on which these tests try every optimiser."""

import pytest

from tests.clients.of_pages import defined


@pytest.fixture(scope="session")
def in_lightning():
    """Names of the page's modules: Digits and Averaged."""
    return defined("clients/lightning", "class ")


@pytest.fixture(scope="session")
def in_skorch():
    """Names of the page's nets: Automatic."""
    return defined("clients/skorch", "class ")


@pytest.fixture(scope="session")
def in_equinox():
    """Functions of the page: step and fit."""
    return defined("clients/equinox", "def fit")


@pytest.fixture(scope="session")
def in_flax():
    """Functions of the page: step and fit."""
    return defined("clients/flax", "def fit")


@pytest.fixture(scope="session")
def in_keras():
    """Functions of the page: step, fit and put."""
    return defined("clients/keras", "def fit")
