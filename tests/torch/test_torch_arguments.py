"""What the torch.optim classes refuse, and what they say then."""

import math
import re

import pytest
import torch
from torch_loop import Loop, same

from normbench.errors import InvalidArgumentError
from normbench.torch import AGD, LARS, Fromage, Method1, Method2, Method2Exp


def matrix():
    return torch.nn.Parameter(torch.ones(2, 3))


@pytest.mark.parametrize("optimizer", [Method2, Method2Exp, AGD])
@pytest.mark.parametrize("shape", [(4,), ()], ids=str)
def test_biases_and_gains_raise_with_their_name(optimizer, shape):
    bias = torch.nn.Parameter(torch.ones(shape))
    reason = re.escape(f"of shape {shape} is neither a matrix") + r".*other optimiser, e\.g\. torch\.optim\.Adam\.$"
    for given, name in (([matrix(), bias], "1"), ([("w", matrix()), ("head.bias", bias)], "'head.bias'")):
        with pytest.raises(InvalidArgumentError, match=f"^parameter {name} {reason}"):
            optimizer(given)


@pytest.mark.parametrize("optimizer", [Method1, Method2, Method2Exp, AGD])
def test_frozen_parameters_raise_with_their_name(optimizer):
    frozen = torch.nn.Parameter(torch.ones(2, 2), requires_grad=False)
    reason = rf"of shape \(2, 2\) is frozen .* Leave it out of {optimizer.__name__}"
    for given, name in (([matrix(), frozen], "1"), ([("w", matrix()), ("v", frozen)], "'v'")):
        with pytest.raises(InvalidArgumentError, match=f"^parameter {name} {reason}"):
            optimizer(given)


@pytest.mark.parametrize("optimizer", [Method1, Method2, Method2Exp])
def test_a_zero_parameter_lies_on_no_sphere(optimizer):
    with pytest.raises(InvalidArgumentError, match=r"parameter 1 of shape \(2, 2\) is zero"):
        optimizer([matrix(), torch.nn.Parameter(torch.zeros(2, 2))])


@pytest.mark.parametrize("optimizer", [Method2, Method2Exp, AGD])
def test_coupled_layers_form_one_group_without_options(optimizer):
    with pytest.raises(InvalidArgumentError, match="takes one parameter group"):
        optimizer([{"params": [matrix()]}, {"params": [matrix()]}])
    with pytest.raises(InvalidArgumentError, match="takes one parameter group"):
        optimizer([matrix()]).add_param_group({"params": [matrix()]})
    with pytest.raises(InvalidArgumentError, match=r"has no learning rate; got lr = 0\.1"):
        optimizer([{"params": [matrix()], "lr": 0.1}])


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [(Method1, "order", value) for value in (1, 5, 2.0)]
    + [(Method1, "trust_region", -0.1), (Method1, "max_halvings", -1), (Method2Exp, "mean_square_input", True)]
    + [(Method2, "mean_square_input", value) for value in (0.0, -1.0, math.nan, math.inf, "1", None)]
    + [(Method2, name, value) for name in ("gain", "curvature") for value in (0.0, math.inf, "1", True)]
    + [(Fromage, "lr", 1.5), (LARS, "lr", torch.tensor(-0.5)), (Fromage, "p_bound", 0.5), (LARS, "lr", "0.1")],
)
def test_a_bad_hyperparameter_raises(optimizer, name, value):
    shown = value.item() if isinstance(value, torch.Tensor) else value
    with pytest.raises(
        InvalidArgumentError, match=rf"{'learning_rate' if name == 'lr' else name} must .*; got {shown!r}\."
    ):
        optimizer([matrix()], **{name: value})


@pytest.mark.parametrize("optimizer", [Fromage, LARS])
def test_a_bad_option_of_a_group_raises(optimizer):
    for bad, message in (({"lr": -1.0}, "learning_rate must"), ({"learning_rate": 0.1}, "no option 'learning_rate'")):
        with pytest.raises(InvalidArgumentError, match=message):
            optimizer([{"params": [matrix()], **bad}])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"manifold": "stiefel"}, "manifold must be 'sphere' or 'euclidean'; got 'stiefel'"),
        ({"radius": 2.0}, "radius belongs to manifold 'euclidean'; got 2.0 on a sphere"),
        ({"manifold": "euclidean", "radius": 0.0}, "radius must be positive and finite; got 0.0"),
        ({"manifold": "euclidean", "radius": "1"}, "radius must be positive and finite; got '1'"),
        ({"order": 3}, "no option order of a parameter group. A group takes: manifold, radius"),
    ],
    ids=str,
)
def test_a_bad_group_of_method1_raises(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        Method1([{"params": [matrix()]}, {"params": [matrix()], **options}])


def test_method1_refuses_parameters_outside_its_module():
    module = torch.nn.Linear(3, 2)
    with pytest.raises(InvalidArgumentError, match=r"parameter 'other' of shape \(2, 3\) is not a parameter of module"):
        Method1([*module.named_parameters(), ("other", matrix())], module=module)


def test_method1_refuses_no_closures(case_of):
    with pytest.raises(InvalidArgumentError, match="at least one; got an empty one"):
        Loop(case_of("method1")).optimizer.step([])


def test_method1_refuses_a_parameter_that_was_frozen_since(case_of):
    loop = Loop(case_of("method1"))
    next(loop.model.parameters()).requires_grad_(False)
    with pytest.raises(InvalidArgumentError, match="is frozen"):
        loop.run(1)


@pytest.mark.parametrize(
    ("closure", "message"),
    [
        (lambda loop: loop.loss().item(), "must return the loss as a tensor with its graph"),
        (lambda loop: loop.loss().detach(), "must return the loss as a tensor with its graph"),
        (lambda loop: None, "must return the loss as a tensor with its graph"),
        (lambda loop: loop.backward(), r"must not call backward\(\)"),
    ],
    ids=["float", "detached", "nothing", "backward"],
)
def test_method1_refuses_a_closure_that_it_cannot_differentiate(case_of, closure, message):
    loop = Loop(case_of("method1"))
    before = loop.weights()
    with pytest.raises(InvalidArgumentError, match=message):
        loop.optimizer.step(lambda: closure(loop))
    assert same(loop.weights(), before)
    loop.run(1)  # and it goes on with a closure that it can
    assert loop.loss().item() < loop.losses[0]
