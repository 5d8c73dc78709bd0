"""What cannot be spread over devices is refused in one error, before or where it would begin."""

import numpy as np
import pytest
import torch

from normbench import backends
from normbench.backends.trajectory import first_devices
from normbench.campaigns.samples import Samples
from normbench.campaigns.wanted import Wanted, plan_of
from normbench.errors import BackendUnavailableError, InvalidArgumentError
from normbench.networks import BatchNorm, Network
from normbench.running.devices import check_devices
from normbench.running.run import build_plain_trainer, build_trainer, problem_of
from tests.running.few_digits import asked, few_digits


@pytest.mark.parametrize(
    ("backend", "fields", "message"),
    [
        ("reference", {"devices": 2}, r"'reference' computes on one device; got devices=2.*Take backend torch or jax"),
        ("torch", {"devices": 0}, "devices must be at least 1; got 0"),
        ("jax", {"devices": 257}, "devices must be at most 256; got 257"),
        ("torch", {"devices": 17, "batch_size": 16}, "devices must be at most 16, the samples of a batch; got 17"),
    ],
)
def test_a_request_that_cannot_be_spread_is_refused(backend, fields, message):
    with pytest.raises(InvalidArgumentError, match=message):
        asked("digits", "adam", backend, **fields)


def test_a_network_that_mixes_samples_is_refused():
    images = few_digits().inputs.shape[1:]
    mixing = Network((1, *images[-2:]), (BatchNorm(),))
    check = {"backend": backends.get("torch"), "network": mixing, "batch_size": None}
    check_devices(1, **check)
    with pytest.raises(InvalidArgumentError, match=r"statistics of the whole batch.*got devices=2\. Leave it out"):
        check_devices(2, **check)


def test_more_devices_than_samples_are_refused_before_and_where_a_run_begins():
    wanted = asked("digits", "adam", "torch", devices=97)
    with pytest.raises(InvalidArgumentError, match="at most 96, the samples of the training set; got 97"):
        build_trainer(wanted, problem_of(wanted, few_digits()))
    small = Wanted(tasks=["quadrotor-sim"], optimisers=["adam"], axes={"devices": 200}, seeds=[0])
    samples = Samples()
    samples._loaded["quadrotor-sim", None] = samples.of("quadrotor-sim").take(np.arange(100))
    with pytest.raises(InvalidArgumentError, match=r"at most \d\d, the samples of the training set; got 200"):
        plan_of(small, ["torch"], samples, print)


def test_the_plain_trainer_is_of_one_device():
    wanted = asked("digits", "adam", "torch", devices=2)
    with pytest.raises(InvalidArgumentError, match="plain trainer computes on one device; got devices=2"):
        build_plain_trainer(wanted, problem_of(wanted, few_digits()))


def test_fewer_devices_than_asked_for_are_said():
    with pytest.raises(BackendUnavailableError, match=r"devices=4 where .* has 1 CUDA device\. Ask for at most 1\."):
        first_devices(4, ["cuda:0"], "CUDA")
    wanted = asked("digits", "adam", "jax", devices=90)
    with pytest.raises(BackendUnavailableError, match=r'devices=90 where .* JAX CPU .*"jax_num_cpu_devices", 90'):
        build_trainer(wanted, problem_of(wanted, few_digits()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_more_gpus_than_there_are_are_said():
    wanted = asked("digits", "adam", "torch", device="cuda", devices=32)
    with pytest.raises(BackendUnavailableError, match=r"devices=32 where .* CUDA device"):
        build_trainer(wanted, problem_of(wanted, few_digits()))
