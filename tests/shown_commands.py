"""The commands that pages show, as bash reads them, and whether their programs would take them; none is run."""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from runpy import run_module
from tempfile import TemporaryDirectory

import click
import pytest

from ci.site.commands import contexts
from normbench.cli import main
from normbench.cli.options import PluggedIn, UserPath
from tests.pages import ROOT

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:^ {4}.*\n|^\n(?= {4}))+", re.MULTILINE)
_INLINE = re.compile(r"`([^`]+)`")
_NAMES = "normbench", "python", "python3", "pip", "uv", "asv", "pytest", "torchrun"
_SCRIPT = r"(?:ci|benchmarks)/\w+\.(?:sh|py)(?!\S)"
_COMMAND = re.compile(rf"(?:time |\w+=\S+ )*(?:\.venv/bin/)?(?:(?:{'|'.join(_NAMES)}) \S|{_SCRIPT})")
_BEGINS_SHELL = re.compile(rf"\s*(?:{_COMMAND.pattern}|/usr/bin/time |for \w+ in |\w+=\"|(?:git|gh|sbatch|dask) )")
# What stands in for every program writes down its words: 037 (octal) ends one, 036 the command. PATH is empty.
_STAND_INS = "".join(
    [
        "said() { printf '%s\\037' \"$@\" >&3; printf '\\036' >&3; }; PATH=\n",
        "cd() { :; }; source() { :; }; git() { printf WORD; }; cat() { printf WORD; }\n",
        *(f'{name}() {{ said {name} "$@"; }}\n' for name in _NAMES),
    ]
)
PLACEHOLDER = re.compile(r"[A-Z]+\d?|vX\.Y\.Z|OPTIMISER/BACKEND/TASK")  # what a reader puts a word of theirs for
OTHERS = {"signum", "pendulum"}  # of the package in docs/plug_ins.md


@dataclass(frozen=True)
class Command:
    """A program with its words, of a page; ``whole`` unless a sentence names it, which may leave words out."""

    page: str
    words: tuple[str, ...]
    whole: bool = True


def shell(text: str) -> Iterator[tuple[str, bool]]:
    """Every block of shell of a page with True, and every command in a sentence with False."""
    for language, code in _FENCE.findall(text):
        if language == "bash":
            yield code, True
        if not language:  # a transcript
            yield "\n".join(line[2:] for line in code.splitlines() if line.startswith("$ ")), True
    prose = _FENCE.sub("", text)
    yield from ((block, True) for block in _INDENTED.findall(prose) if _BEGINS_SHELL.match(block))
    for code in _INLINE.findall(_INDENTED.sub("\n", prose)):
        if _COMMAND.match(code):
            yield " ".join(code.split()), False


def _for_bash(code: str) -> str:
    """Programs by their names alone, and without the words that a page leaves out."""
    named = re.sub(r"\.venv/bin/(?=\w)|(?<![\w-])(?:/usr/bin/)?time (?:-v )?(?=\w)|(?<= )\.\.\.(?=\s|$)", "", code)
    return re.sub(rf"^(\s*)({_SCRIPT})", r"\1said \2", named, flags=re.MULTILINE)


def commands(texts: dict[str, str]) -> list[Command]:
    """What bash would start for the pages, in one process of it."""
    blocks = [(page, whole, code) for page, text in texts.items() for code, whole in shell(text)]
    script = "".join(f"(:\n{_for_bash(code)}\n)\nsaid -- {number}\n" for number, (_, _, code) in enumerate(blocks))
    read = ["bash", "-c", f"exec 3>&1 >/dev/null 2>&1\n{_STAND_INS}{script}"]
    with TemporaryDirectory() as folder:  # where pages say "> FILE"
        said = subprocess.run(read, stdout=subprocess.PIPE, text=True, cwd=folder).stdout
    found: list[Command] = []
    started: list[tuple[str, ...]] = []
    for line in said.split("\036")[:-1]:
        words = tuple(line.split("\037")[:-1])
        if words[0] != "--":
            started.append(words)
            continue
        page, whole, _ = blocks[int(words[1])]
        found += [Command(page, each, whole) for each in started]
        started.clear()
    assert said.endswith(f"--\037{len(blocks) - 1}\037\036"), "bash ended before the last block"
    return found


def in_messages() -> list[Command]:
    """What the code of the package names: quoted, or followed by an option; a message leaves words out as it likes."""
    named = re.compile(r"(?:(?<=[`'])normbench ([a-z]+)|normbench ([a-z]+)(?= --))((?: --[a-z-]+(?: [A-Z]\S*)?)*)")
    found = []
    for path in sorted((ROOT / "normbench").rglob("*.py")):
        for quoted, followed, options in named.findall(path.read_text(encoding="utf-8")):
            found.append(Command(path.name, ("normbench", quoted or followed, *options.split()), whole=False))
    return found


def options_in(text: str) -> set[str]:
    """The options that sentences name without their command."""
    prose = _INDENTED.sub("\n", _FENCE.sub("", text))
    return {code.split()[0] for code in _INLINE.findall(prose) if re.match(r"--\w[\w-]*(?:\s|$)", code)}


def options_of_ours() -> set[str]:
    return {o for context in contexts(main, None) for param in context.command.get_params(context) for o in param.opts}


def in_helps() -> list[Command]:
    """The examples in the help of every command of ours."""
    texts = {}
    for context in contexts(main, None):
        lines = re.findall(r"^ +(normbench \S.*)$", context.command.help or "", re.MULTILINE)
        texts[context.command_path] = "\n".join(f"`{re.split(r'  +| > ', line)[0]}`" for line in lines)
    return [Command(each.page, each.words) for each in commands(texts)]


def refuse(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise what the program would, at the latest when it has read its words."""
    program, *words = command.words
    for kind in (click.Path, UserPath):  # files are the reader's
        monkeypatch.setattr(kind, "convert", lambda self, value, param, context: value)
    if program == "normbench" and "--help" not in words:
        _normbench(words, command.whole)
    elif program.startswith("python") and words[0] != "-c":
        _python(words, monkeypatch)
    elif program in ("pip", "uv"):
        _pip(words)
    elif program == "asv" and (command.whole or words[1:]):
        _asv(words)
    elif program == "pytest":
        _pytest(words)
    elif "/" in program:
        assert (ROOT / program).is_file()


def _normbench(words: Sequence[str], whole: bool) -> None:
    command, context = main, main.make_context("normbench", [], resilient_parsing=True)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        if PLACEHOLDER.fullmatch(name):
            return
        command = command.get_command(context, name) or pytest.fail(f"{context.command_path} has no command {name}")
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    context.resilient_parsing = False
    try:
        given, rest, _ = command.make_parser(context).parse_args(list(words))
    except click.BadOptionUsage:
        if whole or not words[-1].startswith("--"):  # a sentence may name an option without its value
            raise
        return
    assert rest == [], f"left over: {rest}"
    for param in command.get_params(context):
        value = given.get(param.name)
        if param.value_is_missing(value):
            assert not (whole and param.required), f"{param.name} is missing"
        elif value is not None and not getattr(param, "is_flag", False):
            _convert(param, value, context)


def _convert(param: click.Parameter, value: object, context: click.Context) -> None:
    """Each of its values, but for a reader's own."""
    for text in value if isinstance(value, list | tuple) else [value]:
        own = isinstance(param.type, PluggedIn) and (text in OTHERS or ":" in text)
        if isinstance(text, str) and not own and not PLACEHOLDER.fullmatch(text):
            param.type.convert(text, param, context)


class _ReadError(Exception):
    """A program of ours has read its words, and goes no further."""


def _python(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules and files of ours read their words, if there are any, and go no further."""
    module = words[0] == "-m"
    name, *words = words[1:] if module else words
    if name == "pytest":
        _pytest(words)
    exists = find_spec(name) is not None if module else (ROOT / name).is_file()
    assert exists or not module, f"there is no module {name}"
    if not words or not exists or not name.startswith(("ci", "benchmarks")):
        return  # files that a page shows are run by tests/test_docs.py and tests/site
    parse = argparse.ArgumentParser.parse_args

    def argparse_reads(self, args=None, namespace=None):
        parse(self, args, namespace)
        raise _ReadError

    def click_reads(self, *args, **options):
        self.make_context(self.name, list(words))
        raise _ReadError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", argparse_reads)
    monkeypatch.setattr(click.Command, "main", click_reads)
    with pytest.raises(_ReadError):
        start(name if module else name.removesuffix(".py").replace("/", "."), words, monkeypatch)


def start(module: str, words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``python -m`` does with a module of ours, without a trace in this process."""
    before = set(sys.modules)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # benchmarks/common.py sets the threads of its process
    monkeypatch.setattr(sys, "argv", [module, *words])
    for name in (module, f"{module}.__main__"):
        monkeypatch.delitem(sys.modules, name, raising=False)  # runpy warns of it
    try:
        run_module(module, run_name="__main__")
    finally:
        for imported in {name for name in sys.modules if name.startswith("benchmarks")} - before:
            del sys.modules[imported]


def _pip(words: Sequence[str]) -> None:
    """Extras and groups that it names are declared, and files that it names are there."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for before, word in pairwise(["", *words]):
        extras = re.fullmatch(r"(?:\.|normbench)\[(.*)\]", word)
        assert set(extras[1].split(",") if extras else ()) <= declared["project"]["optional-dependencies"].keys()
        assert before != "--group" or word in declared["dependency-groups"]
        assert before not in ("-c", "-r") or (ROOT / word).is_file()


def _asv(words: Sequence[str]) -> None:
    if find_spec("asv") is not None:
        from asv.commands import make_argparser

        make_argparser()[0].parse_args(list(words))


def _pytest(words: Sequence[str]) -> None:
    """Paths are there, marks are declared."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    for before, word in pairwise(["", *words]):
        assert "/" not in word or word.startswith("-") or (ROOT / word).exists(), f"there is no {word}"
        assert before != "-m" or any(mark.startswith(f"{word}:") for mark in declared["markers"])
