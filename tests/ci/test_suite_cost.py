"""What the suite costs is what its cases take, in whichever process they run, their own processes included."""

import csv
import os
import subprocess
import sys
from types import SimpleNamespace

from ci.suite_cost import COLUMNS, WHOLE, Costs, record, room_of, rows
from tests.pages import ROOT

BURN = """
import subprocess, sys, time
LOOP = "import time\\nwhile time.process_time() < {}: pass"
def test_here():
    end = time.process_time() + {seconds}
    while time.process_time() < end: pass
def test_in_a_process():
    subprocess.run([sys.executable, "-S", "-c", LOOP.format({seconds})], check=True)
"""


def test_a_room_is_a_folder_of_tests():
    assert room_of("tests/jax/test_a.py::test_b[x/y]") == room_of("tests/jax/deep/test_a.py::test_b") == "jax"
    assert room_of("tests/test_docs.py::test_b[a/b/c]") == ""


def test_costs_of_all_processes_are_summed_by_room(tmp_path):
    for room, seconds in (("dear", 0.4), ("cheap", 0.1)):
        (tmp_path / "tests" / room).mkdir(parents=True)
        (tmp_path / "tests" / room / f"test_{room}.py").write_text(BURN.replace("{seconds}", str(seconds)))
    ran = subprocess.run(
        [sys.executable, "-m", "ci.suite_cost", tmp_path, "-c", "/dev/null", f"--rootdir={tmp_path}", "-n2", "-pxdist"],
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # each of three processes loads them
        capture_output=True,
        text=True,
        check=True,
    )
    found = {line.split()[0]: line.split() for line in ran.stdout.splitlines() if "s of processor" in line}
    assert list(found) == [WHOLE, "dear", "cheap"]
    assert [int(line[1]) for line in found.values()] == [4, 2, 2]
    assert float(found["dear"][3]) >= 0.8
    assert 0.2 <= float(found["cheap"][3]) < float(found["dear"][3])
    assert int(found[WHOLE][-2]) > 10  # of a process that a large one starts, Linux counts that one's memory


def test_the_table_keeps_what_it_has_and_has_a_heading_once(tmp_path):
    costs, file = Costs(), tmp_path / "suite.csv"
    costs.cases.update({"jax": 3, "": 1})
    costs.seconds.update({"jax": 2.0, "": 4.5})
    costs.peaks += [100.0, 300.0]
    for _ in range(2):
        record(rows(costs, 7.2), file)
    with file.open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert tuple(lines[0]) == COLUMNS
    assert [(line["room"], line["cases"], line["processor_s"]) for line in lines[:3]] == [
        (WHOLE, "4", "6.5"),
        ("tests", "1", "4.5"),
        ("jax", "3", "2.0"),
    ]
    assert (lines[0]["processes"], lines[0]["clock_s"], lines[0]["peak_mib"]) == ("2", "7", "300")
    assert len(lines) == 6


def test_a_process_that_died_costs_nothing_known_and_the_one_that_started_it_is_none_of_them():
    costs = Costs()
    costs.pytest_testnodedown(object())
    assert not costs.cases
    costs.pytest_testnodedown(SimpleNamespace(workeroutput={"costs": ({"jax": 2}, {"jax": 1.0}, [100.0])}))
    costs.pytest_sessionfinish(SimpleNamespace(config=object()))
    assert (costs.cases, costs.seconds, costs.peaks) == ({"jax": 2}, {"jax": 1.0}, [100.0])
