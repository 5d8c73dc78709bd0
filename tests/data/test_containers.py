"""Damaged, hostile and enormous files: one clear error each, in bounded memory, and nothing is written."""

import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from normbench.data import containers
from normbench.data.containers import members_of, read_file
from normbench.data.contents import Content
from normbench.errors import DataError

LIMIT = 1000
CONTENT = Content("folder/part.bin", "sha256", "0" * 64, LIMIT)
MOST_MEMORY = 8 << 20
ZEROS = 3 * MOST_MEMORY  # unpacked; a bomb that a test can afford


def tar_of(path: Path, mode: str, **members: int | bytes) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name.replace("__", "/").replace("_DOT_", "."))
            entry.size = content if isinstance(content, int) else len(content)
            archive.addfile(entry, Zeros(content) if isinstance(content, int) else io.BytesIO(content))
    return path


class Zeros(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


def gzip_bomb(path: Path) -> None:
    with gzip.open(path, "wb", 1) as stream:
        for _ in range(ZEROS >> 20):
            stream.write(bytes(1 << 20))


def xz_bomb(path: Path) -> None:
    with lzma.open(path, "wb", preset=0) as stream:
        for _ in range(ZEROS >> 20):
            stream.write(bytes(1 << 20))


def tar_bomb(path: Path) -> None:
    tar_of(path, "w:gz", folder__part_DOT_bin=ZEROS)


def tar_with_a_bomb_beside(path: Path) -> None:
    tar_of(path, "w:gz", folder__other_DOT_bin=ZEROS, folder__part_DOT_bin=b"x" * LIMIT)


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("folder/part.bin", "w") as stream:
        for _ in range(ZEROS >> 20):
            stream.write(bytes(1 << 20))


def sparse_tar(path: Path) -> None:
    """A member of a terabyte that is a hole."""
    entry = tarfile.TarInfo("folder/part.bin")
    entry.type, entry.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410] = b"00000000000\0", b"00000000000\0"
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + bytes(1024))


def _read_all(path: Path) -> list[bytes]:
    if path.suffix in (".gz", ".xz") and ".tar" not in path.name:
        return [read_file(path, most_bytes=LIMIT)]
    return [data for _, _, data in members_of(path, [CONTENT])]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.gz", gzip_bomb), ("a.xz", xz_bomb), ("a.tar.gz", tar_bomb), ("a.tar.gz", tar_with_a_bomb_beside),
        ("a.zip", zip_bomb), ("a.tar", sparse_tar),
    ],
    ids=["gzip", "xz", "tar", "beside", "zip", "sparse"],
)  # fmt: skip
def test_bomb_is_read_no_further_than_the_content_can_be(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    tracemalloc.start()
    read = _read_all(tmp_path / name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(data) for data in read] == [LIMIT if make is tar_with_a_bomb_beside else LIMIT + 1]
    assert peak < MOST_MEMORY


def test_archive_that_never_ends_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MOST_UNPACKED_BYTES", 1 << 20)
    tar_with_a_bomb_beside(tmp_path / "a.tar.gz")
    with pytest.raises(DataError, match="unpacks to more than 1,048,576 bytes"):
        _read_all(tmp_path / "a.tar.gz")


def test_header_that_claims_gigabytes_is_not_believed(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.tar.gz", "wb", 1) as stream:
        entry = tarfile.TarInfo("pax")
        entry.type, entry.size = tarfile.XHDTYPE, ZEROS
        stream.write(entry.tobuf(tarfile.PAX_FORMAT))
        for _ in range(ZEROS >> 20):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match="a header in it claims"):
        _read_all(tmp_path / "a.tar.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("name", ["../part.bin", "/part.bin", "a/../../part.bin", "..\\part.bin"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_member_outside_the_archive_is_passed_over(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / "in" / f"a.{kind}"
    path.parent.mkdir()
    if kind == "tar":
        with tarfile.open(path, "w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = 3
            archive.addfile(entry, io.BytesIO(b"abc"))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, b"abc")
    assert _read_all(path) == []
    assert [found.name for found in tmp_path.rglob("*")] == ["in", path.name]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_member_that_is_no_file_is_passed_over(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        entry = tarfile.TarInfo("folder/part.bin")
        entry.type, entry.linkname = kind, "/etc/hostname"
        archive.addfile(entry)
    assert _read_all(tmp_path / "a.tar") == []


def _encrypted(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/part.bin", b"abc")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated gzip": lambda path: path.write_bytes(gzip.compress(os.urandom(900))[:-200]),
    "gzip of nothing": lambda path: path.write_bytes(b"\x1f\x8b"),
    "bad checksum": lambda path: path.write_bytes(gzip.compress(b"x" * 900)[:-8] + bytes(8)),
    "broken xz": lambda path: path.write_bytes(b"\xfd7zXZ\0" + bytes(20)),
    "broken bzip2": lambda path: path.write_bytes(b"BZh9" + bytes(20)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_stream_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.gz"
    DAMAGES[damage](path)
    with pytest.raises(DataError, match=r"a\.gz (is truncated|cannot be read or is damaged)"):
        read_file(path, most_bytes=LIMIT)


ARCHIVE_DAMAGES: dict[str, Callable[[Path], object]] = {
    "no archive": lambda path: path.write_bytes(b"not an archive, but long enough to be one" * 40),
    "truncated tar": lambda path: path.write_bytes(
        tar_of(path, "w:gz", folder__part_DOT_bin=os.urandom(900)).read_bytes()[:700]
    ),
    "truncated zip": lambda path: (zip_bomb(path), path.write_bytes(path.read_bytes()[:-40])),
    "encrypted zip": _encrypted,
    "zip header only": lambda path: path.write_bytes(b"PK\3\4"),
}  # fmt: skip


@pytest.mark.parametrize("damage", ARCHIVE_DAMAGES)
def test_damaged_archive_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.tar"
    ARCHIVE_DAMAGES[damage](path)
    with pytest.raises(DataError, match=r"a\.tar (is truncated|cannot be read or is damaged)"):
        _read_all(path)


def test_array_with_a_pickle_or_an_impossible_shape_is_an_error_and_not_run(tmp_path: Path) -> None:
    content = Content("train-images", "sha256", "0" * 64, 10_000, aliases=("x_train.npy",))
    np.savez(tmp_path / "a.npz", x_train=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="damaged"):
        list(members_of(tmp_path / "a.npz", [content]))
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 20, 4)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x_train.npy", stream.getvalue() + bytes(100))
    with pytest.raises(DataError, match="damaged"):
        list(members_of(tmp_path / "a.npz", [content]))


def test_unreadable_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_file(tmp_path, most_bytes=LIMIT)
