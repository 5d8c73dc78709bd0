"""Every published set in small: random samples in the files of its authors, and a source that takes them for it."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from normbench import data
from normbench.data.contents import CONTENTS
from normbench.data.preprocessing import COLUMNS
from normbench.data.source import PublishedSource
from normbench.data.sources import cifar, neural_fly, quadrotor
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


def write_tar(path: Path, members: Members, mode: str) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in reversed(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def write_zip(path: Path, members: Members, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(name, content)


def write_loose(folder: Path, members: Members, change: Callable[[str, bytes], tuple[str, bytes]]) -> None:
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
        write_tar(folder / file_set.files[0].name, members, "w:gz")
    elif file_set.files[0].name.endswith(".zip"):
        write_zip(folder / file_set.files[0].name, members)
    else:
        for file in file_set.files:
            content = members[file.held[0].name]
            (folder / file.name).write_bytes(gzip.compress(content) if file.contents else content)
    return stand_in(PublishedSource(source.info, (file_set,)), folder)
