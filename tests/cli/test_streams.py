"""What a command writes reaches any encoding, and a full or closed output is one line and an exit code."""

import io
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from normbench import data
from normbench.cli import _COMMANDS, main
from normbench.cli.listing import LISTS
from normbench.cli.streams import readable
from tests.cli.calls import COMMAND

ENCODINGS = ["ascii", "cp1252", "gbk", "utf-16"]


def encoded(monkeypatch, encoding, arguments):
    """What a command writes to standard output in an encoding, and its exit code."""
    raw = {name: io.BytesIO() for name in ("stdout", "stderr")}
    with monkeypatch.context() as patch:
        for name, stream in raw.items():
            patch.setattr(sys, name, io.TextIOWrapper(stream, encoding=encoding, write_through=True))
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        for name in raw:
            getattr(sys, name).flush()
        written = {name: stream.getvalue() for name, stream in raw.items()}
    return written["stdout"].decode(encoding), written["stderr"].decode(encoding), end.value.code


def tables(results):
    """Commands whose lines depend on what the terminal can show."""
    board = ["leaderboard", "--out", results]
    return [
        ["compare", results, results],
        board,
        [*board, "--target-rms", "0.9"],
        *(["list", what] for what in LISTS),
    ]


@pytest.fixture(scope="module")
def characters(results):
    """Every character that a command writes."""
    plain = [
        *(["leaderboard", "--out", results, "--format", name] for name in ("md", "csv", "json")),
        *(["data", "info", name] for name in data.SOURCES),
        *([name, "--help"] for name in _COMMANDS),
    ]
    found = set()
    with pytest.MonkeyPatch.context() as patch:
        for arguments in [*tables(results), *plain]:
            out, err, code = encoded(patch, "utf-8", arguments)
            assert code == 0, (arguments, err)
            assert out
            found |= {*out, *err}
    assert "±" in found
    return "".join(sorted(character for character in found if character.isprintable()))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_everything_can_be_printed_in_every_encoding(encoding, results, characters, monkeypatch):
    for arguments in tables(results):
        out, err, code = encoded(monkeypatch, encoding, arguments)
        assert code == 0, (arguments, err)
        assert out
    _, err, code = encoded(monkeypatch, encoding, ["run", "--task", f"→ no such task ± {characters}"])
    assert code == 2
    assert "no such task" in err


def test_what_an_encoding_lacks_is_replaced_by_something_readable(results, monkeypatch):
    plain, _, _ = encoded(monkeypatch, "ascii", ["leaderboard", "--out", results])
    whole, _, _ = encoded(monkeypatch, "utf-8", ["leaderboard", "--out", results])
    assert "mean ± sample standard deviation" in " ".join(whole.split())
    assert "mean +- sample standard deviation" in " ".join(plain.split())
    assert readable("→ ± † × – … é ✓ ≤") == "-> +- + x - ... e ? <="


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("redirection", "code", "message"),
    [
        (">/dev/full", 1, "the output cannot be written: No space left on device."),
        ("2>/dev/full", 0, ""),
        (">/dev/full 2>/dev/full", 1, ""),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("| head -c 0; exit ${PIPESTATUS[0]}", None, ""),
    ],
)
def test_a_full_or_closed_output_is_one_line_and_an_exit_code(redirection, code, message, tmp_path):
    command = f"{shlex.join([*COMMAND, 'list', 'optimisers', '--format', 'json'])} {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == code or (code is None and done.returncode in (0, 1))
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == bool(message)
    assert message in done.stderr
