"""The gate: what every torch.optim class takes as a parameter, refuses by name, or never moves."""

import copy
import pickle
import re
import warnings

import pytest
import torch
from torch_loop import same
from torch_members import COUPLED, FROM_GRADIENTS, LAYERWISE, MEMBERS, advance, copies, names, network

from normbench.errors import InvalidArgumentError, NotReachedWarning
from normbench.torch import AGD, FGSGD, LARS, Fromage, Method2

each = pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))
coupled = pytest.mark.parametrize("member", COUPLED, ids=names(COUPLED))
layerwise = pytest.mark.parametrize("member", LAYERWISE, ids=names(LAYERWISE))


def frozen(tensor):
    return torch.nn.Parameter(tensor, requires_grad=False)


def nested():
    return torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)], layout=torch.jagged)


def flat_shard():
    """A parameter as FullyShardedDataParallel leaves it, which needs an accelerator to be made."""
    from torch.distributed.fsdp._common_utils import _set_fsdp_flattened

    p = torch.nn.Parameter(torch.ones(3, 3))
    _set_fsdp_flattened(p)
    return p


UNFIT = {
    "integers": (lambda: frozen(torch.ones((3, 3), dtype=torch.int64)), "holds int64; the update is for float16"),
    "booleans": (lambda: frozen(torch.ones((3, 3), dtype=torch.bool)), "holds bool"),
    "float8": (lambda: frozen(torch.ones((3, 3)).to(torch.float8_e4m3fn)), "holds float8_e4m3fn"),
    "sparse": (lambda: torch.eye(3).to_sparse().requires_grad_(), r"is stored as torch\.sparse_coo, not dense"),
    "csr": (lambda: torch.eye(3).to_sparse_csr().requires_grad_(), r"is stored as torch\.sparse_csr, not dense"),
    "quantised": (lambda: torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8), "is quantised"),
    "meta": (lambda: torch.nn.Parameter(torch.ones((3, 3), device="meta")), "is on the meta device"),
    "nested": (lambda: nested().requires_grad_(), "is a nested tensor"),
    "lazy": (torch.nn.parameter.UninitializedParameter, "is not initialised yet"),
    "NaN": (lambda: torch.nn.Parameter(torch.full((3, 3), torch.nan)), "holds NaN or infinity"),
    "infinity": (lambda: torch.nn.Parameter(torch.tensor([[1.0, -torch.inf]])), "holds NaN or infinity"),
    "flat": (flat_shard, "is a flat shard of FullyShardedDataParallel"),
}


@pytest.mark.parametrize("odd", UNFIT)
@each
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own about prototypes
def test_a_tensor_that_cannot_move_is_refused_by_name(member, odd):
    make, message = UNFIT[odd]
    good = network()
    before = copies(good)
    for given, name in (([*good, make()], "3"), ([("a", good[0]), ("odd", make())], "'odd'")):
        with pytest.raises(InvalidArgumentError, match=rf"^parameter {name}( of shape .*)? {message}"):
            member.make(given)
    assert member.coupled or member.kind is FGSGD or same(good, before)


@each
def test_complex_weights_move_where_the_method_knows_them_and_are_refused_elsewhere(member):
    p = torch.nn.Parameter(torch.ones((3, 3), dtype=torch.complex64))
    if member.complex:
        p.grad = torch.full_like(p, 1j)
        member.make([p]).step()
        assert not torch.equal(p, torch.ones_like(p))
        return
    with pytest.raises(InvalidArgumentError, match="holds complex64; the update is for float16, bfloat16, float32"):
        member.make([p])


@each
def test_a_refused_group_leaves_the_optimiser_as_it_was(member):
    params = network()
    optimizer = member.make(params)
    for bad in (UNFIT["NaN"][0](), UNFIT["integers"][0]()):
        with pytest.raises(InvalidArgumentError):
            optimizer.add_param_group({"params": [bad]})
    assert len(optimizer.param_groups) == 1
    assert bad not in optimizer.state
    advance(optimizer, params)


@coupled
def test_frozen_weights_are_refused_where_they_would_count_as_layers(member):
    params = network()
    params[1].requires_grad_(False)
    with pytest.raises(InvalidArgumentError, match=r"^parameter 1 of shape .* is frozen"):
        member.make(params)
    params[1].requires_grad_(True)
    optimizer = member.make(params)
    advance(optimizer, params)
    before = copies(params)
    params[1].requires_grad_(False)
    with pytest.raises(InvalidArgumentError, match=r"^parameter 1 of shape .* is frozen"):
        advance(optimizer, params)
    assert same(params, before)


@pytest.mark.parametrize("member", LAYERWISE[:3], ids=names(LAYERWISE[:3]))
def test_frozen_weights_never_move_and_unfrozen_ones_do(member):
    params = network()
    params[1].requires_grad_(False)
    before = copies(params)
    optimizer = member.make(params)
    advance(optimizer, params)
    params[2].grad = torch.ones_like(params[2])  # a stale gradient moves nothing that is frozen since
    params[2].requires_grad_(False)
    last = params[2].detach().clone()
    optimizer.step()
    assert torch.equal(params[1], before[1])
    assert torch.equal(params[2], last)
    params[1].requires_grad_(True)
    advance(optimizer, params)
    assert not torch.equal(params[1], before[1])


@each
def test_groups_without_parameters_are_nothing_to_do(member):
    params = network()
    optimizer = member.make([{"params": []}, {"params": params}, {"params": []}])
    plain = network()
    advance(optimizer, params, 2)
    other = member.make(plain)
    advance(other, plain, 2)
    assert same(params, plain)
    for group in optimizer.param_groups:
        assert member.kind is FGSGD or group.get("step_size") == other.param_groups[0].get("step_size")
    empty = member.make([{"params": []}])
    empty.step(*[lambda: torch.zeros(())] * member.closure)
    empty.load_state_dict(empty.state_dict())


@each
def test_what_torch_refuses_is_refused_as_torch_does(member):
    with pytest.raises(ValueError, match="empty parameter list"):
        member.make([])
    with pytest.raises(ValueError, match="non-leaf"):
        member.make([network()[0] * 2])
    with pytest.raises(TypeError, match="ordered collections"):
        member.make([{"params": set(network())}])
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        member.make([1.0])
    params = network()
    with pytest.raises(ValueError, match=r"more than one parameter group|takes one parameter group"):
        member.make([{"params": params}, {"params": params[:1]}])


@each
def test_a_module_and_duplicates_are_refused_with_the_remedy(member):
    with pytest.raises(InvalidArgumentError, match=r"got the module Linear\. Pass its \.parameters\(\)"):
        member.make(torch.nn.Linear(3, 2))
    params = network()
    with pytest.raises(InvalidArgumentError, match=r"^parameter 3 of shape \(6, 4\) is given twice"):
        member.make([*params, params[0]])


@each
def test_generators_and_names_are_taken(member):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3, bias=False), torch.nn.Linear(3, 2, bias=False))
    assert len(member.make(p for p in model.parameters()).param_groups[0]["params"]) == 2
    named = member.make(model.named_parameters())
    assert named.param_groups[0]["param_names"] == ["0.weight", "1.weight"]
    assert len(member.make([{"params": (p for p in model.parameters())}]).param_groups[0]["params"]) == 2


@pytest.mark.parametrize("kind", [Fromage, LARS])
@pytest.mark.parametrize("shape", [(), (5,), (0,), (3, 0)], ids=str)
def test_layerwise_classes_take_any_shape(kind, shape):
    p = torch.nn.Parameter(torch.ones(shape))
    p.grad = torch.full(shape, 2.0)
    kind([p], lr=0.1).step()
    expected = torch.full(shape, 0.9 / (1.01**0.5 if kind is Fromage else 1.0))
    torch.testing.assert_close(p.detach(), expected)


@coupled
def test_a_tensor_without_entries_is_no_layer(member):
    with pytest.raises(InvalidArgumentError, match=r"^parameter 3 of shape \(0, 3\) has no entries"):
        member.make([*network(), torch.nn.Parameter(torch.ones(0, 3))])


@pytest.mark.parametrize("member", [m for m in FROM_GRADIENTS if m.kind is not FGSGD], ids=lambda m: m.name)
def test_a_sparse_gradient_moves_as_its_dense_form(member):
    results = []
    for sparse in (False, True):
        table = torch.nn.Embedding(5, 4, sparse=sparse)
        torch.nn.init.ones_(table.weight)
        optimizer = member.make(table.parameters())
        table(torch.tensor([1, 3, 1])).square().sum().backward()
        assert table.weight.grad.is_sparse == sparse
        optimizer.step()
        results.append(table.weight)
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("member", [m for m in COUPLED if not m.closure], ids=lambda m: m.name)
def test_a_layer_without_a_gradient_is_named_once(member):
    params = network()
    optimizer = member.make([(f"layer{k}", p) for k, p in enumerate(params)])
    for p in (params[0], params[2]):
        p.grad = torch.ones_like(p)
    with pytest.warns(
        NotReachedWarning, match=rf"^parameter 'layer1' of shape \(5, 6\) of {member.kind.__name__} has no"
    ):
        optimizer.step()
    optimizer.step()  # warnings are errors here


def test_most_of_many_missing_layers_are_counted_not_listed():
    params = network(shapes=[(2, 2)] * 30)
    optimizer = AGD(params)
    params[0].grad = torch.ones(2, 2)
    with pytest.warns(NotReachedWarning, match=r"parameter 6 of shape \(2, 2\) and 23 more of AGD have no gradient"):
        optimizer.step()


def replaced(model):
    """Ways to give a model other parameters than those that its optimiser holds."""
    state = {name: w.clone() for name, w in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    return model


@pytest.mark.parametrize("orphan", [replaced, copy.deepcopy], ids=["assign", "deepcopy"])
@pytest.mark.parametrize("member", FROM_GRADIENTS, ids=names(FROM_GRADIENTS))
def test_orphans_whose_model_has_other_parameters_are_not_silent(member, orphan):
    model = torch.nn.Linear(4, 3, bias=False)
    optimizer = member.make(model.parameters())
    before = copies(optimizer.param_groups[0]["params"])
    model = orphan(model)
    model(torch.ones(2, 4)).sum().backward()
    with pytest.warns(NotReachedWarning, match="^not one of the 1 parameters of .*then make it anew"):
        optimizer.step()
    assert same(optimizer.param_groups[0]["params"], before)


def test_a_layerwise_class_follows_torch_for_a_single_missing_gradient():
    params = network()
    optimizer = Fromage(params)
    params[0].grad = torch.ones_like(params[0])
    optimizer.step()  # no warning, as torch.optim


@pytest.mark.parametrize("kind", [Fromage, AGD, Method2])
def test_a_scaler_that_skips_leaves_no_trace(kind):
    params = network()
    optimizer = kind(params)
    before, state = copies(params), copy.deepcopy(optimizer.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for p in params:
        p.grad = torch.ones_like(p)
    params[1].grad[0, 0] = torch.inf
    scaler.scale(torch.ones(()))
    scaler.step(optimizer)
    scaler.update()
    assert same(params, before)
    assert optimizer.state_dict() == state


@pytest.mark.gpu
@coupled
def test_layers_on_two_devices_are_refused(member):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    params = network()
    with pytest.raises(InvalidArgumentError, match=r"parameter 3 .* is on cuda:0, others are on cpu"):
        member.make([*params, torch.nn.Parameter(torch.ones(2, 2, device="cuda"))])


def test_the_messages_of_the_gate_name_the_class_and_a_remedy():
    with pytest.raises(InvalidArgumentError, match=re.escape("Leave it out of AGD, or give it to another optimiser")):
        AGD([*network(), frozen(torch.ones(2, 2))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AGD(network())


@each
@pytest.mark.parametrize("way", ["as it is", "unpickled"])
def test_flat_parts_that_a_wrapper_has_put_into_a_group_are_no_layers(member, way):
    params = network()
    optimizer = member.make(params)
    if way == "unpickled":
        optimizer = pickle.loads(pickle.dumps(optimizer))
    group = optimizer.param_groups[0]
    flat = torch.cat([p.detach().flatten() for p in group["params"]])  # what DeepSpeed's stages 1 and 2 leave there
    group["params"] = [torch.nn.Parameter(part) for part in flat.chunk(2)[:1]]
    before = group["params"][0].detach().clone()
    group["params"][0].grad = torch.ones_like(before)
    with pytest.raises(InvalidArgumentError, match=r"parameters of group 0 of \w+ have the shapes"):
        optimizer.step(lambda: group["params"][0].square().sum()) if member.closure else optimizer.step()
    assert torch.equal(group["params"][0].detach(), before)
