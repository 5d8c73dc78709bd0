"""What is released is looked into: a missing file, rubbish, and a wheel that its sdist does not make are found."""

import io
import tarfile
import tomllib
import zipfile

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.spec import get_core_metadata_constructors

from ci.package import (
    FIRST_BOARD,
    IN_SDIST,
    METADATA,
    ROOT,
    PackageError,
    check_contents,
    check_metadata,
    contents,
    of_the_package,
    same,
)

FILES = {"normbench/a.py": b"a = 1\n", "normbench/py.typed": b"", "normbench-1.dist-info/licenses/LICENSE": b"free"}


@pytest.fixture
def archives(tmp_path):
    wheel, sdist = tmp_path / "normbench-1-py3-none-any.whl", tmp_path / "normbench-1.tar.gz"
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, data in FILES.items():
            packed.writestr(name, data)
    with tarfile.open(sdist, "w:gz") as packed:
        for name, data in FILES.items():
            member = tarfile.TarInfo(f"normbench-1/{name}")
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return wheel, sdist


def test_wheel_and_sdist_are_read_alike(archives):
    wheel, sdist = map(contents, archives)
    assert wheel == sdist
    assert wheel.keys() == FILES.keys()
    same(wheel, sdist)


def test_a_wheel_that_differs_is_named(archives):
    wheel = contents(archives[0])
    for other in (wheel | {"normbench/a.py": "0"}, {k: v for k, v in wheel.items() if k != "normbench/a.py"}):
        with pytest.raises(PackageError, match=r"another than that of the tree: normbench/a\.py"):
            same(wheel, other)


def test_what_is_missing_or_too_much_is_named():
    tops = ("normbench", "normbench-1.dist-info")
    check_contents(FILES, FILES, tops)
    with pytest.raises(PackageError, match=r"missing: normbench/py\.typed"):
        check_contents(FILES.keys() - {"normbench/py.typed"}, FILES)
    for rubbish in ("normbench/__pycache__/a.cpython-311.pyc", "results/records.parquet"):
        with pytest.raises(PackageError, match="should not be there"):
            check_contents({*FILES, rubbish}, FILES)
    with pytest.raises(PackageError, match="should not be there: tests"):
        check_contents({*FILES, "tests/test_a.py"}, FILES, tops)


@pytest.mark.parametrize("builder", [SdistBuilder, WheelBuilder])
def test_metadata_are_written_in_the_version_that_the_upload_reads(builder):
    assert builder(str(ROOT)).config.core_metadata_constructor is get_core_metadata_constructors()[METADATA]


@pytest.mark.parametrize("own", ["normbench-1.dist-info/METADATA", "PKG-INFO"])
def test_metadata_that_the_upload_cannot_read_are_named(tmp_path, own):
    def packed(version):
        data = f"Metadata-Version: {version}\nName: normbench\n".encode()
        if own == "PKG-INFO":
            archive, member = tmp_path / "normbench-1.tar.gz", tarfile.TarInfo(f"normbench-1/{own}")
            member.size = len(data)
            with tarfile.open(archive, "w:gz") as sdist:
                sdist.addfile(member, io.BytesIO(data))
            return archive
        archive = tmp_path / "normbench-1-py3-none-any.whl"
        with zipfile.ZipFile(archive, "w") as wheel:
            wheel.writestr(own, data)
        return archive

    check_metadata(packed(METADATA), own)
    with pytest.raises(PackageError, match=r"normbench-1\S+ has metadata 99\.0, and the upload reads"):
        check_metadata(packed("99.0"), own)


def test_types_pages_and_published_figures_belong_to_the_package():
    names = of_the_package()
    assert {"normbench/py.typed", "normbench/papers/asgd/table1.csv", "normbench/cli/__init__.py"} <= names
    assert any(name.endswith(".html.j2") for name in names)


def test_what_is_tried_is_a_command_of_the_readme():
    assert f"normbench {' '.join(FIRST_BOARD)}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_sdist_takes_what_stands_in_the_tree():
    named = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["sdist"]
    for name in named["include"]:
        assert list(ROOT.glob(name.removeprefix("/"))), name


def test_the_sdist_has_what_tests_read():
    names = {file.distribution_path for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    read = [
        ".pre-commit-config.yaml",
        ".ci/run",
        "results/boards.toml",
        "results/frontiers.toml",
        "submissions/README.md",
    ]
    workflows = [path.relative_to(ROOT).as_posix() for path in (ROOT / ".github" / "workflows").iterdir()]
    assert workflows
    assert {*read, *workflows} <= names


def test_the_sdist_of_this_tree_holds_nothing_that_a_release_refuses():
    names = {file.distribution_path for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    check_contents(names, {*of_the_package(), *IN_SDIST} - {"PKG-INFO"})  # which the build writes
