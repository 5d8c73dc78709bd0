"""``python -m ci.site``: what it refuses before it builds, and what it puts beside the pages."""

import json
import sys

import pytest
from click.testing import CliRunner

from ci.site import beside
from ci.site.__main__ import main
from ci.site.build import SiteError


def test_a_folder_of_others_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years")
    done = CliRunner().invoke(main, ["--out", str(tmp_path), "--without", "report", "--without", "asv"])
    assert done.exit_code == 1
    assert f"--out {tmp_path} is not a folder that this command built; name another, or remove it." in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years"


def test_a_missing_report_is_told_before_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(beside, "ROOT", tmp_path)
    done = CliRunner().invoke(main, ["--out", str(tmp_path / "site")])
    assert (done.exit_code, (tmp_path / "site").exists()) == (1, False)
    told = "there is no results/report.html. Make it with python -m ci.results, or leave it out: --without report."
    assert done.stderr == f"Error: {told}\n"


def test_a_command_that_fails_is_one_message():
    with pytest.raises(SiteError, match=r"^asv publish failed: no branch main Leave them out: --without asv\.$"):
        beside.call([sys.executable, "-c", "raise SystemExit('first\\nno branch main')"], "asv publish")


def test_the_page_of_what_lies_beside_says_what_is_left_out():
    text = beside.page(report=True, asv=False)[beside.PAGE]
    assert "<a href='../results/report.html'>" in text
    assert "asv publish" in text
    assert "asv/index.html" not in text


def test_numbers_of_asv_are_in_a_script_that_is_loaded_before_its_own(tmp_path):
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "a b.json").write_text("[[1, 2.5]]")
    scripts = '<script src="jquery.js"></script><script language="javascript" src="asv.js"></script>'
    (tmp_path / "index.html").write_text(scripts)
    beside.embed(tmp_path)
    index = (tmp_path / "index.html").read_text()
    assert index.index("jquery.js") < index.index("files.js") < index.index("asv.js")
    first = (tmp_path / "files.js").read_text().splitlines()[0]
    assert json.loads(first.removeprefix("const files = ").removesuffix(";")) == {"graphs/a b.json": [[1, 2.5]]}


def test_pages_of_another_asv_are_refused(tmp_path):
    (tmp_path / "index.html").write_text("<script src='asv.js'></script>")
    with pytest.raises(SiteError, match=r"is this asv 0\.6\.6\?"):
        beside.embed(tmp_path)
