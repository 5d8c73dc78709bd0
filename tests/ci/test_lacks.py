"""What lacks a package says so in one line, with what installs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ci.lacks import lack
from normbench.errors import BackendUnavailableError, InvalidArgumentError, install
from tests.pages import ROOT

PROGRAMS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for folder in ("ci", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
)


def ended(program, folder, lacking):
    """How ``python -m`` ends in an environment without some packages: a file of Python's start-up hides them."""
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        f"for name in {lacking!r}:\n"
        "    sys.modules[name] = None\n"  # Python raises ModuleNotFoundError for it
    )
    paths = {"PYTHONPATH": f"{folder}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    command = [sys.executable, "-m", program, "--help"]
    return subprocess.run(command, cwd=ROOT, env=paths, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(sys.platform == "win32", reason="an environment by shell's paths")
@pytest.mark.parametrize(("program", "lacking"), [("ci.site", "sphinx"), ("benchmarks.engine", "psutil")])
def test_a_program_without_its_packages_says_what_installs_them(program, lacking, tmp_path):
    assert program in PROGRAMS
    done = ended(program, tmp_path, [lacking])
    assert done.returncode == 1
    assert done.stderr == f"Error: there is no module {lacking!r} here. What develops normbench has it: {INSTALL}\n"
    assert done.stdout == ""


INSTALL = install("dev")


def test_every_program_is_in_a_package_that_says_so():
    assert {"ci.results", "ci.site", "ci.gate", "benchmarks.engine"} <= set(PROGRAMS)
    packages = {program.partition(".")[0] for program in PROGRAMS}
    for package in packages:
        assert "say_in_one_line()" in (ROOT / Path(package) / "__init__.py").read_text(encoding="utf-8")


def test_what_is_lacking_is_told_from_mistakes():
    missing = ModuleNotFoundError("No module named 'furo.theme'", name="furo.theme")
    assert lack(missing) == f"there is no module 'furo' here. What develops normbench has it: {INSTALL}"
    assert lack(BackendUnavailableError("no jax. Install it.")) == "no jax. Install it."
    assert lack(ModuleNotFoundError("No module named 'ci.no'", name="ci.no")) == ""
    assert lack(ImportError("cannot import name 'x' from 'furo'", name="furo")) == ""
    assert lack(InvalidArgumentError("wrong")) == ""
