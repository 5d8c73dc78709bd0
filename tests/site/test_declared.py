"""Every declaration has its page, which says all that is declared and published of it; a new one has it by itself."""

import csv
import html
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import normbench
from ci.site.declared import PACKAGE, RESULTS, pages
from ci.site.optimisers import commands
from ci.site.parametrisations import commands as commands_through
from normbench import specs
from normbench.campaigns.samples import Samples
from normbench.cli.asked_runs import asked_runs
from normbench.errors import InvalidArgumentError
from normbench.presentation.tables import number
from normbench.specs import SPECS, Family
from normbench.specs.parametrisations import PARAMETRISATIONS, objection

SOURCES = ("torch/optimizers", "torch/updates", "jax/transformations", "jax/updates", "reference")


@pytest.fixture(scope="module")
def made():
    return pages()


def rows(name):
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plain(page):
    """What a reader sees: no escapes, no marks of code, of links their words alone."""
    shown = html.unescape(re.sub(r"\]\([^)]*\)", "]", page))
    return shown.replace("\\", "").replace("`", "").replace("[", "").replace("]", "")


def seen(text):
    return text.replace("[", "").replace("]", "")


def test_what_is_declared_has_a_page_and_a_line_of_the_table(made):
    for folder, keys in (("optimisers", SPECS), ("parametrisations", PARAMETRISATIONS)):
        index = made[f"{folder}/index.md"]
        assert {path for path in made if path.startswith(folder)} == {f"{folder}/{key}.md" for key in (*keys, "index")}
        assert re.findall(r"^\| `(\w+)` \|", index, re.MULTILINE) == list(keys)
        assert re.findall(r"^(\w+)$", index, re.MULTILINE) == list(keys)  # of the sidebar


@pytest.mark.parametrize("key", SPECS)
def test_a_page_says_all_that_is_declared(key, made):
    spec, page = SPECS[key], plain(made[f"optimisers/{key}.md"])
    said = [spec.title, spec.paper, spec.equations, *spec.state, *spec.invariants, *spec.notes]
    said += [line.meaning for line in (*spec.hyperparameters, *spec.constants)]
    assert [words for words in said if seen(words) not in page] == []
    for h in spec.hyperparameters:
        values = ", ".join(f"{value:g}" for value in h.grid)
        assert re.search(
            rf"^\| {h.name} \| .* \| {re.escape(values)} \| {re.escape(seen(h.meaning))}", page, re.MULTILINE
        )
    refused = [reason for p in PARAMETRISATIONS.values() if (reason := objection(spec, p))]
    assert page.count("| refused: it ") == len(refused)
    assert [reason for reason in refused if reason not in page] == []


@pytest.mark.parametrize("key", PARAMETRISATIONS)
def test_a_page_says_all_that_is_declared_of_a_parametrisation(key, made):
    found, page = PARAMETRISATIONS[key], plain(made[f"parametrisations/{key}.md"])
    said = [found.title, found.source, found.equation, *found.notes]
    assert [words for words in said if seen(words) not in page] == []
    takers = [spec.title for spec in SPECS.values() if not objection(spec, found)]
    assert re.findall(r"^\| (.*) \| yes.*\|$", page, re.MULTILINE)[-len(takers) :] == takers


@pytest.mark.parametrize("key", specs.AUTOMATIC)
def test_what_has_classes_shows_equations_and_both_examples(key, made):
    page = made[f"optimisers/{key}.md"]
    equations = re.search(r"## The update\n\n```text\n(.*?)```", page, re.DOTALL)[1]
    assert re.search(r"<-| = ", equations)
    assert "Parameters" not in equations
    torch, jax = re.findall(r"```pycon\n(.*?)```", page, re.DOTALL)
    assert re.search(rf"from normbench.torch import {key.replace('_', '')}\n", torch, re.IGNORECASE)
    assert re.search(rf"from normbench.jax import (\w+, )?{key}\n", jax)
    assert "tensor(True)" in torch
    assert jax.endswith("True\n")


@pytest.mark.parametrize("key", [key for key in SPECS if key not in specs.AUTOMATIC])
def test_what_is_of_a_library_shows_how_it_is_called(key, made):
    spec, page = SPECS[key], made[f"optimisers/{key}.md"]
    calls = re.findall(
        r"\{tab-item\} (\w+)\n```python\n((?:torch\.optim|optax|optimistix|pytorch_optimizer|geoopt|pymanopt)\..*)\n",
        page,
    )
    if spec.backends or spec.family is Family.BASELINE:
        assert [backend for backend, _ in calls] == list(spec.backends or ("torch", "jax"))
        assert all(compile(line, key, "eval") and "self" not in line for _, line in calls)
    else:
        assert "no class of it for a loop of your own" in page
        assert f"def {key}(" in page  # the reference


def test_a_page_says_which_networks_are_trained(made):
    kinds = {
        "levenberg_marquardt": "up to 5,000 weights",
        "method2": "all parts with a known operator norm",
        "adam": "any",
    }
    for key, words in kinds.items():
        (row,) = [line for line in made[f"optimisers/{key}.md"].splitlines() if line.startswith("| networks |")]
        assert words in row.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("key", SPECS)
def test_every_published_row_is_there_whatever_its_place(key, made):
    page = made[f"optimisers/{key}.md"].replace("\N{NO-BREAK SPACE}", " ").replace("\N{NON-BREAKING HYPHEN}", "-")
    ranked, boards = page.split("## On the boards")[1].split("## At a certified bound")
    own = [row for row in rows("leaderboard.csv") if row["optimiser"] == key and row["kind"] == "optimiser"]
    for row in own:
        rms = " ± ".join(number(float(row[name])) for name in ("test_rms_mean", "test_rms_sd"))
        assert f"| {row['rank']} ({row['rank_low']}-{row['rank_high']}) | {row['backend']} |" in ranked
        assert rms in ranked
        assert row["command"] in ranked
    assert len(re.findall(r" ± .* none \|$", ranked, re.MULTILINE)) == len(own)
    at_bounds = [row for row in rows("frontier.csv") if row["optimiser"] == key and row["role"] == "at L"]
    for row in at_bounds:
        if row["test_rms_mean"]:
            assert number(float(row["test_rms_mean"])) in boards
        assert all(command in boards for command in row["command"].split("; "))
    assert ("none of the published boards" in ranked) == (not own)


def test_the_best_rank_is_that_of_the_boards(made):
    said = {
        cells[1].strip("` "): cells[6:8]
        for line in made["optimisers/index.md"].splitlines()
        if len(cells := line.split("|")) > 7
    }
    for name, column, at in (("leaderboard.csv", "rank", 0), ("frontier.csv", "overall_rank", 1)):
        for key in SPECS:
            counted = (row for row in rows(name) if row["optimiser"] == key and row.get("role", "at L") == "at L")
            best = min((int(row[column]) for row in counted if row[column]), default=math.nan)
            assert said[key][at].split()[0] == ("–" if math.isnan(best) else str(best)), (key, name)


def test_links_of_the_pages_lead_to_pages(made):
    """The strict build of the site looks at headings, too."""
    docs = RESULTS.parent / "docs"
    for name, page in made.items():
        for target in re.findall(r"\]\(([^)\s#:]*\.md)[)#]", page):
            path = (docs / name / ".." / target).resolve()
            assert path.exists() or path.relative_to(docs.resolve()).as_posix() in made, (name, target)


def test_pages_are_made_without_torch_and_jax(monkeypatch, tmp_path):
    for library in ("torch", "jax", "optax", "normbench.torch.optimizers", "normbench.jax.transformations"):
        monkeypatch.setitem(sys.modules, library, None)  # an import of it fails
    assert "none of the published boards" in pages(results=tmp_path)["optimisers/adam.md"]


SIGNSGD = replace(SPECS["lars"], key="signsgd", title="Sign SGD", equations="Algorithm 1 <of> nobody", unsuited=())
TORCH = '''class SignSGD:
    """Signs.

    W <- W - lr sign(g)

    Examples
    --------
    >>> 1
    1
    """

    key = "signsgd"
'''
JAX = '''def signsgd():
    """Signs.

    Examples
    --------
    >>> 2
    2
    """
'''


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """A declaration of a new module ``signs``, and a copy of the sources to write that module into."""
    monkeypatch.setitem(specs.SPECS, "signsgd", SIGNSGD)
    monkeypatch.setitem(specs._HOMES, "signsgd", "signs")
    for folder in SOURCES:
        shutil.copytree(PACKAGE / folder, tmp_path / folder)
    shutil.copy(PACKAGE / "torch" / "parametrized.py", tmp_path / "torch")
    return tmp_path


def test_a_new_declaration_has_its_page_by_itself(planted):
    (planted / "torch/optimizers/signs.py").write_text(TORCH)
    (planted / "jax/transformations/signs.py").write_text(JAX)
    made = pages(package=planted)
    page = made["optimisers/signsgd.md"]
    assert page.startswith("# Sign SGD\n\nSigns. ")
    assert "W <- W - lr sign(g)" in page
    assert "Algorithm 1 &lt;of> nobody" in page  # text of a declaration is no markup
    assert ">>> 1\n1\n" in page
    assert ">>> 2\n2\n" in page
    assert "[Sign SGD](signsgd.md)" in made["optimisers/index.md"]
    assert "[Sign SGD](signsgd.md)" in made["optimisers/fromage.md"]
    assert "[Sign SGD](../optimisers/signsgd.md) | yes" in made["parametrisations/sandwich.md"]


def test_a_promised_class_that_is_missing_is_named(planted):
    with pytest.raises(InvalidArgumentError, match=r"'signsgd' has no class of torch"):
        pages(package=planted)
    (planted / "torch/optimizers/signs.py").write_text(TORCH)
    with pytest.raises(InvalidArgumentError, match=r"'signsgd' has no optax transformation"):
        pages(package=planted)


def test_a_peer_whose_library_is_not_called_is_named(monkeypatch, planted):
    monkeypatch.setitem(
        specs.SPECS, "signsgd", replace(SIGNSGD, family=Family.PEER, backends=("jax",), equations="optax.sign_sgd")
    )
    with pytest.raises(InvalidArgumentError, match=r"'signsgd' .* no call of one is found in jax"):
        pages(package=planted)
    (planted / "jax/updates/signs.py").write_text("signsgd = _rated(partial(optax.sign_sgd, 0.1, nesterov=True))\n")
    assert "```python\noptax.sign_sgd(0.1, nesterov=True)\n```" in pages(package=planted)["optimisers/signsgd.md"]


SAMPLES = Samples()


@click.command()
@asked_runs
def planned(asked):
    """The options of normbench run, read as it reads them, and the plan that it makes of them."""
    plan = asked.plan(SAMPLES)
    click.echo(f"{len(plan.requests)} {len(plan.searches)}")


COMMANDS = [command for spec in SPECS.values() for command in commands(spec)]
COMMANDS += [command for found in PARAMETRISATIONS.values() for command in commands_through(found)]


@pytest.mark.parametrize("words", COMMANDS)
def test_the_commands_of_the_pages_make_a_plan(words, made):
    assert any(f"\n{words}\n" in page for page in made.values())
    program, run, *options = words.split()
    assert (program, run) == ("normbench", "run")
    found = CliRunner().invoke(planned, options)
    assert (found.exit_code, found.stderr) == (0, ""), found.output
    runs, searches = map(int, found.stdout.split())
    assert runs > 0
    assert searches > 0 or "--tune" not in words


def test_the_pages_are_of_this_package():
    assert Path(normbench.__file__).parent == PACKAGE
