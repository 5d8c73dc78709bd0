"""Every torch.optim class through skorch: the steps of a plain loop, and a run that goes on from saved parameters."""

import pytest
import torch

from tests.clients.torch_loops import MEMBERS, classifier, in_a_loop, names, samples

each = pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))


@pytest.fixture
def net_of(in_skorch):
    """A net of skorch with a member's optimiser, as the page says."""

    def made(member, seed=0):
        kind = in_skorch["NeuralNetClassifier" if member.rated else "Automatic"]
        options = {f"optimizer__{name}": value for name, value in member.options.items()}
        return kind(
            classifier(seed),
            classes=[0, 1, 2],
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=member.kind,
            **options,
            batch_size=-1,
            train_split=None,
            verbose=0,
        )

    return made


def fit(net, steps):
    x, y = samples()
    return net.partial_fit(x, y, epochs=steps) if steps else net.initialize()


def same(net, model):
    return all(map(torch.equal, net.module_.parameters(), model.parameters()))


@each
def test_steps_are_those_of_a_loop(net_of, member):
    net = fit(net_of(member), 3)
    assert not same(net, classifier())
    assert same(net, in_a_loop(member, 3)[0])


@each
def test_saved_parameters_go_on_with_the_same_bits(net_of, tmp_path, member):
    net = fit(net_of(member), 2)
    files = {"f_params": tmp_path / "weights.pt", "f_optimizer": tmp_path / "optimizer.pt"}
    net.save_params(**files)
    resumed = fit(net_of(member, seed=1), 0)
    resumed.load_params(**files)
    assert same(resumed, net.module_)
    assert same(fit(resumed, 2), in_a_loop(member, 4)[0])
