"""Where the libraries of a backend are not installed, who imports its optimisers is told what installs them."""

import subprocess
import sys

import pytest

from normbench.errors import install

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("backend", "absent", "name"),
    [("torch", "torch", "Method1"), ("jax", "jax", "method1"), ("jax", "optax", "method1")],
)
@pytest.mark.parametrize("program", ["from normbench.{0} import {1}", "import normbench.{0}; normbench.{0}.{1}"])
def test_an_absent_library_is_named_with_its_remedy(program, backend, absent, name):
    source = f"import sys; sys.modules[{absent!r}] = None; {program.format(backend, name)}"
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(f"ModuleNotFoundError: normbench.{backend} needs {absent}")
    assert said.endswith(f"which is not installed: {install(backend)}")
