"""The optax transformations on arrays spread over devices: the trajectory of one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sharded_training.py")


@pytest.fixture(scope="module")
def deviations():
    """Largest deviation from one device by case, made on four devices by a program of its own."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=4"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    result = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "case",
    [f"{key}-batch-64" for key in ("method1", "method2", "agd", "fromage", "lars", "geodesic_lbfgs", "polar_average")]
    + ["fromage-columns-64", "method1-columns-32"],
)
def test_four_devices_take_the_steps_of_one(deviations, case):
    assert deviations[case] <= (1e-12 if case.endswith("64") else 1e-6)
