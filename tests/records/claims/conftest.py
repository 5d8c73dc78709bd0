"""Clients that claim runs of one store."""

import pytest

from normbench.records.claims import Claims
from normbench.records.store import Store
from tests.records.claims.claimants import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "records")


@pytest.fixture
def client(store, clock):
    """A client whose clock is the test's and whose thread does nothing in that time."""
    with Claims(store, clock) as claims:
        yield claims


@pytest.fixture
def other(store, clock):
    return Claims(store, clock)  # which renews when a test says so
