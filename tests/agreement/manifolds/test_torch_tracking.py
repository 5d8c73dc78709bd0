"""What track() measures of a live model: passes that count once, and those that leave no trace."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from normbench.errors import NotReachedWarning
from normbench.torch import FGSGD
from tests.agreement.manifolds.convnet import images, network


def measured(model, optimizer):
    return [float(optimizer.state[w].get("feature_std", 1.0)) for w in model.parameters()]


def tracked():
    model = network()
    optimizer = FGSGD(model.parameters(), lr=1.0)
    optimizer.track(model)
    return model, optimizer


BAD_PASSES = {
    "inf": lambda: images().index_fill(0, torch.tensor([0]), math.inf),
    "nan": lambda: images().index_fill(0, torch.tensor([0]), math.nan),
    "empty": lambda: images()[:0],
}


@pytest.mark.parametrize("bad", BAD_PASSES)
def test_a_pass_that_measures_nothing_leaves_no_trace(bad):
    (model, optimizer), (twin, twins) = tracked(), tracked()
    for t in range(3):
        model(images(t))
        model(BAD_PASSES[bad]())
        twin(images(t))
    assert measured(model, optimizer) == measured(twin, twins) != [1.0, 1.0]


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_features_of_any_size_are_measured(size):
    layer = nn.Linear(4, 3, bias=False)
    optimizer = FGSGD(layer.parameters())
    optimizer.track(layer)
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    layer(size * x)
    assert measured(layer, optimizer) == pytest.approx([0.9 + 0.1 * size * float(x.std(correction=0))], rel=1e-5)


def test_track_twice_counts_once_and_the_last_handle_ends_it():
    (model, optimizer), (twin, twins) = tracked(), tracked()
    handles = optimizer.track(model)
    model(images())
    twin(images())
    assert measured(model, optimizer) == measured(twin, twins)
    for handle in handles:
        handle.remove()
    model(images(1))
    assert measured(model, optimizer) == measured(twin, twins)


def test_copies_of_model_and_optimiser_can_be_tracked_again_and_count_once():
    (model, optimizer), (twin, twins) = tracked(), copy.deepcopy(tracked())
    twins.track(twin)
    for m in (model, twin):
        m(images())
    assert measured(model, optimizer) == measured(twin, twins)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_pass_that_a_checkpoint_repeats_counts_once(reentrant):
    (model, optimizer), (twin, twins) = tracked(), tracked()
    x = images().requires_grad_()
    checkpoint(model, x, use_reentrant=reentrant).square().mean().backward()
    twin(images())
    assert measured(model, optimizer) == measured(twin, twins)


def test_inputs_by_keyword_in_half_precision_and_of_other_kinds():
    layer = nn.Linear(4, 3, bias=False, dtype=torch.bfloat16)
    optimizer = FGSGD(layer.parameters())
    optimizer.track(layer)
    layer(input=torch.randn(9, 4, dtype=torch.bfloat16))
    assert measured(layer, optimizer) != [1.0]
    for wrong in ("text", None, torch.ones(2, 4, dtype=torch.int64)):
        before = measured(layer, optimizer)
        with pytest.raises((TypeError, RuntimeError)):  # of the layer itself
            layer(wrong)
        assert measured(layer, optimizer) == before


def test_a_replaced_weight_is_said_once_and_leaves_no_entry():
    model, optimizer = tracked()
    model[2].weight = nn.Parameter(model[2].weight.detach().clone())
    with pytest.warns(NotReachedWarning, match=r"the weight of Linear\(.* was replaced since track\(\)"):
        model(images())
    model(images())  # without a second warning, which would be an error
    assert len(optimizer.state) == 2
    optimizer.state_dict()


def test_a_functional_call_with_other_weights_measures_nothing():
    model, optimizer = tracked()
    torch.func.functional_call(model, {n: 2 * w.detach() for n, w in model.named_parameters()}, (images(),))
    assert measured(model, optimizer) == [1.0, 1.0]


def test_a_compiled_model_is_measured_too():
    (model, optimizer), (twin, twins) = tracked(), tracked()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    for m in (compiled, twin):
        m(images())
    assert measured(model, optimizer) == pytest.approx(measured(twin, twins), rel=1e-6)


def test_inference_measures_nothing():
    model, optimizer = tracked()
    with torch.inference_mode():
        model(images())
    assert measured(model, optimizer) == [1.0, 1.0]
