"""Files of a folder over HTTP, from a server on this machine that may do what it likes."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from normbench.data.files import RemoteFile, digest


class Server:
    """Files of a folder over HTTP, with the paths asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        self.url = ""
        self.reply: Callable[[BaseHTTPRequestHandler], None] | None = None

    def answer(self, reply: Callable[[BaseHTTPRequestHandler], None]) -> RemoteFile:
        """A file whose server does what it likes."""
        self.reply = reply
        return RemoteFile("strange.csv", f"{self.url}/strange.csv", "sha256", "0" * 64, size=1000)

    def publish(self, name: str, content: bytes, algorithm: str = "git-blob") -> RemoteFile:
        (self.folder / name).write_bytes(content)
        return RemoteFile(name, f"{self.url}/{name}", algorithm, digest(self.folder / name, algorithm))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    served = Server(folder)

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                served.reply(self) if served.reply else super().do_GET()

        def log_message(self, format: str, *arguments: object) -> None:
            served.requests.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{http.server_address[1]}"
        yield served
        http.shutdown()
        thread.join()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
