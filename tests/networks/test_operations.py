"""What a forward pass costs, by the networks' own count."""

import math

import numpy as np
import pytest

from normbench import data
from normbench.campaigns.cost import estimated_cost
from normbench.networks import Network, perceptron
from normbench.networks.activations import Relu
from normbench.networks.base import Residual
from normbench.networks.layers import Attention, Convolution, Dense, Embedding, Flatten, LayerNorm
from normbench.problems import tasks
from normbench.problems.families import FAMILIES
from normbench.reference import network as reference
from normbench.running.request import Asked


class Counted(np.ndarray):
    """An array that counts the multiplications of the matrix products in which it takes part."""

    products = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        plain = [np.asarray(x) for x in inputs]
        found = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            Counted.products += math.prod(found.shape) * plain[0].shape[-1]
        return found


def test_a_dense_network_multiplies_every_weight_once():
    network = perceptron((12, 25, 30, 15, 3))
    weights = [np.ones(shape).view(Counted) for shape in network.weight_shapes]
    Counted.products = 0
    reference.forward(network, weights, np.ones((1, 12)))
    assert network.multiply_adds == Counted.products == 12 * 25 + 25 * 30 + 30 * 15 + 15 * 3
    assert network.outputs == 2 * (25 + 30 + 15) + 3


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Network((3, 8, 8), (Convolution(3, 5), Relu(), Flatten(), Dense(320, 2))), 64 * 3 * 5 * 9 + 640),
        (Network((3, 8, 8), (Convolution(3, 5, size=3, stride=2),)), 16 * 3 * 5 * 9),
        (Network((3, 8, 8), (Convolution(3, 5, size=1, padding=0),)), 64 * 15),
        (Network((4, 6), (Dense(6, 7),)), 4 * 42),
        (Network((4,), (Embedding(100, 6), Attention(6, 2), LayerNorm())), 4 * 4 * 36 + 2 * 16 * 6),
        (Network((3, 8, 8), (Residual((Convolution(3, 3), Relu(), Convolution(3, 3))),)), 2 * 64 * 81),
        (Network((3, 8, 8), (Residual((Convolution(3, 4),), (Convolution(3, 4, 1, 1, 0),)),)), 64 * (12 * 9 + 12)),
    ],
)
def test_layers_count_their_products(network, expected):
    assert network.multiply_adds == expected
    assert network.outputs >= math.prod(network.output_shape)


def asked(task, layers, backend="torch", iterations=100):
    batch = tasks.get(task).batch_size
    dtype = "float64" if backend == "reference" else "float32"
    return Asked(
        task=task, layers=layers, optimiser="adam", backend=backend, seed=0, iterations=iterations, batch_size=batch,
        dtype=dtype,
    ).resolved()  # fmt: skip


def test_runs_of_larger_networks_cost_more_whatever_their_family():
    """ResNet-18 and VGG-16 for CIFAR have 0.56 and 0.31 billion, as their authors' tables say."""
    assert tasks.get("cifar10-resnet18").declared_network((3, 64, 10)).multiply_adds == pytest.approx(0.556e9, rel=0.01)
    assert tasks.get("cifar100-vgg16").declared_network((3, 64, 100)).multiply_adds == pytest.approx(0.313e9, rel=0.01)
    cheap = estimated_cost(asked("quadrotor-sim", (12, 25, 30, 15, 3)))
    for task, layers in (
        ("cifar10-resnet18", (3, 64, 10)),
        ("cifar100-vgg16", (3, 64, 100)),
        ("wikitext2-transformer", (33278, 200, 33278)),
    ):
        assert estimated_cost(asked(task, layers)) > 10 * cheap
    assert estimated_cost(asked("cifar10-resnet18", (3, 64, 10))) > estimated_cost(
        asked("cifar10-resnet18", (3, 8, 10))
    )


def test_every_task_has_a_cost_without_its_data():
    for task in tasks.TASKS.values():
        shape, classes = task.source_info.shape, task.source_info.classes
        inputs = FAMILIES[task.family].inputs(shape) or classes
        layers = (inputs, *task.hidden, classes or 3)
        short, long = (estimated_cost(asked(task.key, layers, iterations=n)) for n in (1, 1000))
        assert long > short > 0
        assert task.declared_network(layers).multiply_adds > 0


@pytest.mark.parametrize("name", ["digits", "quadrotor-sim"])
def test_sources_declare_the_shape_of_their_samples(name):
    found = data.load(name)
    assert found.inputs.shape == (data.info(name).samples, *data.info(name).shape)
