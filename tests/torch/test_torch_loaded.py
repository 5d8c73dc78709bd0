"""Weights that are loaded while an optimiser has them: radii and norm bounds follow those, and no step of its own."""

import pytest
import torch
from torch_members import MEMBERS, advance, names, network

from normbench.errors import InvalidArgumentError
from normbench.torch import Fromage, Method1, Method2, Method2Exp

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
SPHERES = [m for m in MEMBERS if m.kind in (Method1, Method2, Method2Exp)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("member", SPHERES, ids=names(SPHERES))
def test_weights_that_are_loaded_later_keep_the_norm_that_they_have_got(member, dtype):
    params = network(dtype=dtype)
    optimizer = member.make(params)
    advance(optimizer, params)
    with torch.no_grad():
        for p, q in zip(params, network(seed=4, dtype=dtype), strict=True):
            p.copy_(q * 3)
    norms = [p.double().norm().item() for p in params]
    advance(optimizer, params, 2)
    assert [p.double().norm().item() for p in params] == pytest.approx(norms, rel=2 * torch.finfo(dtype).eps + 1e-6)
    with torch.no_grad():
        params[1].zero_()
    with pytest.raises(InvalidArgumentError, match=r"^parameter 1 of shape \(5, 6\) is zero"):
        advance(optimizer, params)


@pytest.mark.parametrize(
    ("compiled", "dtype"),
    [*((False, dtype) for dtype in DTYPES), (True, torch.bfloat16)],
    ids=[*map(str, DTYPES), "compiled"],
)
def test_a_norm_bound_is_taken_anew_from_weights_that_are_loaded_later(dtype, compiled):
    torch._dynamo.reset()
    p = torch.nn.Parameter(torch.ones((4, 4), dtype=dtype))
    optimizer = Fromage([p], lr=0.5, p_bound=1.0)
    step = torch.compile(optimizer.step, backend="eager") if compiled else optimizer.step
    rough = {torch.float64: 1e-9, torch.float32: 1e-6}.get(dtype, 0.02)

    def push():
        """Outwards: without the bound the norm would grow."""
        p.grad = -p.detach().clone()
        step()
        return p.double().norm().item()

    assert push() == pytest.approx(4.0, rel=rough)
    assert push() == pytest.approx(4.0, rel=rough)
    with torch.no_grad():
        p.mul_(5.0)
    assert push() == pytest.approx(20.0, rel=rough)
    assert push() == pytest.approx(20.0, rel=rough)


def test_a_norm_bound_stays_that_of_the_construction_while_steps_alone_move_the_weights():
    params = network(dtype=torch.float64)
    optimizer = Fromage(params, lr=0.3, p_bound=1.5)
    limits = [1.5 * p.norm().item() for p in params]
    for _ in range(20):
        for p in params:
            p.grad = -p.detach() + 0.1
        optimizer.step()
    for p, limit in zip(params, limits, strict=True):
        assert p.norm().item() == pytest.approx(limit, rel=1e-9)
