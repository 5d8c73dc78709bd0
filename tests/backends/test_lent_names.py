"""The drop-in optimisers have the same names for those who run ``normbench.torch`` and for a static checker."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import normbench

ROOT = Path(normbench.__file__).parents[1]
USER = """
from normbench.jax import fgsgd
from normbench.torch import AGD, Method1

reveal_type(Method1)
reveal_type(AGD.key)
reveal_type(fgsgd)
"""
AS_INSTALLED = (  # whose own mistakes are not the user's, and what it calls does not bear on what it lends
    "--follow-imports=silent",
    "--no-site-packages",
    "--ignore-missing-imports",
    "--no-incremental",
)
MISTAKEN = "import normbench.jax\n\nnormbench.jax.metod1()\n"


@pytest.mark.parametrize("package", ["normbench.torch", "normbench.jax"])
def test_what_a_checker_sees_is_what_the_declarations_find(package):
    module = import_module(package)
    tree = ast.parse(Path(module.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and node.test.id == "TYPE_CHECKING")
    seen = {alias.asname: (line.module, alias.name) for line in block.body for alias in line.names}
    assert sorted(seen) == module.__all__
    for name, (home, attribute) in seen.items():
        assert getattr(import_module(home), attribute) is getattr(module, name)
    assert set(seen) < set(dir(module))
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018


@pytest.fixture
def checked(tmp_path):
    """What mypy says of users' files, with the package found as an installed one is."""

    def check(**sources):
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
        call = [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            ROOT / "pyproject.toml",
            *AS_INSTALLED,
            *(f"{name}.py" for name in sources),
        ]
        environment = {**os.environ, "MYPYPATH": str(ROOT)}
        return subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)

    return check


def test_mypy_sees_the_classes_and_functions_themselves(checked):
    pytest.importorskip("mypy")
    assert (ROOT / "normbench" / "py.typed").is_file(), "without it the types of an installed package do not count"
    done = checked(mistaken=MISTAKEN, user=USER)
    assert done.returncode == 1
    said = done.stdout.splitlines()[:-1]  # of files in the order in which mypy came to them
    wrong, method1, key, fgsgd = sorted(said, key=lambda line: line.partition(":")[0])
    assert wrong.startswith("mistaken.py:3: error: Module has no attribute")
    assert 'Revealed type is "def (params:' in method1
    assert "order: int =" in method1
    assert "-> normbench.torch.optimizers.method1.Method1" in method1
    assert '"str"' in key.replace("builtins.", "")
    assert "manifold: str =" in fgsgd
