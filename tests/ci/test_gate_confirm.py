"""What the gate makes of asv's results and of an alarm; the whole way with asv itself is ci/selftest_gate.sh."""

import math
import shutil
from pathlib import Path

import pytest

from ci.gate.confirm import COUNTED, compare, count_of, judge
from ci.gate.measure import NO_TIMES, ONLY_TIMES, SAMPLES, Bench, MeasurementError, pattern_of
from ci.gate.summary import summary
from tests.ci.asv_results import benchmark, write

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
BASE, HEAD = "a" * 40, "b" * 40
ROUNDS = 4

TIME = benchmark("iteration.PaperNetwork.time_iteration", [["method1", "fromage"], ["torch"], ["cpu"]])
RMS = benchmark("quality.Method1.track_train_rms", [["torch", "jax"]], unit="N", kind="track")
COUNT = benchmark("instructions.Torch.track_instructions", [["method1"]], unit="instructions", kind="track")
METHOD1, FROMAGE = (f"{TIME['name']}('{key}', 'torch', 'cpu')" for key in ("method1", "fromage"))


def seconds(factor=1.0):
    """Samples of all rounds, one after the other, a little apart."""
    return [factor * 0.008 * (1 + 0.002 * k) for _ in range(ROUNDS) for k in range(SAMPLES)]


class Scripted(Bench):
    """A bench whose next measurements are known; everything else, the files included, is the real one."""

    def __init__(self, root, *measurements):
        shutil.copy(ROOT / "asv.conf.json", root)
        super().__init__(root, "pair")
        self.asked, self.left = [], list(measurements)
        self.run((BASE, HEAD), "first")

    def run(self, commits, pattern, *options):
        self.asked.append(pattern)
        measured = self.left.pop(0)
        for side in (0, 1):
            results = {name: values[side] for name, values in measured.items()}
            write(self.folder / "results", [TIME, RMS, COUNT], {tuple(commits)[side]: results})

    def run_rounds(self, commits, pattern, rounds, *options):
        self.run(commits, pattern)


def times(method1=1.0, fromage=1.0):
    """The base, and a head slower by these factors."""
    return {TIME["name"]: ([seconds(), seconds()], [seconds(method1), seconds(fromage)])}


def judged(bench):
    return {j.comparison.benchmark: j for j in judge(bench, BASE, HEAD, compare(bench, BASE, HEAD), rounds=ROUNDS)}


def test_a_pattern_may_match_times_alone_or_tracked_numbers_alone(tmp_path):
    bench = Scripted(tmp_path, times())
    found = {
        kind: [bench.selects(f"{kind}({pattern})") for pattern in (r"iteration\.PaperNetwork", r"instructions\.")]
        for kind in (ONLY_TIMES, NO_TIMES)
    }
    assert found == {ONLY_TIMES: [True, False], NO_TIMES: [False, True]}
    assert bench.selects(r"time_iteration\('fromage', 'torch'")
    assert not bench.selects(r"time_iteration\('agd', 'torch'")


def test_quiet_results_are_measured_once(tmp_path):
    bench = Scripted(tmp_path, times())
    assert {j.comparison.verdict for j in judged(bench).values()} == {"unchanged"}
    assert bench.asked == ["first"]


def test_an_alarm_that_is_not_seen_again_does_not_fail(tmp_path):
    bench = Scripted(tmp_path, times(fromage=1.3), times())
    found = judged(bench)[FROMAGE]
    assert (found.confirmed, found.comparison.verdict) == (False, "undecided")
    assert bench.asked[1] == pattern_of([FROMAGE])


def test_an_alarm_seen_again_is_confirmed_where_nothing_can_be_counted(tmp_path):
    found = judged(Scripted(tmp_path, times(fromage=1.3), times(fromage=1.3)))
    assert found[FROMAGE].confirmed
    assert not found[METHOD1].confirmed


@pytest.mark.parametrize(
    ("slow_down", "counted", "confirmed"),
    [(1.05, 1.04, True), (1.05, 1.0, False), (1.3, 1.0, True)],
    ids=["counted", "small and not counted", "large and not counted"],
)
def test_counted_work_decides_about_small_slow_downs(tmp_path, monkeypatch, slow_down, counted, confirmed):
    monkeypatch.delenv("NORMBENCH_CALLGRIND", raising=False)
    alarm = times(method1=slow_down)
    bench = Scripted(tmp_path, alarm, alarm, alarm | {COUNT["name"]: ([1e6], [counted * 1e6])})
    assert judged(bench)[METHOD1].confirmed == confirmed
    assert bench.asked[2] == pattern_of([COUNTED["torch"].format("method1")])


def test_a_worse_rms_and_a_missed_target_are_confirmed(tmp_path):
    worse = {RMS["name"]: ([0.838, 0.838], [0.863, None])}
    found = [(j.comparison.verdict, j.confirmed) for j in judged(Scripted(tmp_path, worse, worse)).values()]
    assert sorted(found) == [("broken", True), ("worse", True)]


def test_what_a_commit_skips_is_not_compared(tmp_path):
    assert list(judged(Scripted(tmp_path, {RMS["name"]: ([0.8, math.nan], [0.8, 0.8])}))) == [
        "quality.Method1.track_train_rms('torch')"
    ]


def test_a_commit_without_results_is_an_error(tmp_path):
    with pytest.raises(MeasurementError, match=r"cccc.* has no results"):
        compare(Scripted(tmp_path, times()), BASE, "c" * 40)


def test_thresholds_are_those_of_asv(tmp_path):
    bench = Scripted(tmp_path, times())
    assert bench.threshold(METHOD1) == 0.1
    assert bench.threshold("quality.Method1.track_train_rms('torch')") == 0.01
    assert bench.threshold("memory.Training.track_training_memory('torch')") == 0.05


def test_only_iterations_of_methods_1_and_2_have_a_count():
    assert count_of(METHOD1) == "instructions.Torch.track_instructions('method1')"
    assert count_of(METHOD1.replace("torch", "jax")) == "instructions.Jax.track_operations('method1')"
    assert count_of(FROMAGE) is None


def test_summary_names_what_got_worse_first(tmp_path):
    found = list(judged(Scripted(tmp_path, times(fromage=1.3), times(fromage=1.3))).values())
    text = summary(found, BASE, HEAD, rounds=ROUNDS)
    assert "**1 of 2 benchmarks got worse**" in text
    first_row = text.split("| --- | ---: | ---: | ---: | --- | --- |\n")[1].splitlines()[0]
    assert first_row.startswith(f"| `{FROMAGE}` | 8.0")
    assert "| 1.300 | **slower** | seen again |" in first_row
