"""What parametrize refuses, with its reason and before anything is changed."""

import warnings

import pytest
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrize import is_parametrized

from normbench.errors import InvalidArgumentError
from normbench.torch import parametrize
from tests.torch.test_torch_parametrize import BOUND, perceptron


def changed_last(how):
    """A perceptron whose last layer is one that cannot be parametrised."""
    model = perceptron((5, 4, 4, 4))
    last = model[4]
    if how == "tied":
        last.weight = model[2].weight
    elif how == "prune":
        prune.l1_unstructured(last, "weight", 2)
    elif how == "meta":
        last.to("meta")
    elif how == "half":
        last.half()
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch advises the newer ones
            getattr(nn.utils, how)(last)
    return model


def zeroed(model):
    nn.init.zeros_(model[2].weight)
    return model


@pytest.mark.parametrize(
    ("make", "key", "options", "message"),
    [
        (perceptron, "free", {}, "'free' keeps no bound. Choose sphere or spectral or ball or sandwich"),
        (perceptron, "spektral", {}, "no parametrisation 'spektral'. Did you mean 'spectral'"),
        (perceptron, "ball", {"lipschitz": 0.0}, "lipschitz must be positive and finite; got 0.0"),
        (perceptron, "ball", {"geometry": "free"}, "geometry of parametrisation 'ball' must be 'stiefel'; got 'free'"),
        (lambda: nn.Linear(3, 2), "ball", {}, r"must be a torch\.nn\.Sequential, .*; got Linear"),
        (lambda: nn.Sequential(nn.ReLU()), "ball", {}, "must have a Linear or Conv2d layer"),
        (lambda: nn.Sequential(nn.Linear(3, 2), nn.GELU()), "ball", {}, r"layer '1', GELU\(.*is none of those"),
        (
            lambda: nn.Sequential(nn.Linear(3, 3), nn.Dropout()),
            "spectral",
            {},
            r"layer '1', Dropout\(.*is none of those",
        ),
        (lambda: nn.Sequential(nn.Conv2d(2, 4, 3, groups=2)), "ball", {}, "layer '0', .* one group and no dilation"),
        (lambda: nn.Sequential(nn.Conv2d(2, 4, (3, 2))), "ball", {}, "layer '0', .* must have a square kernel"),
        (lambda: nn.Sequential(nn.Conv2d(2, 4, 2, padding="same")), "ball", {}, "layer '0', .* padding on all sides"),
        (lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=(1, 0))), "ball", {}, "layer '0', .* padding on all sides"),
        (lambda: nn.Sequential(nn.Linear(3, 2), nn.MaxPool2d(3, 2)), "ball", {}, "layer '1', .* without overlap"),
        (
            lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Linear(4, 2)),
            "sandwich",
            {},
            "parametrisation 'sandwich' takes dense layers with activations between them",
        ),
        (lambda: perceptron((3, 2)), "sandwich", {}, "at least one hidden layer"),
        (
            lambda: perceptron(activation=lambda: nn.LeakyReLU(2.0)),
            "sandwich",
            {},
            r"with slopes in \[0, 1\]; got",
        ),
        (lambda: zeroed(perceptron()), "spectral", {}, "weight of layer '2' is zero or not finite"),
        (lambda: perceptron().half(), "ball", {}, "weight of layer '0' is float16, whose rounding .* in float32"),
        (lambda: nn.Sequential(*[nn.Linear(3, 3)] * 2), "ball", {}, "layer '1', .* is in the Sequential twice"),
        *[
            (lambda how=how: changed_last(how), key, {}, message)
            for key in ("ball", "sandwich")
            for how, message in {
                "tied": "layers '2' and '4' have one weight.* Give layer '4' a weight of its own",
                "spectral_norm": "weight of layer '4' is no parameter: .*remove_spectral_norm",
                "weight_norm": "weight of layer '4' is no parameter: .*remove_weight_norm",
                "prune": "weight of layer '4' is no parameter: .*prune.remove",
                "meta": "weight of layer '4' is on the meta device.* Load or initialise it",
                "half": "weight of layer '4' is float16",
            }.items()
        ],
        *[
            (
                perceptron,
                key,
                {"lipschitz": bound},
                r"lipschitz=1e.140 .*'0'.* float32 holds. Measure .* other units",
            )
            for key in ("ball", "sandwich")
            for bound in (1e-140, 1e140)
        ],
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(make, key, options, message):
    model = make()
    with pytest.raises(InvalidArgumentError, match=message):
        parametrize(model, key, **({"lipschitz": BOUND} | options))
    assert not any(is_parametrized(each) for each in model.modules())  # not half of it


def test_a_network_that_is_parametrised_already_is_refused():
    model = parametrize(perceptron(), "ball", lipschitz=BOUND)
    with pytest.raises(InvalidArgumentError, match="weight of layer '0' is parametrised already"):
        parametrize(model, "spectral", lipschitz=BOUND)
