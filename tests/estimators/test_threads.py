"""A small fit has one thread, whatever a library would take; a large one, or a user who says so, has more."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from normbench import LipschitzRegressor
from normbench.estimators import threads
from tests.estimators.tables import flights


class Watching(torch.optim.SGD):
    """Says with how many threads torch computes its steps."""

    seen: ClassVar[list[int]] = []

    def step(self, closure=None):
        self.seen.append(torch.get_num_threads())
        return super().step(closure)


@pytest.fixture
def two_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    Watching.seen.clear()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("worth", "asked", "found"), [(None, None, 1), (0, None, 2), (None, "2", 2)])
def test_threads_of_a_fit(worth, asked, found, two_threads, monkeypatch):
    if worth is not None:
        monkeypatch.setattr(threads, "WORTH_SHARING", worth)
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    optimiser = f"{Watching.__module__}:{Watching.__qualname__}"
    model = LipschitzRegressor(20.0, hidden=(3,), optimiser=optimiser, backend="torch", max_iter=2, tol=0.0)
    assert np.isfinite(model.fit(*flights(samples=40)).loss_curve_).all()
    assert Watching.seen[-2:] == [found, found]  # before them stands the look at whether it can step at all
    assert torch.get_num_threads() == 2
