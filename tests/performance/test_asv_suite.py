"""The asv suite fits the package: its constants are the registry's, and its environment is that of constraints.txt."""

import ast
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.vendor_assets import PACKAGES, rewrite
from normbench import specs
from normbench.errors import install

ROOT = Path(__file__).parents[2]


def configuration():
    text = (ROOT / "asv.conf.json").read_text(encoding="utf-8")
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def constant(name):
    """A literal of benchmarks/common.py, which is not imported: it sets environment variables."""
    tree = ast.parse((ROOT / "benchmarks" / "common.py").read_text(encoding="utf-8"))
    values = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == name]
    return ast.literal_eval(values[0])


def test_what_is_timed_is_declared():
    """A choice, because every optimiser costs minutes; its names are constants, as asv runs it on older commits."""
    timed = constant("OPTIMISERS")
    assert [key for key in specs.OWN if key in timed] == list(timed)


def test_asv_uses_the_pinned_versions():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    requirements = configuration()["matrix"]["req"]
    assert {name: [pins[name]] for name in requirements if requirements[name]} == {
        name: versions for name, versions in requirements.items() if versions
    }


def test_no_benchmark_has_two_thresholds():
    """asv takes the largest of those that match, so that an overlap would loosen one unseen."""
    names = [
        "iteration.PaperNetwork.time_iteration(method1, torch, cpu)",
        "iteration.LargerNetworks.time_iteration(method1, torch, cpu, E2)",
        "iteration.Convolutions.time_iteration(method1, torch)",
        "parts.Parts.time_gradient(torch, E1)",
        "startup.Compile.timeraw_compile(method1)",
        "certificates.Bounds.time_bound('E1', 'lipsdp')",
        "quality.Method1.track_train_rms(torch)",
        "quality.Cost.track_iteration_in_gradients(method1, torch)",
        "seeds.SeedBatch.time_four_seeds(torch)",
        "simulator.Simulator.time_simulate_table",
    ]
    thresholds = configuration()["regressions_thresholds"]
    assert {name: sum(bool(re.match(pattern, name)) for pattern in thresholds) for name in names} == dict.fromkeys(
        names, 1
    )


@pytest.mark.skipif(find_spec("asv") is None, reason=f"asv is not installed: {install('bench')}")
def test_published_site_asks_no_other_host():
    page = (Path(find_spec("asv").origin).parent / "www" / "index.html").read_text(encoding="utf-8")
    local = rewrite(page)
    assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css)"', local)
    assert local.count('"vendor/') == sum(len(files) for files in PACKAGES.values())
    with pytest.raises(ValueError, match="expected one"):
        rewrite(page.replace("jquery.flot.time.min.js", "other.js"))
    with pytest.raises(ValueError, match="still refers"):
        rewrite(page.replace("<body>", '<script src="https://example.org/new.js"></script><body>'))
