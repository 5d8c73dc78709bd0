"""Sizes that cannot work are found before anything is trained, by what a run really keeps."""

import pytest

from normbench.campaigns.samples import Samples
from normbench.campaigns.wanted import Wanted, plan_of
from normbench.errors import InvalidArgumentError, called_by_options
from normbench.running import sizes
from normbench.running.sizes import check_sizes
from tests.image_folders import small_images, write_images

SHAPES, IMAGE = [(10, 20)], (3, 224, 224)
RUN = {"iterations": 450_000, "batch_size": 1024}  # 350 epochs of ILSVRC2012


def test_numbers_of_samples_count_where_they_are_drawn_before_and_not_where_batches_are_made():
    """The numbers of 450,000 batches take 3.4 GiB, which a run that reads its images from files never has."""
    with pytest.raises(
        InvalidArgumentError, match=r"4.5e\+05 iterations leave curves and batches of at least 3.45 GiB"
    ):
        check_sizes(SHAPES, **RUN, available=3 * 2**30)
    check_sizes(SHAPES, **RUN, fed=IMAGE, available=2 * 2**30)
    with pytest.raises(InvalidArgumentError, match=r"iterations leave curves of at least 0.0201 GiB"):
        check_sizes(SHAPES, **RUN, fed=IMAGE, available=2**24)


def test_batches_that_are_made_count_with_those_that_wait():
    with pytest.raises(
        InvalidArgumentError, match=r"3 batches of 1024 samples of shape \(3, 224, 224\).* 1.72 GiB, and"
    ):
        check_sizes(SHAPES, **RUN, fed=IMAGE, available=2**30)
    check_sizes(SHAPES, **RUN | {"batch_size": 512}, fed=IMAGE, available=2**30)


@pytest.mark.parametrize(
    ("given", "name"),
    [({"iterations": 10**9}, "iterations"), ({"iterations": 1, "batch_size": 10**6, "fed": IMAGE}, "batch_size")],
)
def test_the_argument_is_named_as_the_caller_knows_it(given, name):
    with pytest.raises(InvalidArgumentError, match=rf"Choose (fewer|a smaller) {name}\."):
        check_sizes(SHAPES, **given, available=2**20)
    with called_by_options(), pytest.raises(InvalidArgumentError, match=rf" --{name.replace('_', '-')}\."):
        check_sizes(SHAPES, **given, available=2**20)


def test_a_plan_for_images_in_files_counts_what_they_take(tmp_path, monkeypatch):
    """Full batches of the numbers of their rows would be 7.5 GiB."""
    dataset = small_images(write_images(tmp_path))
    monkeypatch.setattr(sizes, "memory", lambda: 6 * 2**30)
    wanted = Wanted(
        tasks=["imagenet-resnet50"],
        optimisers=["agd"],
        seeds=range(1),
        tune="none",
        axes={"iterations": 10**8, "batch_size": 4},
    )
    monkeypatch.setattr(Samples, "of", lambda samples, task: dataset)
    plan = plan_of(wanted, ["torch"], Samples(), pytest.fail)
    assert [run.iterations for run in plan.requests] == [10**8]


def test_a_network_that_is_too_large_is_named_by_what_gave_its_size():
    with pytest.raises(InvalidArgumentError, match=r"Choose smaller layers or width\.$"):
        check_sizes(SHAPES, iterations=1, available=2**4)
    with called_by_options(), pytest.raises(InvalidArgumentError, match=r"Choose smaller --hidden\.$"):
        check_sizes(SHAPES, iterations=1, available=2**4, given_by=("hidden",))
