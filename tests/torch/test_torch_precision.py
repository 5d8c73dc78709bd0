"""What a user allows for the products of a network leaves those of a step alone, whatever the class."""

import contextlib

import pytest
import torch
from torch_loop import same
from torch_members import MEMBERS, advance, copies, names, network

from normbench.torch.precision import full_precision

MATMUL = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
each = pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))


def older(name):
    """How most programs allow coarser products."""
    torch.set_float32_matmul_precision(name)


def newer(name):
    """One backend at a time, as torch 2.9 has it."""
    for backend in MATMUL:
        backend.fp32_precision = name


ALLOWED = [(older, "high"), (older, "medium"), (newer, "tf32")]
each_setting = pytest.mark.parametrize(("allow", "name"), ALLOWED, ids=lambda part: getattr(part, "__name__", part))


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    torch.set_float32_matmul_precision("highest")
    for backend in MATMUL:
        backend.fp32_precision = "none"


def settings():
    return [torch.is_autocast_enabled("cpu"), *(backend.fp32_precision for backend in MATMUL)]


def targets(params):
    return [torch.linspace(-1, 1, p.numel(), dtype=torch.float32).reshape(p.shape).to(p.device) for p in params]


def train(member, device, seen=None):
    """Ten steps on a loss without products, so that only those of the steps could differ."""
    params = [torch.nn.Parameter(p.detach().to(device)) for p in network()]
    optimizer, aims = member.make(params), targets(params)

    def closure():
        if seen is not None:
            seen.append(settings())
        value = sum((p - aim).square().mean() for p, aim in zip(params, aims, strict=True))
        if not member.closure:
            optimizer.zero_grad()
            value.backward()
        return value

    for _ in range(10):
        optimizer.step(closure)
    return copies(params)


@each
def test_steps_inside_autocast_have_the_bits_of_those_outside(member):
    plain, seen = train(member, "cpu"), []
    with torch.autocast("cpu", torch.bfloat16):
        assert same(train(member, "cpu", seen), plain)
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
    assert {enabled for enabled, *_ in seen} == {True}  # the closure runs as its caller has it


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("default", [torch.bfloat16, torch.float16, torch.float64], ids=str)
@each
def test_the_dtype_that_torch_gives_new_tensors_leaves_the_steps_alone(member, default, dtype):
    start = [p.detach() for p in network(dtype=dtype)]

    def trained():
        params = [torch.nn.Parameter(p.clone()) for p in start]
        optimizer = member.make(params)
        advance(optimizer, params, 10)
        return copies(params), float(optimizer.param_groups[0].get("step_size", 0.0))

    usual, step_size = trained()
    torch.set_default_dtype(default)
    try:
        found, other = trained()
    finally:
        torch.set_default_dtype(torch.float32)
    tolerance = 100 * torch.finfo(dtype).eps
    for p, q in zip(found, usual, strict=True):
        torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)
    assert other == pytest.approx(step_size, rel=tolerance)


def test_without_the_remedy_the_steps_inside_autocast_differ(monkeypatch):
    from normbench.torch.optimizers import polar_average

    member = next(m for m in MEMBERS if m.name == "PolarAverage")
    plain = train(member, "cpu")
    monkeypatch.setattr(polar_average, "full_precision", contextlib.nullcontext)
    with torch.autocast("cpu", torch.bfloat16):
        assert not same(train(member, "cpu"), plain)


@each
@each_setting
def test_closures_see_what_their_caller_allows_and_it_is_there_afterwards(member, allow, name):
    allow(name)
    before, seen = settings(), []
    train(member, "cpu", seen)
    assert all(found == before for found in seen)
    assert settings() == before


@each_setting
def test_inside_nothing_coarser_is_allowed_and_an_error_restores_it(allow, name):
    allow(name)
    before = settings()
    with full_precision([torch.zeros(1)]) as surroundings:
        assert settings()[1:] == ["ieee", "ieee"]
        with surroundings():
            assert settings() == before
        assert settings()[1:] == ["ieee", "ieee"]
    assert settings() == before
    with contextlib.suppress(ZeroDivisionError), full_precision([torch.zeros(1)]):
        1 / 0  # noqa: B018
    assert settings() == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")
@each
@each_setting
def test_on_a_gpu_coarser_products_change_no_bit_of_a_step(member, allow, name):
    plain = train(member, "cuda")
    allow(name)
    with torch.autocast("cuda", torch.bfloat16):
        assert same(train(member, "cuda"), plain)
