"""A file is the published one if what it holds is: every source in every disguise, every wrong file by its reason."""

import bz2
import gzip
import io
import lzma
import pickle
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from normbench import data
from normbench.cli import main
from normbench.data.contents import CONTENTS, Content, digest_of, text_forms
from normbench.data.preprocessing import COLUMNS
from normbench.data.source import PublishedSource
from normbench.data.sources import cifar, neural_fly, quadrotor, wikitext
from normbench.data.sources.idx_images import FASHION_SOURCE, MNIST_SOURCE
from normbench.errors import DataError
from tests.published import stand_in

Members = dict[str, bytes]

RANDOM = np.random.default_rng(3)


def _flights() -> Members:
    columns = {"p": 3, "v": 3, "q": 4, "pwm": 4, "fa": 3}
    files = {}
    for number, file in enumerate(neural_fly.FILES):
        rows = [",t," + ",".join(columns)]
        for row in range(3 + number):
            cells = [f'"{RANDOM.uniform(1, 2, size).tolist()}"' for size in columns.values()]
            rows.append(f"{row},{row / 50}," + ",".join(cells))
        files[file.name] = ("\n".join(rows) + "\n").encode()
    return files


def _table() -> Members:
    rows = [",".join(COLUMNS), *(",".join(map(repr, row)) for row in RANDOM.uniform(1, 2, (9, 16)).tolist())]
    return {quadrotor.TABLE_FILE: ("\n".join(rows) + "\n").encode()}


def _idx() -> Members:
    files = {}
    for (images, labels), samples in ((CONTENTS["mnist"][:2], 12), (CONTENTS["mnist"][2:], 5)):
        files[images.name] = _as_idx(RANDOM.integers(1, 256, (samples, 28, 28), np.uint8))
        files[labels.name] = _as_idx(RANDOM.integers(0, 10, samples, np.uint8))
    return files


def _as_idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


def _binary(name: str) -> Members:
    layout = cifar.LAYOUTS[name]
    files = {}
    for member in (*layout.training, *layout.test):
        count = cifar.TRAINING // len(layout.training) if member in layout.training else 4
        count = min(count, 4)
        labels = RANDOM.integers(0, layout.classes, (count, layout.label_bytes), np.uint8)
        files[member] = np.concatenate([labels, RANDOM.integers(0, 256, (count, 3072), np.uint8)], axis=1).tobytes()
    return files | {layout.names: "".join(f"class_{k}\n" for k in range(layout.classes)).encode()}


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Text and bytes as Python 2 wrote them."""

    dispatch = pickle._Pickler.dispatch.copy()  # type: ignore[attr-defined]

    def save_str(self, text: str | bytes) -> None:
        raw = text.encode("latin1") if isinstance(text, str) else text
        self.write(b"T" + struct.pack("<i", len(raw)) + raw)

    dispatch[str] = dispatch[bytes] = save_str


def _pickled(batch: Mapping[str, object]) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2, fix_imports=True).dump(batch)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def _for_python(name: str) -> Members:
    """The pickles of the same images."""
    layout, binary = cifar.LAYOUTS[name], _binary_of[name]
    contents = CONTENTS[f"{name} for Python"]
    files = {}
    for content, member in zip(contents, (*layout.training, *layout.test, layout.names), strict=True):
        if member == layout.names:
            key = "label_names" if layout.classes == 10 else "fine_label_names"
            files[content.name] = _pickled({key: binary[member].decode().split()})
        else:
            rows = np.frombuffer(binary[member], np.uint8).reshape(-1, layout.label_bytes + 3072)
            labels = {"labels": rows[:, 0].tolist()} if layout.classes == 10 else {"fine_labels": rows[:, 1].tolist()}
            files[content.name] = _pickled(labels | {"data": np.ascontiguousarray(rows[:, -3072:])})
    return files


def _texts() -> Members:
    words = np.array(["the", "lobster", "is", "blue", "café", "<unk>", "."])
    lines = {name: [" ".join(RANDOM.choice(words, 12)) for _ in range(20)] for name in ("train", "test")}
    return {
        f"wikitext-2/wiki.{part}.tokens": ("\n".join(f" {x} " for x in found) + "\n \n").encode()
        for part, found in lines.items()
    }


_binary_of = {name: _binary(name) for name in cifar.LAYOUTS}
MEMBERS: dict[str, Members] = {
    "neural-fly": _flights(),
    "quadrotor": _table(),
    "mnist": _idx(),
    "fashion-mnist": _idx(),
    "cifar-10": _binary_of["cifar-10"],
    "cifar-10 for Python": _for_python("cifar-10"),
    "cifar-100": _binary_of["cifar-100"],
    "cifar-100 for Python": _for_python("cifar-100"),
    "wikitext-2": _texts(),
}


def _tar(path: Path, members: Members, mode: str) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in reversed(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _zip(path: Path, members: Members, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(name, content)


def _loose(folder: Path, members: Members, change: Callable[[str, bytes], tuple[str, bytes]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in members.items():
        base, content = change(name.rpartition("/")[2], content)
        (folder / base).write_bytes(content)


def publish(key: str, folder: Path) -> PublishedSource:
    """The set as its authors publish it, in a folder, and a source that knows its checksums."""
    source = data.SOURCES[key.partition(" ")[0]]
    assert isinstance(source, PublishedSource)
    folder.mkdir(parents=True)
    members = MEMBERS[key]
    file_set = next(found for found in source.file_sets if {c.name for c in found.contents} == set(members))
    if file_set.files[0].name.endswith(".tar.gz"):
        _tar(folder / file_set.files[0].name, members, "w:gz")
    elif file_set.files[0].name.endswith(".zip"):
        _zip(folder / file_set.files[0].name, members)
    else:
        for file in file_set.files:
            content = members[file.held[0].name]
            (folder / file.name).write_bytes(gzip.compress(content) if file.contents else content)
    return stand_in(PublishedSource(source.info, (file_set,)), folder)


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
    return lambda folder, key: _loose(folder, MEMBERS[key], lambda name, content: (name + ending, pack(content)))


def _renamed(rename: Callable[[str], str]) -> Callable[[Path, str], None]:
    return lambda folder, key: _loose(folder, MEMBERS[key], lambda name, content: (rename(name), content))


def _rewritten(rewrite: Callable[[bytes], bytes]) -> Callable[[Path, str], None]:
    return _loose_with(lambda name, content: (name, rewrite(content)))


def _loose_with(change: Callable[[str, bytes], tuple[str, bytes]]) -> Callable[[Path, str], None]:
    return lambda folder, key: _loose(folder, MEMBERS[key], change)


def _as_tar(ending: str, mode: str, rename: Callable[[str], str] = str) -> Callable[[Path, str], None]:
    return lambda folder, key: _tar(
        folder / (ARCHIVES[key] + ending), {rename(name): content for name, content in MEMBERS[key].items()}, mode
    )


def _as_zip(name: str | None = None, method: int = zipfile.ZIP_DEFLATED) -> Callable[[Path, str], None]:
    """Never the published bytes again, even where both are packed within the same two seconds of a zip's clock."""
    return lambda folder, key: _zip(folder / f"{name or ARCHIVES[key]}.zip", MEMBERS[key], method, b"packed anew")


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
    "zip of all": (["mnist", "fashion-mnist"], lambda folder, key: _zip(folder / f"{key}.zip", MEMBERS[key])),
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


def _page(name: str, content: bytes) -> bytes:
    return b"\n<!DOCTYPE html>\n<html><title>404</title></html>"


WRONG: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty": ("mnist", lambda path: path.write_bytes(b""), "it is empty"),
    "HTML": ("mnist", lambda path: path.write_bytes(_page("", b"")), "it is an HTML page"),
    "XML": ("neural-fly", lambda path: path.write_bytes(b'<?xml version="1.0"?><Error/>'), "it is an XML page"),
    "LFS": (
        "mnist",
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
        "it is a pointer of Git LFS.*git lfs pull",
    ),
    "truncated gzip": ("mnist", lambda path: path.write_bytes(path.read_bytes()[:-30]), "it is truncated"),
    "flipped bit": ("mnist", lambda path: _flip(path), "damaged|single values"),
    "gzipped twice": (
        "mnist", lambda path: path.write_bytes(gzip.compress(path.read_bytes())), r"packed once more \(gzip\)",
    ),
    "labels for images": ("mnist", lambda path: _copy(path, "train-labels-idx1-ubyte"), "labels where images belong"),
    "test for training": ("mnist", lambda path: _copy(path, "t10k-images-idx3-ubyte"), "its header counts 5 images"),
    "cut after its header": (
        "mnist",
        lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-9])),
        "it holds 9,415 of 9,424 bytes: truncated",
    ),
    "longer": (
        "mnist",
        lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"x" * 9)),
        "it holds more than 9,424 bytes",
    ),
    "edited": (
        "mnist",
        lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"\0")),
        "single values in it were changed",
    ),
    "other type": (
        "mnist", lambda path: path.write_bytes(b"\0\0\x0d\3" + bytes(99)), "not an IDX file.*begins with 0x00000d03",
    ),
    "rows taken out": (
        "neural-fly",
        lambda path: path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:-2]) + b"\n"),
        r"it holds [\d,]+ of [\d,]+ bytes: truncated, or parts were taken out",
    ),
    "rows added": (
        "neural-fly", lambda path: path.write_bytes(path.read_bytes() + b"1,2,3\n"), "bytes more than the published",
    ),
    "cell changed": (
        "neural-fly", lambda path: path.write_bytes(path.read_bytes().replace(b"1.", b"2.", 1)), "single values",
    ),
}  # fmt: skip


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _copy(path: Path, name: str) -> None:
    shutil.copyfile(path.with_name(f"{name}.gz"), path)


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_file_is_said_to_be_wrong_for_the_true_reason(tmp_path: Path, fault: str) -> None:
    key, spoil, said = WRONG[fault]
    source = publish(key, tmp_path / key)
    path = tmp_path / key / source.file_sets[0].files[0].name
    spoil(path)
    with pytest.raises(DataError, match=rf"{path.name} is not the published file: .*({said})"):
        source.load(tmp_path)
    wrong = [check for check in source.verify(tmp_path) if not check.ok]
    assert [check.file for check in wrong] == [path]
    assert wrong[0].reason


def test_another_published_file_is_named(real_mnist: Path, tmp_path: Path) -> None:
    for name in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        ending = "-idx3-ubyte.gz" if "images" in name else "-idx1-ubyte.gz"
        shutil.copyfile(real_mnist / (name + ending), tmp_path / (name + ending))
    _reason(tmp_path, "t10k-labels-idx1-ubyte.gz", real_mnist / "train-labels-idx1-ubyte.gz", "counts 60,000 labels")
    _reason(tmp_path, "train-labels-idx1-ubyte.gz", real_mnist / "t10k-labels-idx1-ubyte.gz", "it holds t10k-labels")
    with pytest.raises(DataError, match=r"it holds train-images-idx3-ubyte of mnist \(the training images\)"):
        FASHION_SOURCE.load(tmp_path)


def _reason(folder: Path, name: str, other: Path, said: str) -> None:
    kept = (folder / name).read_bytes()
    shutil.copyfile(other, folder / name)
    with pytest.raises(DataError, match=rf"{name} is not the published file: .*({said})"):
        MNIST_SOURCE.load(folder)
    (folder / name).write_bytes(kept)


@pytest.fixture
def real_mnist(real_data: Path) -> Path:
    folder = real_data / "mnist"
    if not folder.is_dir():
        pytest.skip("no mnist/ under NORMBENCH_DATA")
    return folder


def test_real_mnist_is_the_published_one_however_it_is_packed(real_mnist: Path, tmp_path: Path) -> None:
    assert all(check.ok for check in data.verify("mnist", data_dir=real_mnist))
    for content in CONTENTS["mnist"]:
        (tmp_path / content.aliases[0]).write_bytes(gzip.decompress((real_mnist / f"{content.name}.gz").read_bytes()))
    dataset = data.load("mnist", data_dir=tmp_path)
    assert dataset.inputs.shape == (70_000, 1, 28, 28)
    assert dataset.outputs[:60_000].sum(0).astype(int).tolist()[:3] == [5923, 6742, 5958]
    assert dataset.official is not None
    assert dataset.official.sum() == 10_000


def test_command_says_the_reason_and_exits_with_1(tmp_path: Path) -> None:
    for content in CONTENTS["mnist"]:
        (tmp_path / f"{content.name}.gz").write_bytes(_page("", b""))
    result = CliRunner().invoke(main, ["data", "verify", "mnist", "--data-dir", str(tmp_path)], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert result.stdout.count("WRONG: it is an HTML page") == 4


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
