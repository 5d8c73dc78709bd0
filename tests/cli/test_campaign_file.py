"""Campaign files: a table asks for what the same options ask for, and what is wrong is one error that says where."""

import re
from dataclasses import replace
from pathlib import Path

import click
import pytest

from normbench.campaigns.parts import Part, plan_of_parts
from normbench.campaigns.samples import Samples
from normbench.campaigns.wanted import Wanted
from normbench.cli import main
from normbench.cli.asked_runs import AskedRuns
from normbench.cli.campaign_file import parts_of
from normbench.cli.options import PositiveNumber, Seeds
from normbench.cli.run_options import one_call
from tests.cli.calls import call
from tests.this_process import in_this_process  # noqa: F401

RESULTS = Path(__file__).parents[2] / "results"
OPTIONS = {option.opts[0]: option for option in one_call.params}
OF_A_TABLE = {"--data", "--inputs", "--outputs", "--group", "--time", "--unit", "--classes", "--scale-inputs"}
TABLE = 'data = "log.csv"\ninputs = "v,q"\noutputs = "mode"\n'
CSV = "v,q,mode,flight,t\n" + "\n".join(f"{k},{2 * k},{k % 2},{k // 5},{k}" for k in range(1, 21))
TEXTS = {  # of options that take any text, or names of columns, each something that it takes
    "--inputs": ["v,q", "q"],
    "--outputs": ["mode", "t"],
    "--layers": ["12,4,3"],
    "--set": ["learning_rate=0.5", "adam.beta1=0.8"],
    "--grid": ["lr=0.1,1", "lr=0.2,2"],
    "--group": ["flight", "file"],
    "--time": ["t", "t"],
    "--unit": ["N", "m/s"],
}
SMALL = '[defaults]\nbackend = "reference"\nlayers = "12,4,3"\niterations = 2\nseeds = 1\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The present folder, which is not that of the campaign file."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "log.csv").write_text(CSV)
    return tmp_path


@pytest.fixture
def asks(folder, monkeypatch):
    """What a campaign file with that text asks for; tables are kept in a cache of its own."""
    monkeypatch.setenv("NORMBENCH_CACHE", str(folder / "cache"))

    def asks(text):
        path = folder / "files" / "c.toml"
        path.write_text(text, encoding="utf-8")
        return [part.wanted for part in parts_of(path, {})]

    return asks


def asked_by(*words):
    return one_call.main(list(map(str, words)), standalone_mode=False)


def samples_of(option):
    """Two values of an option, as TOML and as a word; an option of a kind that is not here has to be added."""
    kind = option.type
    if option.is_flag:
        return [("true", None)]
    if isinstance(kind, click.Choice):
        return [(f'"{choice}"', choice) for choice in (kind.choices[0], kind.choices[-1])]
    if isinstance(kind, PositiveNumber):
        return [("7", "7"), ("2.5", "2.5")]
    if isinstance(kind, Seeds):
        return [("5", "5"), ('"4..6"', "4..6")]
    if isinstance(kind, click.types.IntParamType):
        return [("4", "4"), ('"5"', "5")]
    if isinstance(kind, click.Path):
        return [('"log.csv"', "../files/log.csv"), ('"../files/log.csv"', "../files/log.csv")]
    return [(f'"{text}"', text) for text in TEXTS[option.opts[0]]]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_key_asks_for_what_the_option_asks_for(name, asks):
    option, key = OPTIONS[name], name.removeprefix("--")
    of_a_table = name in OF_A_TABLE
    lines = {line.partition(" = ")[0]: line for line in TABLE.splitlines() if of_a_table}
    others = [line for each, line in lines.items() if each != key]
    words = {"data": "../files/log.csv", "inputs": "v,q", "outputs": "mode"}
    beside = [word for each in lines if each != key for word in (f"--{each}", words[each])]
    values = samples_of(option)
    found = []
    for toml, word in values:
        [wanted] = asks("\n".join(["[[runs]]", f"{key} = {toml}", *others]))
        assert wanted == asked_by(*beside, name, *([] if word is None else [word]))
        found.append(wanted)
    plain = asked_by(*beside) if key not in lines else asked_by()
    assert any(wanted != plain for wanted in found)
    if option.multiple and not of_a_table:
        several = ", ".join(toml for toml, _ in values)
        words = [text for _, word in values for text in (name, word)]
        [both] = asks(f"[[runs]]\n{key} = [{several}]")
        assert both == asked_by(*words)
        assert both not in found


def test_tables_of_the_user_lie_beside_the_file(asks, folder):
    [several] = asks('[[runs]]\ndata = ["log.csv", "log.csv"]\ninputs = ["v", "v,q"]\noutputs = "mode"\nclasses = true')
    word = folder / "files" / "log.csv"
    assert several == asked_by(
        "--data", word, "--data", word, "--inputs", "v", "--inputs", "v,q", "--outputs", "mode", "--classes"
    )
    assert len(set(several.tasks)) == 2


def test_every_table_begins_with_the_defaults(asks):
    defaults = '[defaults]\nseeds = 5\nlipschitz = [5, 10]\nchoose-bound = true\noptimiser = ["adam", "sgd"]\n'
    found = asks(defaults + '[[runs]]\n[[runs]]\nlipschitz = 20\nchoose-bound = false\nseeds = "1..2"\noptimiser = []')
    assert found == [
        Wanted(seeds=range(5), lipschitz=(5, 10), choose_bound=True, optimisers=("adam", "sgd"), **USUAL),
        Wanted(seeds=range(1, 3), lipschitz=(20,), optimisers=(), **USUAL),
    ]
    assert asks(defaults + "[[runs]]\n[[runs]]")[1] == found[0]


_plain = asked_by()
USUAL = {name: getattr(_plain, name) for name in ("axes", "tasks", "backends", "output_scale", "settings", "grids")}


def plan_of(path):
    return AskedRuns(parts_of(path, {}), "1/1").plan(Samples())


def test_a_run_and_a_search_that_two_tables_ask_for_stand_once(folder):
    path = folder / "c.toml"
    path.write_text(SMALL + '[[runs]]\noptimiser = "adam"\n[[runs]]\noptimiser = ["adam", "agd"]')
    plan = plan_of(path)
    assert [run.optimiser for run in plan.requests] == ["adam", "agd"]
    assert [search.trial.optimiser for search in plan.searches] == ["adam"]
    path.write_text(SMALL + '[[runs]]\noptimiser = "adam"\n[[runs]]\noptimiser = "adam"\ntuning-budget = 3')
    plan = plan_of(path)
    assert (len(plan.requests), len(plan.searches)) == (1, 2)  # two that may choose differently


@pytest.mark.usefixtures("in_this_process")
def test_a_campaign_makes_what_its_commands_make(folder):
    common = ["--backend", "reference", "--layers", "12,4,3", "--iterations", 2, "--tune", "none", "--jobs", 1]
    for words in (["--optimiser", "agd", "--seeds", 2], ["--optimiser", "sgd", "--seeds", "1..2", "--set", "lr=0.5"]):
        assert call("run", *common, *words, "--out", "commands", "--format", "json").exit_code == 0
    path = folder / "c.toml"
    path.write_text(
        SMALL.replace("seeds = 1", 'tune = "none"') + '[[runs]]\noptimiser = "agd"\nseeds = 2\n'
        '[[runs]]\noptimiser = ["sgd", "agd"]\nseeds = "1..1"\nset = "sgd.learning_rate=0.5"\n'
        '[[runs]]\noptimiser = "sgd"\nseeds = "1..2"\nset = ["lr=0.5"]'
    )
    made = call("run", path, "--jobs", 1, "--out", "file")
    assert made.exit_code == 0, made.output
    names = [{record.name for record in Path(out, "records").iterdir()} for out in ("commands", "file")]
    assert names[0] == names[1]
    assert len(names[0]) == 4
    assert made.stdout == call("leaderboard", "--out", "file").stdout
    before = {record: record.stat().st_mtime_ns for record in Path("file", "records").iterdir()}
    assert call("run", path, "--jobs", 1, "--out", "file", "--format", "json").stdout.count("\n") == 4
    assert {record: record.stat().st_mtime_ns for record in Path("file", "records").iterdir()} == before


def test_a_share_of_a_campaign_is_one_of_the_whole(folder):
    path = folder / "c.toml"
    path.write_text(SMALL + '[[runs]]\noptimiser = "agd"\nseeds = 4\n[[runs]]\noptimiser = "method1"\nseeds = 2')
    parts = [AskedRuns(parts_of(path, {}), f"{k}/2").plan(Samples()).requests for k in (1, 2)]
    assert len(parts[0] + parts[1]) == len({*parts[0], *parts[1]}) == 6


def test_one_campaign_knows_one_grid_of_an_optimiser(folder):
    path = folder / "c.toml"
    torch = SMALL.replace("reference", "torch") + '[[runs]]\noptimiser = "torch.optim:NAdam"\ngrid = "lr=0.1,1"\n'
    path.write_text(torch + "seeds = 2\n" + torch.partition("[[runs]]")[2].join(["[[runs]]", ""]))
    assert len(plan_of(path).searches) == 1 + 1  # of other seeds
    path.write_text(torch + '[[runs]]\noptimiser = "torch.optim:NAdam"')
    refused = call("status", path)
    assert refused.exit_code == 2
    assert f"{path}, [[runs]] 2: torch.optim:NAdam has another grid here than in {path}, [[runs]] 1" in refused.stderr


def test_what_is_run_is_said_in_one_place(folder):
    path = folder / "c.toml"
    path.write_text(SMALL + "[[runs]]")
    for name, option in OPTIONS.items():
        word = samples_of(option)[0][1]
        refused = call("run", path, name, *([] if word is None else [word]), "--out", "out")
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert f"Error: {name} beside {path}: the file says what is run." in refused.stderr
    assert not Path("out").exists()


@pytest.mark.parametrize("command", ["run", "status"])
def test_what_is_of_the_whole_is_no_key(command, folder):
    path = folder / "c.toml"
    whole = [option for option in main.get_command(None, command).params if option.opts[0].startswith("--")]
    names = {option.opts[0] for option in whole} - OPTIONS.keys() - {"--quick"}  # which takes the place of a file
    assert {"--out", "--jobs", "--data-dir", "--shard", "--keep-networks", "--format"} <= names
    for name in names:
        path.write_text(f'[defaults]\n{name.removeprefix("--")} = "x"\n[[runs]]')
        refused = call(command, path)
        assert refused.exit_code == 2
        assert f"{path}, [defaults]: {name.removeprefix('--')} is of the whole campaign" in refused.stderr
        assert f"{command} {path} {name}" in refused.stderr


RUN = "[[runs]]\n"
ERRORS = [
    ("", "it is empty. Write [[runs]], and below it"),
    ("# nothing\n", "it is empty"),
    ("[defaults]\nseeds = 3", "it asks for no runs"),
    ("runs = []", "it asks for no runs"),
    ("runs = 3", "runs must be tables, [[runs]] with two brackets each; got 3"),
    ("[runs]\nseeds = 3", "runs must be tables, [[runs]] with two brackets each; got a table"),
    ("[[defaults]]\n[[runs]]", "defaults must be one table, [defaults]; got"),
    ("[[run]]\nseeds = 3", "run is none of the tables of a campaign, which are [[runs]] and [defaults]. Did you mean"),
    ("[default]\n[[runs]]", "table [default] is none of the tables of a campaign"),
    (
        "seeds = 3\n[[runs]]",
        "seeds is none of the tables of a campaign, which are [[runs]] and [defaults]. Write it be",
    ),
    ("[[runs]]\nseeds = = 3", "it is no TOML: Invalid value (at line 2, column 9)"),
    ("[[runs]]\nseeds = 3\nseeds = 4\n\n", "it is no TOML: Cannot overwrite a value (at line 3"),
    ("[[runs]]\nseeds = 2026-13-45", "it is no TOML: "),
    (f"[[runs]]\nset = {'[' * 5000}", "it is no TOML: "),
    (b"[[runs]]\nunit = '\xb5'", "it is not UTF-8 text"),
    (RUN + RUN + 'optimizer = "adam"', ", [[runs]] 2: there is no key 'optimizer'. Did you mean 'optimiser'?"),
    (RUN + "batch_size = 3", ", [[runs]] 1: there is no key 'batch_size'. Did you mean 'batch-size'?"),
    (RUN + "xyzzy = 3", ", [[runs]] 1: there is no key 'xyzzy'. Keys are options of normbench run: task, data, "),
    (RUN + "choose-bound = 'yes'", ", [[runs]] 1, choose-bound: it is either true or false; got 'yes'"),
    (RUN + "choose-bound = 1", "choose-bound: it is either true or false; got 1"),
    (RUN + "width = true", ", [[runs]] 1, width: it takes text or a number; got true"),
    (RUN + "task = 2026-01-01", ", [[runs]] 1, task: it takes text or a number; got datetime.date"),
    (RUN + "set = {lr = 3}", ", [[runs]] 1, set: it takes text or a number; got a table"),
    (RUN + "task = [['digits']]", ", [[runs]] 1, task: it takes text or a number; got ['digits']"),
    (RUN + "layers = [12, 4, 3]", 'layers: it takes one value; got [12, 4, 3]. Write one text: layers = "12,4,3"'),
    (RUN + "width = [3, 4]", ", [[runs]] 1, width: it takes one value; got [3, 4]"),
    (RUN + "width = 2.5", ", [[runs]] 1, width: '2.5' is not a valid integer"),
    (RUN + "width = 0", ", [[runs]] 1, width: 0 is not in the range x>=1"),
    (RUN + "seeds = 0", ", [[runs]] 1, seeds: '0' is neither a number from 1, such as 10, nor a range"),
    (RUN + "lipschitz = [5, inf]", ", [[runs]] 1, lipschitz: 'inf' is not a positive finite number"),
    (RUN + "optimiser = 'adamm'", ", [[runs]] 1, optimiser: 'adamm' is not one of 'method1'"),
    (RUN + "optimiser = 'no_such:Thing'", ", [[runs]] 1: plug-in 'no_such:Thing' cannot be imported"),
    ("[defaults]\ntask = 'digit'\n[[runs]]", ", [defaults], task: 'digit' is not one of 'quadrotor-sim'"),
    (RUN + "data = ''", ", [[runs]] 1, data: the path must name a file or folder; got ''"),
    (RUN + 'data = "a\\u0000b"', ", [[runs]] 1, data: its text holds a null character"),
    (RUN + "data = 'gone.csv'\ninputs = 'a'\noutputs = 'b'", "files/gone.csv"),
    (RUN + "inputs = 'a'", ", [[runs]] 1: columns are named, and no table"),
    (RUN + "layers = '12,x,3'", ", [[runs]] 1: --layers must be widths separated by commas"),
    (RUN + "width = 3", ", [[runs]] 1: --width needs --depth beside it"),
    (RUN + RUN + "layers = '11,4,3'", ", [[runs]] 2: --layers 11,4,3 does not fit task 'quadrotor-sim'"),
    (RUN + "set = 'speed=3'\noptimiser = 'adam'", ", [[runs]] 1: --set speed=3: adam has no hyperparameter 'speed'"),
]


@pytest.mark.parametrize(("text", "said"), ERRORS, ids=[said[:40] for _, said in ERRORS])
def test_what_is_wrong_is_one_error_that_says_where(text, said, folder):
    path = folder / "files" / "c.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused = call("run", path, "--out", "out")
    assert refused.exit_code == 2, refused.output
    assert f"{path}" in refused.stderr
    assert said in refused.stderr
    assert (refused.stdout, refused.stderr.count(str(path))) == ("", 1)


def test_what_is_no_file_is_refused(folder):
    for name, said in (("no.toml", "File 'no.toml' does not exist"), (str(folder), "is a directory")):
        refused = call("run", name)
        assert (refused.exit_code, said in refused.stderr) == (2, True)


def test_a_file_of_a_windows_editor_is_read(folder):
    path = folder / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode() + b"[[runs]]\r\n")
    assert parts_of(path, {})[0].wanted.seeds == range(1)


def test_the_example_of_the_page_is_a_campaign(asks, folder):
    page = (RESULTS.parent / "docs" / "commands.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```toml\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    (folder / "files" / "log.csv").write_text(CSV.replace("mode", "fa"))
    first, second, third = asks(example)
    assert (first.seeds, first.lipschitz, first.choose_bound) == (range(3), (5.0, 20.0), True)
    assert (second.settings, second.axes["schedule"]) == (("adam.beta1=0.8",), "linear")
    assert (third.seeds, third.tasks[0].partition("@")[0]) == (range(5, 10), "log")


@pytest.mark.parametrize("name", ["boards.toml", "frontiers.toml"])
def test_the_published_campaigns_are_plans(name):
    """Of each table what needs no data but those that come with us."""
    here = {"digits", "digits-conv"}
    parts = [
        Part(replace(part.wanted, tasks=sorted(here.intersection(part.wanted.tasks))), part.where)
        for part in parts_of(RESULTS / name, {})
        if here.intersection(part.wanted.tasks)
    ]
    said = []
    plan = plan_of_parts(parts, Samples(), said.append)
    assert {run.task for run in plan.requests} == here
    assert len(plan.searches) > 10
    assert said == []
