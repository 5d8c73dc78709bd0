"""Method1's closure runs stand-ins for some operators of torch: same values, errors and side effects as those."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from normbench.torch import line_derivatives
from normbench.torch.optimizers.smooth import smooth_operators

KINDS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}


def drawn(*shape, dtype=torch.float32, layout=None, seed=0):
    x = 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + 1
    x = x.to(dtype)
    return x.contiguous(memory_format=layout) if layout else x


def buffers(channels=4, dtype=torch.float32):
    return torch.full((channels,), 0.5, dtype=dtype), torch.full((channels,), 2.0, dtype=dtype)


def outcome(call):
    """What a call makes of fresh arguments: the value and what was written into running statistics, or the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value, *written = call()
        except Exception as error:
            return type(error), str(error)
    return value, written


def judge(call):
    with torch.no_grad():
        expected = outcome(call)
        with smooth_operators():
            found = outcome(call)
    if isinstance(expected[0], type):
        assert found == expected
        return expected
    for left, right in zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True):
        assert (left.dtype, left.shape, left.stride()) == (right.dtype, right.shape, right.stride())
        bound = KINDS.get(right.dtype, 0.0)
        torch.testing.assert_close(left, right, rtol=bound, atol=bound, equal_nan=True)
    for left, right in zip(found[1], expected[1], strict=True):
        assert torch.equal(left, right), "running statistics come from the original itself"
    return expected


def module(make, *inputs, train=True):
    """A module, once made and run: its value and all buffers."""

    def call():
        torch.manual_seed(1)
        built = make().train(train)
        with torch.no_grad():
            for p in built.parameters():
                p.add_(torch.rand_like(p))
        value = built(*inputs)
        return value, *built.buffers()

    return call


def function(operator, *given, channels=4, dtype=torch.float32, **options):
    """A function with running statistics of its own."""

    def call():
        mean, variance = buffers(channels, dtype)
        value = operator(*given, running_mean=mean, running_var=variance, **options)
        return value, mean, variance

    return call


def plain(operator, *given, **options):
    return lambda: (operator(*given, **options),)


RIGHT = {
    **{f"layer norm, {d}": module(lambda d=d: nn.LayerNorm(4, dtype=d), drawn(3, 5, 4, dtype=d)) for d in KINDS},
    **{f"batch norm, {d}": module(lambda d=d: nn.BatchNorm1d(4, dtype=d), drawn(5, 4, dtype=d)) for d in KINDS},
    **{
        f"instance norm, {d}": module(
            lambda d=d: nn.InstanceNorm1d(4, affine=True, track_running_stats=True, dtype=d), drawn(2, 4, 5, dtype=d)
        )
        for d in KINDS
    },
    **{f"rms norm, {d}": module(lambda d=d: nn.RMSNorm(4, dtype=d), drawn(3, 5, 4, dtype=d)) for d in KINDS},
    "layer norm over two axes": module(lambda: nn.LayerNorm((4, 3), eps=0.1), drawn(5, 4, 3)),
    "layer norm without a bias": module(lambda: nn.LayerNorm(4, bias=False), drawn(5, 4)),
    "layer norm of channels last": plain(functional.layer_norm, drawn(2, 4, 3, 3, layout=torch.channels_last), (3, 3)),
    "layer norm of a transposed input": plain(functional.layer_norm, drawn(4, 3, 5).mT, (3,)),
    "layer norm by keywords": plain(functional.layer_norm, input=drawn(3, 4), normalized_shape=[4], eps=1.0),
    "layer norm by torch's own name": plain(torch.layer_norm, drawn(3, 4), [4], torch.ones(4), None, 1e-3),
    "layer norm of float16 with weights in float32": plain(
        functional.layer_norm, drawn(3, 4, dtype=torch.bfloat16), (4,), torch.ones(4), torch.ones(4)
    ),
    "layer norm of no samples": plain(functional.layer_norm, drawn(0, 4), (4,)),
    "rms norm with an epsilon": plain(functional.rms_norm, drawn(3, 4), (4,), torch.ones(4), 0.5),
    "rms norm by torch's own name": plain(torch.rms_norm, drawn(3, 4), [4], eps=0.1),
    "group norm": module(lambda: nn.GroupNorm(2, 4), drawn(3, 4, 2, 2)),
    "batch norm of images": module(lambda: nn.BatchNorm2d(4), drawn(3, 4, 2, 2)),
    "batch norm of channels last": module(lambda: nn.BatchNorm2d(4), drawn(3, 4, 2, 2, layout=torch.channels_last)),
    "batch norm of volumes": module(lambda: nn.BatchNorm3d(4), drawn(3, 4, 2, 2, 2)),
    "batch norm with a cumulative average": module(lambda: nn.BatchNorm1d(4, momentum=None), drawn(5, 4)),
    "batch norm without running statistics": module(lambda: nn.BatchNorm1d(4, track_running_stats=False), drawn(5, 4)),
    "batch norm without gains": module(lambda: nn.BatchNorm1d(4, affine=False, momentum=0.7), drawn(5, 4)),
    "batch norm in evaluation": module(lambda: nn.BatchNorm1d(4), drawn(5, 4), train=False),
    "batch norm, functional": function(functional.batch_norm, drawn(5, 4), training=True, momentum=0.3, eps=0.2),
    "batch norm, functional, in evaluation": function(functional.batch_norm, drawn(5, 4), training=False),
    "batch norm of no samples": function(functional.batch_norm, drawn(0, 4), training=True),
    "batch norm of bfloat16 with statistics in float32": function(
        functional.batch_norm, drawn(5, 4, dtype=torch.bfloat16), training=True
    ),
    "batch norm by torch's own name": plain(
        torch.batch_norm, drawn(5, 4), None, None, None, None, True, 0.1, 1e-5, False
    ),
    "batch norm of one sample by torch's own name": plain(
        torch.batch_norm, drawn(1, 4), None, None, None, None, True, 0.1, 1.0, False
    ),
    "instance norm": module(lambda: nn.InstanceNorm2d(4), drawn(3, 4, 2, 3)),
    "instance norm of channels last": module(
        lambda: nn.InstanceNorm2d(4), drawn(3, 4, 2, 3, layout=torch.channels_last)
    ),
    "instance norm of one sample without its axis": module(lambda: nn.InstanceNorm2d(4), drawn(4, 2, 3)),
    "instance norm in evaluation": module(
        lambda: nn.InstanceNorm2d(4, track_running_stats=True), drawn(3, 4, 2, 3), train=False
    ),
    "instance norm, functional": function(functional.instance_norm, drawn(3, 4, 5), use_input_stats=True, momentum=0.3),
    "instance norm by torch's own name": plain(
        torch.instance_norm, drawn(3, 4, 5), None, None, None, None, True, 0.1, 1e-5, False
    ),
    **{
        f"attention, {d}": plain(
            functional.scaled_dot_product_attention, *[drawn(2, 4, 5, 6, dtype=d, seed=k) for k in range(3)]
        )
        for d in KINDS
    },
    "causal attention": plain(
        functional.scaled_dot_product_attention,
        *[drawn(2, 4, 5, 6, seed=k) for k in range(3)],
        is_causal=True,
        scale=0.2,
    ),
    "attention of groups of heads": plain(
        functional.scaled_dot_product_attention,
        drawn(2, 4, 5, 6, seed=0),
        *[drawn(2, 2, 5, 6, seed=k) for k in (1, 2)],
        enable_gqa=True,
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_stand_in_gives_what_the_original_gives(name):
    value, _ = judge(RIGHT[name])
    assert isinstance(value, torch.Tensor), f"this case shall be one without an error, and is not: {value}"


WRONG = {
    "layer norm over a shape that the input does not have": plain(functional.layer_norm, drawn(3, 8), (4,)),
    "layer norm over no axis": plain(functional.layer_norm, drawn(3, 4), ()),
    "layer norm with a shape that is no sequence": plain(functional.layer_norm, drawn(3, 4), 4),
    "layer norm with gains of another shape": plain(functional.layer_norm, drawn(3, 4), (4,), torch.ones(1)),
    "layer norm with a bias of another shape": plain(functional.layer_norm, drawn(3, 4), (4,), None, torch.ones(3)),
    "layer norm of integers": plain(functional.layer_norm, torch.ones(3, 4, dtype=torch.int64), (4,)),
    "layer norm of a list": plain(functional.layer_norm, [1.0, 2.0], (2,)),
    "layer norm with gains of another dtype": plain(
        functional.layer_norm, drawn(3, 4), (4,), torch.ones(4, dtype=torch.float64)
    ),
    "rms norm over a shape that the input does not have": plain(functional.rms_norm, drawn(3, 8), (4,)),
    "rms norm with gains of another shape": plain(functional.rms_norm, drawn(3, 4), (4,), torch.ones(2)),
    "group norm of channels that groups do not divide": plain(functional.group_norm, drawn(3, 4, 2), 3),
    "group norm of one value": plain(functional.group_norm, drawn(1, 4), 4),
    "batch norm of one sample": module(lambda: nn.BatchNorm1d(4), drawn(1, 4)),
    "batch norm of one sample and one pixel": module(lambda: nn.BatchNorm2d(4), drawn(1, 4, 1, 1)),
    "batch norm of an input without channels": plain(functional.batch_norm, drawn(4), None, None, training=True),
    "batch norm with other channels": module(lambda: nn.BatchNorm1d(3), drawn(5, 4)),
    "batch norm with statistics of one channel": function(
        functional.batch_norm, drawn(5, 4), channels=1, training=True
    ),
    "batch norm with gains of another shape": function(
        functional.batch_norm, drawn(5, 4), weight=torch.ones(1), training=True
    ),
    "batch norm with a bias of another shape": function(
        functional.batch_norm, drawn(5, 4), bias=torch.ones(2), training=True
    ),
    "batch norm with an epsilon of zero": function(functional.batch_norm, drawn(5, 4), training=True, eps=0.0),
    "batch norm without momentum": function(functional.batch_norm, drawn(5, 4), training=True, momentum=None),
    "batch norm in evaluation without statistics": plain(functional.batch_norm, drawn(5, 4), None, None),
    "batch norm of another dtype": module(lambda: nn.BatchNorm1d(4), drawn(5, 4, dtype=torch.float64)),
    "batch norm by torch's own name with other channels": plain(
        torch.batch_norm, drawn(5, 4), torch.ones(3), None, None, None, True, 0.1, 1e-5, False
    ),
    "instance norm of one pixel": module(lambda: nn.InstanceNorm2d(4), drawn(3, 4, 1, 1)),
    "instance norm with gains of another shape": function(
        functional.instance_norm, drawn(3, 4, 5), weight=torch.ones(3)
    ),
    "instance norm with statistics of one channel": function(functional.instance_norm, drawn(3, 4, 5), channels=1),
    "instance norm of three axes by a module for images": module(lambda: nn.InstanceNorm2d(4), drawn(4, 2)),
    "attention of other widths": plain(
        functional.scaled_dot_product_attention, drawn(2, 5, 6), drawn(2, 5, 4), drawn(2, 5, 6)
    ),
    "attention of other dtypes": plain(
        functional.scaled_dot_product_attention, drawn(2, 5, 6), drawn(2, 5, 6), drawn(2, 5, 6, dtype=torch.float64)
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_stand_in_raises_what_the_original_raises(name):
    kind, message = judge(WRONG[name])
    assert isinstance(kind, type), f"this case shall raise outside of the closure, and does not ({message})"


def test_under_autocast_the_dtypes_are_those_of_the_original():
    weight = drawn(4, 4)
    for operator in (
        lambda x: functional.layer_norm(x, (4,)),
        lambda x: functional.batch_norm(x, None, None, training=True),
    ):
        with torch.autocast("cpu", torch.bfloat16):
            expected = operator(functional.linear(drawn(5, 4), weight))
            with smooth_operators():
                found = operator(functional.linear(drawn(5, 4), weight))
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-2)


def statistics():
    return torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)


DIFFERENTIATED = {
    "layer_norm": lambda x, w, b: functional.layer_norm(x.mT, (4,), w, b),
    "torch.layer_norm": lambda x, w, b: torch.layer_norm(x.mT, (4,), w, b),
    "rms_norm": lambda x, w, b: functional.rms_norm(x.mT, (4,), w) + b,
    "torch.rms_norm": lambda x, w, b: torch.rms_norm(x.mT, (4,), w) + b,
    "group_norm": lambda x, w, b: functional.group_norm(x, 2, w, b),
    "batch_norm": lambda x, w, b: functional.batch_norm(x, *statistics(), w, b, training=True),
    "batch_norm in evaluation": lambda x, w, b: functional.batch_norm(x, *statistics(), w, b),
    "torch.batch_norm": lambda x, w, b: torch.batch_norm(x, w, b, *statistics(), True, 0.1, 1e-5, False),
    "instance_norm": lambda x, w, b: functional.instance_norm(x, weight=w, bias=b),
    "instance_norm with statistics": lambda x, w, b: functional.instance_norm(x, *statistics(), w, b),
    "instance_norm in evaluation": lambda x, w, b: functional.instance_norm(
        x, *statistics(), w, b, use_input_stats=False
    ),
    "torch.instance_norm": lambda x, w, b: torch.instance_norm(x, w, b, *statistics(), True, 0.1, 1e-5, False),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_derivatives_of_a_normalisation_are_those_of_differences(name):
    torch.manual_seed(0)
    x, host = torch.randn(5, 4, 3, dtype=torch.float64), nn.ParameterList(torch.randn(2, 4).double().unbind())
    layers, velocity = list(host), [torch.randn(4, dtype=torch.float64) / 2 for _ in range(2)]

    def loss():
        with smooth_operators():
            w, b = host
            return DIFFERENTIATED[name]((x * w[:, None]).sin(), w, b).sin().square().sum()

    reverse = line_derivatives.reverse(
        torch.autograd.grad(loss(), layers, create_graph=True), layers, velocity, [False, False], 4
    )
    start, h, f = [p.detach().clone() for p in layers], 4e-3, {}
    with torch.no_grad():
        forward = line_derivatives.forward(loss, host, layers, velocity, [False, False], 4)
        for k in range(-4, 5):
            for p, w, v in zip(layers, start, velocity, strict=True):
                p.copy_(w + k * h * v)
            f[k] = loss().item()
    first = (672 * (f[1] - f[-1]) - 168 * (f[2] - f[-2]) + 32 * (f[3] - f[-3]) - 3 * (f[4] - f[-4])) / (840 * h)
    even = {k: f[k] + f[-k] - 2 * f[0] for k in range(1, 5)}
    second = (8064 * even[1] - 1008 * even[2] + 128 * even[3] - 9 * even[4]) / (5040 * h**2)
    third = (-488 * (f[1] - f[-1]) + 338 * (f[2] - f[-2]) - 72 * (f[3] - f[-3]) + 7 * (f[4] - f[-4])) / (240 * h**3)
    fourth = -(1952 * even[1] - 676 * even[2] + 96 * even[3] - 7 * even[4]) / (240 * h**4)
    expected = torch.tensor([first, second, third, fourth], dtype=torch.float64)
    for found in (forward, reverse):
        error = (found - expected).abs() / expected.abs().cummax(dim=0).values
        assert error.max() < 1e-4, f"{found} against {expected} by differences"
