"""A true submission passes every rule and its rerun; each rule catches what is planted against it.

The submission is made as docs/submissions.md says, by ``normbench run`` and ``normbench records export``, in small.
"""

import shutil
import sys
from dataclasses import replace

import pytest

from ci.submission.__main__ import main
from ci.submission.metadata import FILE, read
from ci.submission.rerun import made_again
from ci.submission.rules import checked, judged
from ci.submission.terms import minor_release
from normbench.backends.trajectory import Status
from normbench.errors import InvalidArgumentError
from normbench.records.frame import read_file, write_file
from normbench.records.versions import code_version
from tests.changes import changed
from tests.ci.submissions import METADATA, SIGNUM, write_submission
from tests.cli.calls import call
from tests.plug_ins.conftest import EXAMPLE, _nothing_is_known  # noqa: F401
from tests.this_process import without_workers

BOARD, FRONTIER = "records.parquet", "frontier.parquet"
SMALL = ["--layers", "12,4,3", "--iterations", 12, "--seeds", 2, "--backend", "torch", "--jobs", 1]
BOUNDS = ["--lipschitz", 10, "--lipschitz", 40, "--parametrisation", "spectral"]


def make(folder, file, *options):
    runs = folder.parent / f"{folder.name}-{file}"
    for arguments in (["run", *SMALL, *options, "--out", runs], ["records", "export", folder / file, "--out", runs]):
        done = call(*arguments)
        assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Published records and a submission, beside each other as in the repository."""
    root = tmp_path_factory.mktemp("repository")
    published, submission = root / "results", write_submission(root / "submissions" / "signum")
    published.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        without_workers(patch)
        patch.syspath_prepend(submission / "package")
        for name, options in ((BOARD, []), (FRONTIER, BOUNDS)):
            make(published, name, "--optimiser", "adam", "--tune", "none", *options)
        make(submission, BOARD, "--optimiser", SIGNUM)
        make(submission, FRONTIER, "--optimiser", SIGNUM, "--tune", "none", *BOUNDS)
    return root


@pytest.fixture
def submission(made, tmp_path, monkeypatch):
    """A copy that a test may change; what the rerun adds to the path of this process is taken from it again."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.split(".")[0] == EXAMPLE.name]:
        monkeypatch.delitem(sys.modules, name)  # its own copy is imported, and not what made the records
    return shutil.copytree(made, tmp_path / "repository") / "submissions" / "signum"


def breaches(folder):
    """The text of every violated rule, by its name."""
    found, _, _ = checked(folder, folder.parents[1] / "results")
    return {verdict.rule: str(verdict) for verdict in found if verdict.breaches}


@pytest.fixture(scope="module")
def stored(made):
    """The submission as it is read, its records and the published ones by file."""
    folders = made / "submissions" / "signum", made / "results"
    return read(folders[0]), *({name: read_file(folder / name) for name in (BOARD, FRONTIER)} for folder in folders)


def edited(runs, file, change):
    """The records by file, those of one as ``change`` makes them, without those of which it makes None."""
    return runs | {file: [new for record in runs[file] if (new := change(record)) is not None]}


def broken(stored, runs):
    """The text of every rule that these records violate, by its name."""
    submission, _, published = stored
    return {verdict.rule: str(verdict) for verdict in judged(submission, runs, published) if verdict.breaches}


def test_a_true_submission_passes_and_comes_out_again(submission, capsys):
    assert main([str(submission), "--results", str(submission.parents[1] / "results"), "--rerun"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        *("metadata", "records", "comparable", "tuning", "bounds", "rerun")
    ]
    assert all(": holds: " in line for line in lines)
    assert lines[-1] == "rerun: holds: 2 runs came out as recorded"
    searched = [run for run in read_file(submission / BOARD) if run.provenance.tuning_runs]
    assert {run.request.judged_on for run in searched} == {"test"}  # the search is one that the rule has looked at


def test_a_violated_rule_is_exit_code_1_and_nothing_is_run(submission, capsys):
    wrong = [only(0, data_sha256="0" * 64)(run) for run in read_file(submission / BOARD)]
    write_file(wrong, submission / BOARD)
    assert main([str(submission), "--results", str(submission.parents[1] / "results"), "--rerun"]) == 1
    said = capsys.readouterr().out
    assert "comparable: violated\n  - data 000000000000, where the published runs on quadrotor-sim have" in said
    assert f"{SIGNUM} torch seed 0" in said
    assert "rerun" not in said


def test_a_folder_that_is_not_there_is_a_wrong_call(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / "none")])
    assert end.value.code == 2
    assert "is no folder" in capsys.readouterr().err


def test_a_name_that_another_row_has_is_refused(submission):
    other = submission.with_name("other")
    other.mkdir()
    (other / FILE).write_text(METADATA.replace('"package"', '"signum==1"'), encoding="utf-8")
    assert f"{SIGNUM!r} has rows on the boards already" in breaches(submission)["metadata"]
    shutil.rmtree(other)
    assert breaches(submission) == {}
    shutil.copy(submission / BOARD, submission.parents[1] / "results" / BOARD)
    assert "has rows on the boards already" in breaches(submission)["metadata"]


def of_another(run):
    return changed(run, optimiser="adam", plug_in={}, hyperparameters={"learning_rate": 0.1})


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (BOARD, lambda run: of_another(run) if run.request.seed else run, "'adam' is none of"),
        (BOARD, lambda run: changed(run, plug_in=run.provenance.plug_in | {"version": "2"}), "has no such module"),
        (BOARD, lambda run: changed(run, hyperparameters={"speed": 1.0}), "does not know"),
        (BOARD, lambda run: changed(run, output_scale=2.0), "at a bound or a scale in records.parquet"),
    ],
)
def test_records_of_something_else_are_named(stored, file, change, said):
    assert said in broken(stored, edited(stored[1], file, change))["records"]


def test_an_optimiser_that_only_has_trials_is_named(stored):
    alone = edited(stored[1], BOARD, lambda run: run if trial(run) else None)
    assert broken(stored, alone) == {}  # the frontier has results
    assert "has no run that was judged on a test set" in broken(stored, {BOARD: alone[BOARD]})["records"]


def test_a_damaged_or_missing_file_is_named(submission):
    (submission / BOARD).write_bytes(b"PAR1")
    assert f"{BOARD} cannot be read" in breaches(submission)["records"]
    (submission / BOARD).unlink()
    assert breaches(submission) == {}
    (submission / FRONTIER).unlink()
    assert "has neither records.parquet nor frontier.parquet" in breaches(submission)["records"]


def only(seed, /, **changes):
    return lambda run: changed(run, **changes) if run.request.seed == seed else run


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (
            FRONTIER,
            only(0, code_version="99.7.3+0123456789ab"),
            f"normbench 99.7, and published are {minor_release(code_version('torch'))}",
        ),
        (FRONTIER, only(0, code_version="mine"), "must begin with a version"),
        (FRONTIER, only(0, dtype="float64"), "dtype is float64, and published are float32"),
        (FRONTIER, only(0, batch_size=32), "batch_size is 32, and published are None"),
        (FRONTIER, only(0, iterations=24), "24 evaluations, and published are 12 (at the bound)"),
        (FRONTIER, only(0, output_scale=2.0), "12 evaluations, and published are none (sweep)"),
        (FRONTIER, only(0, lipschitz=20.0), "no published board of this task, split, network and bound"),
        (BOARD, only(0, layers=(12, 8, 3)), "no published board of this task, split, network and bound"),
        (BOARD, only(0, split="blocked"), "no published board of this task, split, network and bound"),
        (FRONTIER, lambda run: run if run.request.seed else None, "lacks the seeds 0"),
        (FRONTIER, only(1, seed=5), "has the seeds 5, which no published row has"),
        (FRONTIER, only(1, seed=0), "has the seeds 0 more than once"),
    ],
)
def test_what_cannot_be_compared_is_named(stored, file, change, said):
    assert said in broken(stored, edited(stored[1], file, change))["comparable"]


def test_a_failed_run_stays_and_violates_nothing(stored):
    def failed(run):
        gone = replace(run.outcome, status=Status.FAILED, test_rms=float("nan"), certified_by="")
        return replace(run, outcome=gone) if run.request.seed else run

    assert broken(stored, edited(stored[1], FRONTIER, failed)) == {}


def trial(run):
    return run.request.judged_on == "validation"


def worst(run):
    chosen = run.provenance.tuning_runs or run.provenance.given
    return changed(run, hyperparameters=run.request.hyperparameters | {"learning_rate": 1e-4}) if chosen else run


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: None if trial(run) else run, "trials chose its value, and the file has 0"),
        (lambda run: None if trial(run) and run.request.seed == 1000 else run, "trials chose its value, and the file"),
        (lambda run: changed(run, tuning_runs=3) if run.provenance.tuning_runs else run, "3 trials chose its value"),
        (worst, "stands at learning_rate = 0.0001, and the best of its trials at learning_rate = "),
        (lambda run: changed(run, seed=run.request.seed - 1000) if trial(run) else run, "chose the value and judge it"),
    ],
)
def test_values_that_no_search_in_the_file_chose_are_named(stored, change, said):
    assert said in broken(stored, edited(stored[1], BOARD, change))["tuning"]


def test_a_value_that_was_given_by_hand_is_named(stored):
    default = edited(stored[1], FRONTIER, lambda run: changed(run, given=True))  # which is nobody's choice
    assert broken(stored, default) == {}
    assert "stands at a value that was given by hand" in broken(stored, edited(default, FRONTIER, worst))["tuning"]


def test_what_no_search_chooses_is_the_same_on_every_board(stored):
    def ahead(run):
        return changed(run, hyperparameters=run.request.hyperparameters | {"nesterov": "true"})

    at_one = edited(stored[1], FRONTIER, lambda run: ahead(run) if run.request.lipschitz == 10.0 else run)
    assert "other hyperparameters on some boards than on others" in broken(stored, at_one)["tuning"]
    in_one_file = edited(stored[1], FRONTIER, ahead)
    assert "other hyperparameters on some boards than on others" in broken(stored, in_one_file)["tuning"]
    everywhere = edited(edited(stored[1], FRONTIER, ahead), BOARD, ahead)
    assert broken(stored, everywhere) == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lipschitz_certificate": 12.0}, "with a certificate above the bound that was asked for"),
        ({"certified_by": ""}, "without a certificate"),
        ({"lipschitz_measured": 99.0}, "a gain was measured that is larger"),
    ],
)
def test_a_bound_that_is_not_kept_is_named(stored, changes, said):
    at_ten = edited(stored[1], FRONTIER, lambda run: changed(run, **changes) if run.request.lipschitz == 10.0 else run)
    assert said in broken(stored, at_ten)["bounds"]


def scaled(values, factor):
    return tuple(factor * value for value in values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda run: changed(run, curves=replace(run.outcome.curves, loss=scaled(run.outcome.curves.loss, 1.01))),
            "loss 0 is ",
        ),
        (lambda run: changed(run, test_rms=1.2 * run.outcome.test_rms), "the test RMS is "),
        (lambda run: changed(run, data_sha256="0" * 64), "the data are others here"),
        (
            lambda run: changed(run, backend="jax", dtype="float16"),
            "the run cannot be made again: normbench.errors.InvalidArgumentError: dtype",
        ),
        (lambda run: changed(run, status=Status.DIVERGED), "none of these runs came to an end"),
    ],
)
def test_records_of_other_code_do_not_come_out_again(stored, change, said, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    runs = edited({BOARD: stored[1][BOARD]}, BOARD, change)
    assert said in str(made_again(stored[0], runs))


def test_code_that_does_otherwise_does_not_come_out(submission, stored):
    code = submission / "package" / EXAMPLE.name / "torch_signum.py"
    code.write_text(code.read_text().replace("torch.sign(ahead)", "torch.tanh(ahead)"))
    assert "loss 1 is " in str(made_again(read(submission), {FRONTIER: stored[1][FRONTIER]}))


def test_code_that_ends_the_program_ends_no_check(submission, stored):
    code = submission / "package" / EXAMPLE.name / "torch_signum.py"
    leaving = (
        "self.steps = getattr(self, 'steps', 0) + 1\n        if self.steps > 5:\n            raise SystemExit(0)\n"
    )
    code.write_text(code.read_text().replace("        loss = None", f"        {leaving}        loss = None"))
    assert "cannot be made again: SystemExit: 0" in str(made_again(read(submission), {FRONTIER: stored[1][FRONTIER]}))


def test_releases_that_differ_in_less_than_a_minor_one_are_one():
    assert minor_release("0.1.0+ca63e8c50a9d.0123456789ab") == minor_release("0.1.4.dev3+x") == "0.1"
    assert minor_release("0.2.0+x") != minor_release("1.2.0+x")
    with pytest.raises(InvalidArgumentError, match="must begin with a version"):
        minor_release("+x")
