"""``submission.toml`` is read, every mistake in it is named, and it says which package made the records."""

import shutil

import pytest

from ci.submission.__main__ import main, pip_call
from ci.submission.metadata import FILE, LARGEST, Submission, read
from ci.submission.rules import checked
from tests.ci.submissions import METADATA, SIGNUM, write_submission
from tests.plug_ins.conftest import EXAMPLE

ODD_NAMES = ("adam ", "a|b", "<b>a</b>", "../a", r"a\nb", "\u0430dam")  # the last with a Cyrillic letter


@pytest.fixture
def submission(tmp_path):
    return write_submission(tmp_path / "submissions" / "signum")


def wrong(folder):
    """What is wrong with the metadata, one text a mistake; no other rule is looked at."""
    [verdict], submission, _ = checked(folder, folder)
    assert (verdict.rule, submission) == ("metadata", None)
    return list(map(str, verdict.breaches))


def test_the_metadata_of_a_submission_is_read(submission):
    assert read(submission).metadata.optimisers == [SIGNUM]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("title =", "titel =", "unknown key 'titel'. Did you mean 'title'?"),
        ("title =", "titel =", "lacks the key 'title'"),
        ('"Signum"', "7", "title must be a line of text"),
        ('"Signum"', '""', "title must be a line of text"),
        (f'["{SIGNUM}"]', f'"{SIGNUM}"', "optimisers must be a list of names"),
        (f'["{SIGNUM}"]', f'["{SIGNUM}", "{SIGNUM}"]', "more than once"),
        (f'["{SIGNUM}"]', '["adam"]', "'adam' is an optimiser of normbench"),
        (f'["{SIGNUM}"]', '["Adam"]', "'Adam' could be taken for an optimiser of normbench"),
        *((f'["{SIGNUM}"]', f'["{name}"]', "is hard to tell or to type") for name in ODD_NAMES),
        ('"package"', f'"{"a" * 300} b"', "neither a folder in the submission nor a requirement"),
        ('"package"', '"--index-url=x"', "neither a folder in the submission nor a requirement"),
        ('"package"', '"../.."', "lies outside the submission"),
        ('"Signum"', "Signum", "cannot be read"),
    ],
)
def test_wrong_metadata_is_named(submission, before, after, said):
    text = (submission / FILE).read_text(encoding="utf-8")
    assert before in text
    (submission / FILE).write_text(text.replace(before, after), encoding="utf-8")
    assert any(said in breach for breach in wrong(submission))


def test_a_folder_without_metadata_or_with_an_odd_name_is_named(submission):
    odd = submission.rename(submission.with_name("Sign um"))
    assert "is called 'Sign um'" in wrong(odd)[0]
    (odd / FILE).unlink()
    assert f"has no {FILE}" in wrong(odd)[0]


@pytest.mark.parametrize(
    ("project", "said"),
    [
        ("project = 3", "project must be a table; got 3"),
        ("[[project]]", "project must be a table; got [{}]"),
        ("[project]\nname = 3", "name must be text; got 3"),
        ('[project]\nname = ["a"]', "name must be text; got ['a']"),
        ('[project]\nname = "a"\nversion = 3', "version must be text; got 3"),
        ('[project]\nname = "a b"', "semicolon"),
        ("=", "Invalid"),
        ("\udcff", "can't decode"),
    ],
)
def test_a_package_that_does_not_say_what_it_is_is_named(submission, project, said):
    (submission / "package" / "pyproject.toml").write_text(project, encoding="utf-8", errors="surrogateescape")
    [breach] = wrong(submission)
    assert breach.startswith("pyproject.toml of package cannot be read: ")
    assert said in breach


def test_a_folder_that_is_too_large_for_a_repository_is_named(submission):
    with (submission / "weights.bin").open("wb") as file:
        file.truncate(LARGEST + 100_000)
    assert wrong(submission) == [
        "the folder holds 20.1 MB, and at most 20 are taken. Leave all but its two or three files out"
    ]
    (submission / "weights.bin").unlink()
    (submission / "weights.bin").symlink_to("/dev/zero")  # a link weighs what its text does
    assert isinstance(read(submission), Submission)


@pytest.mark.parametrize(
    ("install", "package", "version", "fits"),
    [
        ("signum==1.2.0", "signum", "1.2.0", True),
        ("Sig_num>=1.2", "sig-num", "1.3", True),
        ("signum", "signum", "7", True),
        ("signum==1.2.0", "signum", "1.2.1", False),
        ("signum==1.2.0", "other", "1.2.0", False),
        ("project", "normbench-example", "1.2.0", True),
        ("project", "normbench-example", "1.1.0", False),
        ("package", EXAMPLE.name, "unknown", True),
        ("package", EXAMPLE.name, "1.2.0", False),
        ("package", "elsewhere", "unknown", False),
    ],
)
def test_records_are_of_the_package_that_is_installed(submission, install, package, version, fits):
    (submission / "project").mkdir()
    shutil.copy(EXAMPLE / "pyproject.toml", submission / "project")
    (submission / FILE).write_text(METADATA.replace('"package"', f'"{install}"'), encoding="utf-8")
    found = read(submission)
    assert isinstance(found, Submission)
    assert bool(found.misfit({"package": package, "version": version})) != fits


def test_pip_is_given_a_requirement_or_a_folder_and_loose_modules_are_not_installed(submission, capsys):
    assert main([str(submission), "--install"]) == 0
    assert "nothing to install" in capsys.readouterr().out
    (submission / FILE).write_text(METADATA.replace('"package"', '"signum==1.2.0"'), encoding="utf-8")
    assert pip_call(read(submission))[-1] == "signum==1.2.0"
    shutil.copy(EXAMPLE / "pyproject.toml", submission / "package")
    (submission / FILE).write_text(METADATA, encoding="utf-8")
    assert pip_call(read(submission))[-1] == str(submission / "package")
