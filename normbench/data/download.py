"""Downloads: whole or not at all, of bounded size and time, over HTTPS once they began there, checked before kept."""

import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from normbench.data.cache import replaced_when_done
from normbench.data.contents import UNKNOWN_SIZE_BYTES
from normbench.data.files import RemoteFile
from normbench.data.search import Found
from normbench.errors import DataError, DownloadError, argument

CHUNK_BYTES = 1 << 16
SILENCE_SECONDS = 30  # without a single byte
GRACE_SECONDS = 60  # after which the average rate counts
LEAST_BYTES_PER_SECOND = 10_000
LONGEST_SECONDS = 3600
MOST_REDIRECTS = 5


def most_bytes(file: RemoteFile) -> int:
    """The most that is taken from a server: it may have packed the same content worse, within reason."""
    return UNKNOWN_SIZE_BYTES if file.size is None else 2 * file.size + 1024


def download(file: RemoteFile, folder: Path) -> Path:
    """Fetch a file into a folder.

    Parameters
    ----------
    file : RemoteFile
    folder : Path
        Made if need be. Nothing is left in it unless the whole file came; a part of an earlier try is not used.

    Raises
    ------
    DownloadError
        If it cannot be fetched: no answer, an error of the server, too slow, too large, ended early, or a redirect
        that leaves HTTPS.
    DataError
        If the folder cannot be written.
    """
    path = folder / file.name
    with replaced_when_done(path) as temporary:
        try:
            with temporary.open("wb") as stream:
                _receive(file, stream)
        except DownloadError:
            raise
        except urllib.error.HTTPError as error:
            with error:
                raise DownloadError(_by_hand(file, str(error))) from error
        except (OSError, HTTPException, ValueError) as error:  # URLError and timeouts are OSErrors
            raise DownloadError(_by_hand(file, f"{type(error).__name__}: {error}")) from error
    return path


def refuse(file: RemoteFile, path: Path, found: Found) -> None:
    """Remove a download that turned out to be something else, and raise a DataError that says what it is."""
    wrong = next(check for check in found.checks if not check.ok)
    path.unlink(missing_ok=True)
    raise DataError(
        f"{file.url} sent a file that is not the published one: {wrong.reason} (expected {wrong.algorithm} "
        f"{wrong.expected}, found {wrong.found}). Try again, or download {file.name} by hand and name its "
        f"folder by {argument('data_dir')}."
    )


def _receive(file: RemoteFile, stream: IO[bytes]) -> None:
    most, start = most_bytes(file), time.monotonic()
    opener = urllib.request.build_opener(OnlyToHttps)
    with opener.open(file.url, timeout=SILENCE_SECONDS) as response:
        announced = int(response.headers.get("Content-Length") or -1)
        if announced > most:
            raise DownloadError(_by_hand(file, f"the server announces {announced:,} bytes, more than {most:,}"))
        received = 0
        while piece := response.read1(CHUNK_BYTES):  # what is there: a slow server must not hold us
            received += len(piece)
            if received > most:
                raise DownloadError(_by_hand(file, f"the server sends more than {most:,} bytes"))
            stream.write(piece)
            _check_rate(file, received, time.monotonic() - start)
    if received < announced:
        raise DownloadError(_by_hand(file, f"the connection ended after {received:,} of {announced:,} bytes"))


def _check_rate(file: RemoteFile, received: int, seconds: float) -> None:
    slow = seconds > GRACE_SECONDS and received < LEAST_BYTES_PER_SECOND * seconds
    if slow or seconds > LONGEST_SECONDS:
        raise DownloadError(
            _by_hand(file, f"too slow: {received:,} bytes in {seconds:.0f} s, {received / seconds:,.0f} bytes/s")
        )


def _by_hand(file: RemoteFile, why: str) -> str:
    return (
        f"could not download {file.url} ({why}). Download {file.name} by hand, put it in a folder and "
        f"name that by {argument('data_dir')} or the environment variable NORMBENCH_DATA."
    )


class OnlyToHttps(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, to HTTPS only."""

    max_redirections = MOST_REDIRECTS

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Refuse a redirect that leaves HTTPS."""
        if not newurl.lower().startswith("https://"):
            if fp is not None:
                fp.close()
            raise urllib.error.URLError(f"redirected to {newurl}, which is not HTTPS")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
