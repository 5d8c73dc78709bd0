"""A file is the published one if what it holds is: every source in every disguise, in every folder."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data.contents import CONTENTS, Content, digest_of, text_forms
from normbench.data.source import PublishedSource
from normbench.data.sources import cifar, wikitext
from normbench.errors import DataError
from tests.published import stand_in
from tests.small_sets import MEMBERS, publish, write_loose, write_tar, write_zip

SINGLE = ["neural-fly", "quadrotor", "mnist", "fashion-mnist"]
ARCHIVES = {
    "cifar-10": "cifar-10-binary", "cifar-10 for Python": "cifar-10-python", "cifar-100": "cifar-100-binary",
    "cifar-100 for Python": "cifar-100-python", "wikitext-2": "wikitext-2-v1",
}  # fmt: skip
TEXTS = ["neural-fly", "quadrotor", "wikitext-2"]
FOLDERS = {
    "mnist": ["raw", "MNIST/raw", "mnist", "MNIST", "mnist/raw"],
    "fashion-mnist": ["FashionMNIST/raw", "fashion-mnist", "fashion_mnist", "Fashion-MNIST"],
    "neural-fly": ["neural-fly", "neural_fly", "Neural_Fly"],
    "quadrotor": ["quadrotor"],
    "cifar-10": ["cifar-10-batches-bin", "cifar-10/cifar-10-batches-bin", "cifar_10"],
    "cifar-10 for Python": ["cifar-10-batches-py", "cifar-10/cifar-10-batches-py"],
    "cifar-100 for Python": ["cifar-100-python", "CIFAR-100-python"],
    "cifar-100": ["cifar-100", "cifar_100"],
    "wikitext-2": ["wikitext-2", "wikitext_2", "WikiText-2"],
}


def _packed(pack: Callable[[bytes], bytes], ending: str) -> Callable[[Path, str], None]:
    return lambda folder, key: write_loose(folder, MEMBERS[key], lambda name, content: (name + ending, pack(content)))


def _renamed(rename: Callable[[str], str]) -> Callable[[Path, str], None]:
    return lambda folder, key: write_loose(folder, MEMBERS[key], lambda name, content: (rename(name), content))


def _rewritten(rewrite: Callable[[bytes], bytes]) -> Callable[[Path, str], None]:
    return _loose_with(lambda name, content: (name, rewrite(content)))


def _loose_with(change: Callable[[str, bytes], tuple[str, bytes]]) -> Callable[[Path, str], None]:
    return lambda folder, key: write_loose(folder, MEMBERS[key], change)


def _as_tar(ending: str, mode: str, rename: Callable[[str], str] = str) -> Callable[[Path, str], None]:
    return lambda folder, key: write_tar(
        folder / (ARCHIVES[key] + ending), {rename(name): content for name, content in MEMBERS[key].items()}, mode
    )


def _as_zip(name: str | None = None, method: int = zipfile.ZIP_DEFLATED) -> Callable[[Path, str], None]:
    """Never the published bytes again, even where both are packed within the same two seconds of a zip's clock."""
    return lambda folder, key: write_zip(folder / f"{name or ARCHIVES[key]}.zip", MEMBERS[key], method, b"packed anew")


def _keras(folder: Path, key: str) -> None:
    members = list(MEMBERS[key].values())
    arrays = [np.frombuffer(m, np.uint8, offset=4 + 4 * m[3]) for m in members]
    shapes = [tuple(int.from_bytes(m[4 + 4 * k : 8 + 4 * k], "big") for k in range(m[3])) for m in members]
    names = ("x_train", "y_train", "x_test", "y_test")
    found = {name: array.reshape(shape) for name, array, shape in zip(names, arrays, shapes, strict=True)}
    np.savez(folder / f"{key}.npz", **found)


def _dotted(name: str) -> str:
    return name.replace("-idx", ".idx")


DISGUISES: dict[str, tuple[list[str], Callable[[Path, str], None]]] = {
    "unpacked": ([*SINGLE, "cifar-10", "cifar-10 for Python", "cifar-100 for Python", "wikitext-2"], _renamed(str)),
    "gzipped anew": ([*SINGLE, "wikitext-2"], _packed(lambda c: gzip.compress(c, 1), ".gz")),
    "bzip2": (SINGLE, _packed(bz2.compress, ".bz2")),
    "xz": (SINGLE, _packed(lzma.compress, ".xz")),
    "upper case": (SINGLE, _packed(gzip.compress, ".GZ")),
    "in capitals": (SINGLE, _renamed(str.upper)),
    "unpacked but called .gz": (["mnist", "fashion-mnist"], _renamed(lambda name: f"{name}.gz")),
    "gzipped but not called so": (["mnist", "neural-fly"], _packed(gzip.compress, "")),
    "dotted names": (["mnist", "fashion-mnist"], _renamed(_dotted)),
    "dotted names, gzipped": (["mnist"], _loose_with(lambda n, c: (_dotted(n) + ".gz", gzip.compress(c)))),
    "Keras' npz": (["mnist"], _keras),
    "CRLF": (TEXTS, _rewritten(lambda text: text.replace(b"\n", b"\r\n"))),
    "CR": (TEXTS, _rewritten(lambda text: text.replace(b"\n", b"\r"))),
    "byte order mark": (TEXTS, _rewritten(lambda text: b"\xef\xbb\xbf" + text)),
    "mark and CRLF": (TEXTS, _rewritten(lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))),
    "UTF-16": (TEXTS, _rewritten(lambda text: text.decode().encode("utf-16"))),
    "no final newline": (TEXTS, _rewritten(lambda text: text.rstrip(b"\n"))),
    "more final newlines": (TEXTS, _rewritten(lambda text: text + b"\n\n")),
    "CRLF, gzipped": (TEXTS, _loose_with(lambda n, c: (n + ".gz", gzip.compress(c.replace(b"\n", b"\r\n"))))),
    "tar": ([key for key in ARCHIVES if key != "cifar-100"], _as_tar(".tar", "w:")),
    "tar.bz2": (["cifar-10", "cifar-100 for Python"], _as_tar(".tar.bz2", "w:bz2")),
    "tar.xz": (["cifar-10 for Python"], _as_tar(".tar.xz", "w:xz")),
    "tgz": (["cifar-10"], _as_tar(".tgz", "w:gz")),
    "tar without folder": (["cifar-10"], _as_tar(".tar.gz", "w:gz", lambda name: name.rpartition("/")[2])),
    "tar from another folder": (["cifar-10"], _as_tar(".tar.gz", "w:gz", lambda name: f"./x/{name}")),
    "zip": ([key for key in ARCHIVES if key != "cifar-100"], _as_zip()),
    "zip, stored": (["wikitext-2"], _as_zip(method=zipfile.ZIP_STORED)),
    "zip, bzip2": (["wikitext-2"], _as_zip("wikitext-2", zipfile.ZIP_BZIP2)),
    "zip of all": (["mnist", "fashion-mnist"], lambda folder, key: write_zip(folder / f"{key}.zip", MEMBERS[key])),
}  # fmt: skip
CASES = [(disguise, key) for disguise, (keys, _) in DISGUISES.items() for key in keys]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[PublishedSource, str]]:
    """Every set as published, with the checksum of its samples."""
    place = tmp_path_factory.mktemp("published")
    sources = {key: publish(key, place / key) for key in MEMBERS}
    return {key: (source, source.load(place / key).sha256) for key, source in sources.items()}


@pytest.mark.parametrize(("disguise", "key"), CASES)
def test_the_same_content_in_another_container_is_the_same_data(
    tmp_path: Path, published: dict[str, tuple[PublishedSource, str]], disguise: str, key: str
) -> None:
    source, expected = published[key]
    DISGUISES[disguise][1](tmp_path, key)
    assert source.load(tmp_path).sha256 == expected
    checks = source.verify(tmp_path)
    assert all(check.ok for check in checks), checks
    assert len(checks) == len(source.file_sets[0].contents)


@pytest.mark.parametrize(("key", "folder"), [(key, folder) for key, found in FOLDERS.items() for folder in found])
def test_every_folder_that_others_use_is_searched_by_loading_verifying_and_describing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    published: dict[str, tuple[PublishedSource, str]],
    key: str,
    folder: str,
) -> None:
    source, expected = published[key]
    (tmp_path / folder).mkdir(parents=True)
    if key == "cifar-100":
        _as_tar(".tar.gz", "w:gz")(tmp_path / folder, key)
        (file,) = source.file_sets[0].files
        source = stand_in(PublishedSource(source.info, source.file_sets), tmp_path / folder)
        assert file.is_archive
    else:
        _renamed(str)(tmp_path / folder, key)
    assert not source.is_present()
    monkeypatch.setenv("NORMBENCH_DATA", str(tmp_path))
    assert source.is_present()
    assert source.load(None).sha256 == source.load(tmp_path).sha256 == expected
    assert {check.file.parent for check in source.verify(None)} == {tmp_path / folder}


def test_unpacked_files_in_the_cache_need_no_network(
    published: dict[str, tuple[PublishedSource, str]], empty_cache: Path
) -> None:
    for key in ("mnist", "wikitext-2", "cifar-10"):
        source, expected = published[key]
        _renamed(str)(empty_cache / key, key)
        assert source.is_present()
        assert source.load(None).sha256 == expected
        assert {path.parent for path in source.fetch()} == {empty_cache / key}


def test_the_two_versions_of_cifar_are_the_same_samples(published: dict[str, tuple[PublishedSource, str]]) -> None:
    # the Python version's training part is taken to be the published 50,000 images: only samples are compared
    for name in cifar.LAYOUTS:
        binary = cifar.read_binary(MEMBERS[name], name=name)
        python = cifar.read_python(MEMBERS[f"{name} for Python"], name=name)
        np.testing.assert_array_equal(binary.inputs, python.inputs)
        np.testing.assert_array_equal(binary.outputs, python.outputs)
        assert binary.classes == python.classes


def test_pickle_that_asks_for_anything_but_arrays_is_refused() -> None:
    contents = dict(MEMBERS["cifar-10 for Python"])
    contents["cifar-10-batches-py/data_batch_1"] = b"cos\nsystem\n(S'true'\ntR."
    with pytest.raises(DataError, match=r"data_batch_1 is not a pickle of arrays \(it asks for os.system\)"):
        cifar.read_python(contents, name="cifar-10")


def test_right_copy_beside_a_wrong_one_is_read(
    tmp_path: Path, published: dict[str, tuple[PublishedSource, str]]
) -> None:
    source, expected = published["mnist"]
    _packed(lambda content: gzip.compress(content)[:-20], ".gz")(tmp_path, "mnist")
    with pytest.raises(DataError, match="truncated"):
        source.load(tmp_path)
    _renamed(_dotted)(tmp_path, "mnist")
    assert source.load(tmp_path).sha256 == expected


def test_partly_unpacked_archive_names_what_is_missing(
    tmp_path: Path, published: dict[str, tuple[PublishedSource, str]]
) -> None:
    source, _ = published["cifar-10"]
    _renamed(str)(tmp_path / "cifar-10-batches-bin", "cifar-10")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"lacks 1 unpacked file\(s\) of data set 'cifar-10': data_batch_3.bin"):
        source.load(tmp_path)


def test_text_forms_are_the_text_and_nothing_else() -> None:
    assert len(set(text_forms(b"a\r\nb\r\n"))) == 6
    assert {form.split() and tuple(form.split()) for form in text_forms(b"a\n\nb")} == {(b"a", b"b")}
    assert all(b"\n\n" in form or b"\r\n\r\n" in form for form in text_forms(b"a\n\nb"))  # inner empty lines stay


@pytest.mark.parametrize("key", CONTENTS)
def test_table_has_digests_of_the_right_length_and_every_content_belongs_to_a_source(key: str) -> None:
    lengths = {"sha256": 64, "sha1": 40, "md5": 32, "git-blob": 40}
    source = data.SOURCES[key.partition(" ")[0]]
    assert isinstance(source, PublishedSource)
    known: set[Content] = {content for file_set in source.file_sets for content in file_set.contents}
    for content in CONTENTS[key]:
        assert len(content.digest) in (0, lengths[content.algorithm])
        assert content.name in {other.name for other in known}
        assert content.digest in {other.digest for other in known}


def test_git_id_of_bytes_is_the_one_of_git() -> None:
    assert digest_of(b"hello world\n", "git-blob") == "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"
    assert wikitext.ARCHIVE.is_archive
