"""Claims about downloads, against a server on this machine: checked, cached, whole or not at all."""

import gzip
import hashlib
import socket
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from normbench.data import download as downloads
from normbench.data.contents import Content
from normbench.data.download import download
from normbench.data.files import RemoteFile, digest
from normbench.data.preprocessing import COLUMNS
from normbench.data.source import FileSet, PublishedSource
from normbench.data.sources import quadrotor
from normbench.errors import DataError, DownloadError, InvalidArgumentError
from tests.server import Server, files_in

TABLE = np.random.default_rng(0).uniform(1, 2, size=(30, 16))


@pytest.fixture
def closed_url() -> str:
    """Address of a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def table_bytes() -> bytes:
    rows = [",".join(COLUMNS), *(",".join(map(repr, row)) for row in TABLE.tolist())]
    return ("\n".join(rows) + "\n").encode()


def table_source(file: RemoteFile) -> PublishedSource:
    return PublishedSource(quadrotor.SOURCE.info, (FileSet((file,), quadrotor.read_published_table),))


def test_table_is_downloaded_checked_cached_and_parsed(server: Server, empty_cache: Path) -> None:
    source = table_source(server.publish(quadrotor.TABLE_FILE, table_bytes()))
    assert not source.is_present()
    dataset = source.load(None)
    np.testing.assert_array_equal(dataset.outputs, TABLE[:, 13:])
    assert files_in(empty_cache) == [quadrotor.TABLE_FILE]
    assert source.is_present()
    assert source.load(None).sha256 == dataset.sha256
    assert len(server.requests) == 1  # the second load read the cache
    assert [row.ok for row in source.verify(None)] == [True]


def test_fetch_skips_what_is_there_and_completes_what_is_not(server: Server, empty_cache: Path) -> None:
    files = tuple(server.publish(name, name.encode(), "sha256") for name in ("a.csv", "b.csv"))
    source = PublishedSource(quadrotor.SOURCE.info, (FileSet(files, quadrotor.read_published_table),))
    source.fetch()[1].unlink()
    assert not source.is_present()
    assert [path.name for path in source.fetch()] == ["a.csv", "b.csv"]
    assert server.requests == ["/a.csv", "/b.csv", "/b.csv"]


def test_damaged_download_in_the_cache_is_replaced(server: Server, empty_cache: Path) -> None:
    source = table_source(server.publish(quadrotor.TABLE_FILE, table_bytes()))
    (path,) = source.fetch()
    path.write_bytes(path.read_bytes()[:-50])
    assert [row.ok for row in source.verify(None)] == [False]
    assert len(source.load(None).inputs) == len(TABLE)
    assert [row.ok for row in source.verify(None)] == [True]


@pytest.mark.parametrize("algorithm", ["git-blob", "sha256"])
def test_download_of_the_wrong_content_is_refused_and_not_kept(
    server: Server, empty_cache: Path, algorithm: str
) -> None:
    file = server.publish(quadrotor.TABLE_FILE, table_bytes(), algorithm)
    (server.folder / file.name).write_bytes(table_bytes()[:-2])
    with pytest.raises(DataError, match=f"not the published one: .*expected {algorithm} {file.digest}, found"):
        table_source(file).load(None)
    assert files_in(empty_cache) == []


def test_missing_page_is_a_download_error(server: Server, empty_cache: Path) -> None:
    file = RemoteFile("absent.csv", f"{server.url}/absent.csv", "sha256", "0" * 64)
    with pytest.raises(DownloadError, match="404"):
        download(file, empty_cache)
    assert files_in(empty_cache) == []


def test_without_network_the_error_says_how_to_supply_the_file(closed_url: str, empty_cache: Path) -> None:
    file = RemoteFile(quadrotor.TABLE_FILE, f"{closed_url}/{quadrotor.TABLE_FILE}", "git-blob", "0" * 40)
    with pytest.raises(DownloadError) as caught:
        table_source(file).load(None)
    for part in (file.url, "by hand", "data_dir", "NORMBENCH_DATA"):
        assert part in str(caught.value)
    assert files_in(empty_cache) == []


def test_file_in_a_named_folder_needs_no_network(closed_url: str, tmp_path: Path) -> None:
    for place in ("direct", "dashed/quadrotor"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        path = folder / quadrotor.TABLE_FILE
        path.write_bytes(table_bytes())
        file = RemoteFile(path.name, f"{closed_url}/{path.name}", "git-blob", digest(path, "git-blob"))
        assert len(table_source(file).load(tmp_path / place.split("/")[0]).inputs) == len(TABLE)


def test_environment_folder_serves_what_it_holds_and_the_cache_the_rest(
    server: Server, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = table_source(server.publish(quadrotor.TABLE_FILE, table_bytes()))
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("NORMBENCH_DATA", str(tmp_path / "other"))
    source.load(None)
    assert len(server.requests) == 1
    monkeypatch.setenv("NORMBENCH_DATA", str(server.folder))
    (row,) = source.verify(None)
    assert row.file.parent == server.folder
    assert source.fetch() == [row.file]  # it downloaded what lay there
    assert len(server.requests) == 1


def test_environment_folder_that_does_not_exist_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORMBENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"NORMBENCH_DATA is .*nowhere"):
        quadrotor.SOURCE.load(None)


def test_named_folder_without_the_files_is_an_error_even_if_cached(server: Server, tmp_path: Path) -> None:
    source = table_source(server.publish(quadrotor.TABLE_FILE, table_bytes()))
    source.fetch()
    with pytest.raises(DataError, match="lacks 1 file"):
        source.load(tmp_path / "nowhere")


def test_verify_without_files_names_the_remedy() -> None:
    with pytest.raises(DataError, match="normbench data fetch quadrotor"):
        quadrotor.SOURCE.verify(None)


def test_git_blob_id_is_the_one_of_git(tmp_path: Path) -> None:
    path = tmp_path / "hello.txt"
    path.write_bytes(b"hello world\n")
    assert digest(path, "git-blob") == "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"
    assert digest(path, "sha256") == hashlib.sha256(b"hello world\n").hexdigest()


def test_unknown_checksum_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="choose from sha256, sha1, md5, git-blob"):
        RemoteFile("a", "http://127.0.0.1/a", "crc32", "0" * 8)


def test_redirect_to_https_is_followed_and_any_other_refused() -> None:
    request, handler = urllib.request.Request("https://a.org/x"), downloads.OnlyToHttps()
    followed = handler.redirect_request(request, None, 302, "", {}, "https://b.org/y")
    assert followed.full_url == "https://b.org/y"
    for target in ("http://b.org/y", "ftp://b.org/y", "file:///y", "//b.org"):
        with pytest.raises(urllib.error.URLError, match="not HTTPS"):
            handler.redirect_request(request, None, 302, "", {}, target)


def test_part_of_an_earlier_try_is_not_used(server: Server, empty_cache: Path) -> None:
    source = table_source(server.publish(quadrotor.TABLE_FILE, table_bytes()))
    folder = empty_cache / "quadrotor"
    folder.mkdir(parents=True)
    (folder / f".{quadrotor.TABLE_FILE}.0.part").write_bytes(table_bytes()[:100])
    (folder / quadrotor.TABLE_FILE).write_bytes(table_bytes()[:100])
    assert len(source.load(None).inputs) == len(TABLE)


def test_server_that_packs_anew_is_as_good(server: Server, empty_cache: Path) -> None:
    source = publish_packed(server, gzip.compress(b"\0" * 500, 9))
    (server.folder / "part.gz").write_bytes(gzip.compress(b"\0" * 500, 1))
    assert source.fetch() == [empty_cache / source.info.name / "part.gz"]


def publish_packed(server: Server, packed: bytes) -> PublishedSource:
    content = gzip.decompress(packed)
    held = Content("part", "sha256", hashlib.sha256(content).hexdigest(), len(content))
    file = replace(server.publish("part.gz", packed, "sha256"), contents=(held,))
    return PublishedSource(quadrotor.SOURCE.info, (FileSet((file,), quadrotor.read_published_table),))
