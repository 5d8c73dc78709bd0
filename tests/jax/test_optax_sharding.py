"""The optax transformations on arrays spread over devices: the trajectory of one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jax_members import BALLS

from tests.pages import SECTIONS, same_output

[ON_THE_PAGE] = [snippet for snippet in SECTIONS["devices", "Processes and shards"] if "jax" in snippet.code]
SCRIPT = Path(__file__).with_name("sharded_training.py")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the page's program prints, and the largest deviation from one device by case: of one process."""
    page = tmp_path_factory.mktemp("devices") / ON_THE_PAGE.file
    page.write_text(ON_THE_PAGE.code, encoding="utf-8")
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    call = [sys.executable, SCRIPT, page]
    result = subprocess.run(call, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_program_of_the_page_prints_what_the_page_says(results):
    assert same_output(results["printed"], ON_THE_PAGE.output), results["printed"]


@pytest.mark.parametrize(
    "case",
    [f"{key}-batch-64" for key in ("method1", "method2", "agd", "fromage", "lars", *BALLS)]
    + ["fromage-columns-64", "method1-columns-32"],
)
def test_four_devices_take_the_steps_of_one(results, case):
    assert results["deviations"][case] <= (1e-12 if case.endswith("64") else 1e-6)
