"""The optax transformations on arrays spread over devices: the trajectory of one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sharded_training.py")
TOLERANCE = {"32": 1e-6, "64": 1e-12}


@pytest.fixture(scope="module")
def deviations():
    """Largest deviation from one device by case, made on four devices by a program of its own."""
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"  # compiles in half the time
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    result = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("bits", TOLERANCE)
@pytest.mark.parametrize(
    "case",
    [f"{key}-batch" for key in ("method1", "method2", "agd", "fromage", "lars")]
    + [f"{key}-columns" for key in ("fromage", "method1")],
)
def test_four_devices_take_the_steps_of_one(deviations, case, bits):
    assert deviations[f"{case}-{bits}"] <= TOLERANCE[bits]
