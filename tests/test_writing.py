"""Files appear whole or not at all, and what cannot be written is said beforehand in one line, with path and cause."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from normbench.data.cache import cache_folder
from normbench.errors import InvalidArgumentError, OutputError
from normbench.paths import as_path, path_from
from normbench.writing import probe_file, probe_folder, replaced, write_bytes, write_text

LONG = "x" * 300


def tree(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    return tmp_path


FOLDERS = [
    ("file", "file is not a folder"),
    ("file/below/it", "file is not a folder"),
    ("/dev/null/x", "/dev/null is not a folder"),
    (LONG, "too long"),
    (f"new/{LONG}/new", "too long"),
    ("/proc/nothing", "/proc/nothing: "),
]


@pytest.mark.parametrize(("name", "cause"), FOLDERS)
def test_a_folder_that_cannot_be_written_is_found_beforehand(name, cause, here):
    before = tree(here)
    with pytest.raises(OutputError, match=cause) as found:
        probe_folder(Path(name))
    assert str(Path(name)) in str(found.value)
    assert "\n" not in str(found.value)
    assert tree(here) == before


@pytest.mark.parametrize(
    ("name", "cause"),
    [*((f"{name}/x.csv", cause) for name, cause in FOLDERS), ("folder", "Is a directory"), (LONG, "too long")],
)
@pytest.mark.parametrize("act", [probe_file, lambda path: write_text(path, "x")], ids=["probed", "written"])
def test_a_file_that_cannot_be_written_is_an_error_with_its_cause(act, name, cause, here):
    before = tree(here)
    with pytest.raises(OutputError, match=cause.replace("/proc/nothing: ", "/proc/nothing")):
        act(Path(name))
    assert set(tree(here)) - set(before) <= {Path("new")}


def test_a_pipe_in_place_of_a_file_is_not_replaced(here):
    os.mkfifo(here / "pipe.csv")
    for act in (probe_file, lambda path: write_text(path, "x")):
        with pytest.raises(OutputError, match="no regular file"):
            act(Path("pipe.csv"))


def test_a_probe_leaves_nothing_and_makes_nothing(here):
    before = tree(here)
    probe_folder(Path("a/b/c"))
    probe_file(Path("a/b/c.csv"))
    probe_file(Path("file"))
    assert tree(here) == before
    assert Path("file").read_text() == "a file"


def test_a_folder_that_was_deleted_is_named(tmp_path):
    code = (
        "import os, pathlib; from normbench import errors, writing\n"
        "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "try: writing.probe_folder(pathlib.Path('out'))\n"
        "except errors.OutputError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout == "cannot write out: the working directory no longer exists.\n"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no users")
def test_a_read_only_folder_and_file_are_found(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "good.csv"
    file.write_text("good")
    code = (
        "import os, sys, pathlib; from normbench import errors, writing\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        f"for path, probe in ((pathlib.Path({str(folder)!r}), writing.probe_folder), "
        f"(pathlib.Path({str(file)!r}), writing.probe_file)):\n"
        "    try: probe(path); print('no error')\n"
        "    except errors.OutputError as error: print(error)"
    )
    file.chmod(0o444)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    folder.chmod(0o555)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[0] == f"cannot write {folder}: Permission denied."
    folder.chmod(0o777)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["no error", f"cannot write {file}: The file is read-only."]


def test_a_good_file_survives_a_disk_that_fills(tmp_path):
    good = tmp_path / "good.csv"
    good.write_text("good")
    code = (
        "import pathlib, resource; from normbench import errors, writing\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        f"try: writing.write_text(pathlib.Path({str(good)!r}), 'x' * 50000)\n"
        "except errors.OutputError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == f"cannot write {good}: File too large.\n"
    assert good.read_text() == "good"
    assert tree(tmp_path) == [Path("good.csv")]


def test_what_the_block_raises_leaves_the_old_file(tmp_path):
    file = tmp_path / "x"
    file.write_text("old")

    def half():
        with replaced(file) as temporary:
            temporary.write_text("half of the")
            raise KeyError("no")

    with pytest.raises(KeyError):
        half()
    assert file.read_text() == "old"
    assert tree(tmp_path) == [Path("x")]


def test_a_link_stays_a_link_and_rights_stay_the_same(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_bytes(link, b"new\r\n")
    assert link.is_symlink()
    assert target.read_bytes() == b"new\r\n"
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(("text", "path"), [("~", "home"), ("~/x", "home/x"), ("./~", "~"), ("a b", "a b")])
def test_a_tilde_is_the_home_folder(text, path, monkeypatch):
    monkeypatch.setenv("HOME", "home")
    assert as_path("--out", text) == Path(path)


def test_the_home_of_nobody_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"\./~no_such_user"):
        as_path("--out", "~no_such_user/x")


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_an_empty_path_is_refused_and_an_empty_variable_unset(blank, monkeypatch):
    with pytest.raises(InvalidArgumentError, match="--out"):
        as_path("--out", blank)
    monkeypatch.setenv("NORMBENCH_CACHE", blank)
    assert path_from("NORMBENCH_CACHE") is None
    assert cache_folder().name == "normbench"


def test_the_cache_is_where_the_variable_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("NORMBENCH_CACHE", "~/cache")
    assert cache_folder() == Path("/home/someone/cache")


def another_ends(folder):
    """Its probe has made the folder above, and removes it."""
    folder.parent.rmdir()


def another_begins(folder):
    """Its probe makes the folder first."""
    folder.mkdir()


@pytest.fixture(params=[another_ends, another_begins])
def folder(request, tmp_path, monkeypatch):
    """A folder to probe; right before we make it, for the first three times, another command's probe does its part."""
    meant, make, times = tmp_path / "new" / "records", Path.mkdir, iter(range(3))
    meant.parent.mkdir()

    def mkdir(path, *given, **named):
        if path == meant and next(times, None) is not None:
            with monkeypatch.context() as at_once:
                at_once.setattr(Path, "mkdir", make)
                request.param(path)
        make(path, *given, **named)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    return meant


def test_the_probe_of_another_command_is_no_fault(folder):
    probe_folder(folder)  # it ended in "No such file or directory", or "File exists"


def test_what_is_written_while_another_command_probes_is_written(tmp_path, monkeypatch):
    """Its probe had made the folder, and removed it between two steps."""
    meant, touch, times = tmp_path / "new", Path.touch, iter(range(3))

    def late(path, *given, **named):
        if path.parent == meant and next(times, None) is not None:
            meant.rmdir()
        touch(path, *given, **named)

    monkeypatch.setattr(Path, "touch", late)
    write_text(meant / "file", "text")
    assert tree(meant) == [Path("file")]
