"""The torch.optim classes with the rest of torch: schedulers, mixed precision, compilation, accumulation, a GPU."""

import io
import shutil

import pytest
import torch
from torch_convnet import GAIN, convnet, images, square_loss
from torch_loop import CLASSES, FIRST_ORDER, Loop, same

from normbench.torch import LARS, Fromage, Method2, Method2Exp

OPTIMIZERS = CLASSES | {
    "method2": lambda params: Method2(params, gain=GAIN, mean_square_input=4.0),
    "method2_exp": lambda params: Method2Exp(params, gain=GAIN, mean_square_input=4.0),
    "fromage": lambda params: Fromage(params, p_bound=1.5),
}
COMPILED = {"agd": "inductor", "fromage": "aot_eager", "lars": "aot_eager"}  # C++ of one, whose step has most in it


def descend(optimizer, model, x, y, *, autocast=False, step=None):
    """One step; the loss before it."""

    def closure():
        with torch.autocast(x.device.type, torch.bfloat16, enabled=autocast):
            outputs = model(x)
        return square_loss(outputs.float() if autocast else outputs, y)

    if optimizer.differentiates:
        return optimizer.step(closure).item()
    optimizer.zero_grad()
    loss = closure()
    loss.backward()
    (step or optimizer.step)()
    return loss.item()


@pytest.mark.parametrize("key", OPTIMIZERS)
def test_master_weights_stay_in_float32_under_autocast(key):
    losses = []
    for autocast in (False, True):
        model, (x, y) = convnet(0, torch.float32), images(0, dtype=torch.float32)
        optimizer = OPTIMIZERS[key](model.parameters())
        losses.append([descend(optimizer, model, x, y, autocast=autocast) for _ in range(10)])
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses[1] != losses[0]
    # bfloat16 has 8 digits; the run is another one, but it gets as far
    assert losses[1][0] == pytest.approx(losses[0][0], rel=0.02)
    assert losses[1][-1] - losses[0][-1] < 0.1 * (losses[0][0] - losses[0][-1])


@pytest.mark.parametrize("key", FIRST_ORDER)
def test_a_gradient_scaler_changes_no_step_and_skips_where_it_overflows(key):
    results = []
    for scale, factor in ((None, 1.0), (2.0**10, 1.0), (2.0**10, float("inf"))):
        model, (x, y) = convnet(0, torch.float32), images(0, dtype=torch.float32)
        optimizer = OPTIMIZERS[key](model.parameters())
        scaler = torch.amp.GradScaler("cpu", init_scale=scale or 1.0, enabled=scale is not None)
        scaler.scale(factor * square_loss(model(x), y)).backward()
        scaler.step(optimizer)
        scaler.update()
        results.append(list(model.parameters()))
    unscaled, scaled, skipped = results
    assert same(scaled, unscaled)  # a power of two leaves all digits
    assert same(skipped, convnet(0, torch.float32).parameters())
    assert not same(scaled, skipped)


@pytest.mark.parametrize(("key", "compiler"), COMPILED.items())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler itself
def test_a_compiled_step_is_one_graph_and_the_same_step(key, compiler):
    if compiler == "inductor" and not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("torch.compile needs a C++ compiler, and there is none here")
    torch._dynamo.reset()
    weights = []
    for compiled in (False, True):
        model, (x, y) = convnet(0), images(0)
        optimizer = OPTIMIZERS[key](model.parameters())
        step = torch.compile(optimizer.step, fullgraph=True, backend=compiler) if compiled else None
        for _ in range(3):
            descend(optimizer, model, x, y, step=step)
        weights.append(list(model.parameters()))
    for plain, fast in zip(*weights, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-12, atol=0)


@pytest.mark.parametrize("optimizer_of", [Fromage, LARS])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_rate_in_a_tensor_changes_without_another_graph(optimizer_of):
    torch._dynamo.reset()
    graphs, weights = [], []
    for as_tensor in (False, True):
        model, (x, y) = convnet(0), images(0)
        rate = torch.tensor(0.1, dtype=torch.float64) if as_tensor else 0.1
        optimizer = optimizer_of(model.parameters(), lr=rate)

        def count(graph, inputs):
            graphs.append(graph)
            return graph

        step = torch.compile(optimizer.step, fullgraph=True, backend=count) if as_tensor else None
        for _ in range(4):
            descend(optimizer, model, x, y, step=step)
            optimizer.param_groups[0]["lr"] *= 0.5
        weights.append(list(model.parameters()))
    assert len(graphs) == 1
    for plain, other in zip(*weights, strict=True):
        torch.testing.assert_close(other, plain, rtol=1e-12, atol=0)


@pytest.mark.parametrize("as_tensor", [False, True], ids=["float", "tensor"])
@pytest.mark.parametrize("optimizer_of", [Fromage, LARS])
def test_schedulers_of_torch_set_the_rate(case_of, optimizer_of, as_tensor):
    loop, start = Loop(case_of("lars")), 0.02
    loop.optimizer = optimizer_of(loop.model.parameters(), lr=torch.tensor(start) if as_tensor else start)
    (group,) = loop.optimizer.param_groups
    halving = torch.optim.lr_scheduler.StepLR(loop.optimizer, step_size=1, gamma=0.5)
    loop.run(1)
    halving.step()
    assert float(group["lr"]) == pytest.approx(start / 2)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(loop.optimizer, factor=0.1, patience=0)
    for loss in (1.0, 2.0):
        plateau.step(loss)
    assert float(group["lr"]) == pytest.approx(start / 20)
    assert isinstance(group["lr"], torch.Tensor) == as_tensor
    before = loop.weights()
    loop.run(1)
    change = (loop.weights()[0] - before[0]).norm() / before[0].norm()
    assert change.item() == pytest.approx(start / 20, rel=0.01)


@pytest.mark.parametrize("key", FIRST_ORDER)
def test_gradients_of_parts_accumulate(key):
    weights = []
    for parts in (1, 3):
        model, (x, y) = convnet(0), images(0)
        optimizer = OPTIMIZERS[key](model.parameters())
        for rows in torch.arange(len(x)).split(len(x) // parts):
            (square_loss(model(x[rows]), y[rows]) / parts).backward()
        optimizer.step()
        weights.append(list(model.parameters()))
    for whole, summed in zip(*weights, strict=True):
        torch.testing.assert_close(summed, whole, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("key", OPTIMIZERS)
def test_a_stored_run_on_kernels_goes_on_with_the_same_bits(key):
    model, (x, y) = convnet(0), images(0)
    optimizer = OPTIMIZERS[key](model.parameters())
    for _ in range(3):
        descend(optimizer, model, x, y)
    file = io.BytesIO()
    torch.save((model.state_dict(), optimizer.state_dict()), file)
    file.seek(0)
    other = convnet(1)
    resumed = OPTIMIZERS[key](other.parameters())
    for part, stored in zip((other, resumed), torch.load(file), strict=True):
        part.load_state_dict(stored)
    for m, o in ((model, optimizer), (other, resumed)):
        for _ in range(3):
            descend(o, m, x, y)
    assert same(model.parameters(), other.parameters())


@pytest.mark.gpu
@pytest.mark.parametrize("key", OPTIMIZERS)
def test_a_gpu_takes_the_steps_of_the_cpu(key):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    losses = []
    for device in ("cpu", "cuda"):
        model, data = convnet(0).to(device), [a.to(device) for a in images(0)]
        optimizer = OPTIMIZERS[key](model.parameters())
        losses.append([descend(optimizer, model, *data) for _ in range(20)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-8)


@pytest.mark.gpu
@pytest.mark.parametrize("key", COMPILED)
def test_a_step_on_a_gpu_never_waits_for_it(key):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    model, data = convnet(0, torch.float32).cuda(), [a.cuda() for a in images(0, dtype=torch.float32)]
    optimizer = OPTIMIZERS[key](model.parameters())
    square_loss(model(data[0]), data[1]).backward()
    optimizer.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
