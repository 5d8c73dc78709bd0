"""PolarAverage and OnlineLBFGS hold two sets of weights: iterates for training, averages for evaluation."""

import pytest
import torch
from torch_loop import same
from torch_members import advance, copies, network

from normbench.errors import InvalidArgumentError
from normbench.torch import OnlineLBFGS, PolarAverage

either = pytest.mark.parametrize("kind", [PolarAverage, OnlineLBFGS])
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@either
def test_averages_and_iterates_change_places_as_often_as_one_likes(kind):
    params = network()
    optimizer = kind(params, radius=4.0)
    start = copies(params)
    optimizer.eval()
    assert same(params, start)
    optimizer.train()
    advance(optimizer, params, 5)
    iterates = copies(params)
    for _ in range(2):
        optimizer.eval()
    averages = copies(params)
    assert not same(averages, iterates)
    with pytest.raises(InvalidArgumentError, match=rf"{kind.__name__} hold the averages.* Call optimizer\.train\(\)"):
        advance(optimizer, params)
    assert same(params, averages)
    for _ in range(2):
        optimizer.train()
    assert same(params, iterates)
    advance(optimizer, params)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@either
def test_both_are_stored_in_either_mode(kind, dtype):
    params = network(dtype=dtype)
    optimizer = kind(params, radius=4.0)
    advance(optimizer, params, 3)
    optimizer.eval()
    fresh = network(seed=1, dtype=dtype)
    other = kind(fresh, radius=4.0)
    other.load_state_dict(optimizer.state_dict())
    with torch.no_grad():
        for p, w in zip(fresh, params, strict=True):
            p.copy_(w)
    for optimiser, own in ((optimizer, params), (other, fresh)):
        optimiser.train()
        advance(optimiser, own, 3)
        optimiser.eval()
    assert same(params, fresh)
