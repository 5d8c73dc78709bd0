"""A server that sends too much, too little or nonsense ends a download soon, in one clear error."""

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from normbench.data import download as downloads
from normbench.data.download import download
from normbench.errors import DownloadError
from tests.server import Server, files_in


def _headed(handler: BaseHTTPRequestHandler, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def _announces_too_much(handler: BaseHTTPRequestHandler) -> None:
    _headed(handler, Content_Length=str(10**12))


def _sends_too_much(handler: BaseHTTPRequestHandler) -> None:
    _headed(handler)
    for _ in range(100):
        handler.wfile.write(bytes(1 << 16))


def _ends_early(handler: BaseHTTPRequestHandler) -> None:
    _headed(handler, Content_Length="900")
    handler.wfile.write(bytes(100))


def _drips(handler: BaseHTTPRequestHandler) -> None:
    _headed(handler, Content_Length="900")
    for _ in range(100):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.02)


def _falls_silent(handler: BaseHTTPRequestHandler) -> None:
    _headed(handler, Content_Length="900")
    handler.wfile.flush()
    time.sleep(1)


def _redirects(handler: BaseHTTPRequestHandler) -> None:
    _headed(handler, 302, Location=f"http://{handler.headers['Host']}/elsewhere", Content_Length="0")


def _redirects_to_a_file(handler: BaseHTTPRequestHandler) -> None:
    _headed(handler, 302, Location="file:///etc/hostname", Content_Length="0")


def _talks_nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"what?\r\n\r\n")


def _miscounts(handler: BaseHTTPRequestHandler) -> None:
    _headed(handler, Content_Length="many")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (_announces_too_much, "the server announces 1,000,000,000,000 bytes, more than 3,024"),
        (_sends_too_much, "the server sends more than 3,024 bytes"),
        (_ends_early, "the connection ended after 100 of 900 bytes"),
        (_drips, "too slow: [0-9]+ bytes in"),
        (_falls_silent, "timed out"),
        (_redirects, "redirected to http://.*, which is not HTTPS"),
        (_redirects_to_a_file, "file:///etc/hostname.* is not allowed"),
        (_talks_nonsense, "could not download"),
        (_miscounts, "could not download"),
    ],
)
def test_bad_server_ends_in_one_clear_error_soon_and_leaves_nothing(
    server: Server,
    empty_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    reply: Callable[[BaseHTTPRequestHandler], None],
    said: str,
) -> None:
    monkeypatch.setattr(downloads, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(downloads, "GRACE_SECONDS", 0.2)
    file, start = server.answer(reply), time.monotonic()
    with pytest.raises(DownloadError, match=said) as caught:
        download(file, empty_cache)
    assert "data_dir" in str(caught.value)
    assert files_in(empty_cache) == []
    assert time.monotonic() - start < 10


def test_whole_time_is_limited_at_any_rate(server: Server, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "LONGEST_SECONDS", 0.1)
    with pytest.raises(DownloadError, match="too slow"):
        download(server.answer(_drips), empty_cache)
