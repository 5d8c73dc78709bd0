"""What a task takes of the samples of its source."""

from dataclasses import replace

import numpy as np
import pytest

from normbench.data.dataset import Dataset
from normbench.problems import tasks


@pytest.mark.quick
def test_a_task_of_fewer_images_takes_the_first_for_training_and_all_for_testing():
    official = np.isin(np.arange(10), (1, 4, 8))
    images = np.linspace(0.1, 1, 10).reshape(10, 1, 1, 1)
    every = Dataset(
        "images",
        simulated=False,
        inputs=images,
        outputs=np.eye(2)[np.arange(10) % 2],
        time=None,
        flight=None,
        input_names=(),
        output_names=(),
        classes=("even", "odd"),
        unit="probability",
        official=official,
    )
    part = replace(tasks.get("mnist-10k"), training=3).part(every)
    np.testing.assert_array_equal(part.inputs, every.inputs[[0, 1, 2, 3, 4, 8]])
    np.testing.assert_array_equal(part.official, official[[0, 1, 2, 3, 4, 8]])
    assert tasks.get("mnist").part(every) is every
