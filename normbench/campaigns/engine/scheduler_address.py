"""Where a dask scheduler is, as a user says it: its address, or the ``scheduler.json`` that it writes."""

import json
import time
from pathlib import Path

from normbench.campaigns.engine.reasons import last_line
from normbench.errors import InvalidArgumentError, WorkerError, argument

_TICK = 0.1
_CERTIFICATES = {  # of a client, by dask's names and the variables that give them
    "ca_file": "DASK_DISTRIBUTED__COMM__TLS__CA_FILE",
    "cert": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT",
    "key": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY",
}
_START = (
    "Start one, dask scheduler --scheduler-file scheduler.json, and workers, dask worker --scheduler-file "
    "scheduler.json --nthreads 1; then name scheduler.json."
)


def is_file(said: str) -> bool:
    """True if a path is meant, whether or not it is there."""
    return Path(said).is_file() or ":" not in said


def address_of(said: str, *, seconds: float) -> str:
    """The address of a scheduler.

    Parameters
    ----------
    said : str
        Address, or path of the scheduler's file.
    seconds : float
        How long to wait for a file: the scheduler may be starting.

    Raises
    ------
    InvalidArgumentError
        If it is no address, or the file is none of a scheduler's.
    WorkerError
        If no file appears.
    """
    if not said.strip():
        raise InvalidArgumentError(
            f"{argument('scheduler')} must be the address of a dask scheduler, such as tcp://HOST:8786, or the path of "
            f"its scheduler.json; got {said!r}."
        )
    if not is_file(said):
        return _checked(said, said)
    deadline = time.monotonic() + seconds
    while not (Path(said).exists() and _is_written(Path(said))) and time.monotonic() < deadline:
        time.sleep(_TICK)
    return _checked(said, _address_in(said))


def _is_written(path: Path) -> bool:
    """True once something is in it: a scheduler opens its file before it writes."""
    return path.is_dir() or path.stat().st_size > 0


def _address_in(said: str) -> str:
    try:
        found = json.loads(Path(said).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise unreachable(said, "there is no such file") from error
    except (OSError, ValueError) as error:
        raise InvalidArgumentError(
            f"{argument('scheduler')} {said} cannot be read as a scheduler's file: {error}. {_START}"
        ) from (error)
    if not isinstance(found, dict) or not isinstance(found.get("address"), str):
        raise InvalidArgumentError(
            f"{argument('scheduler')} {said} is no scheduler's file: it has no address. {_START}"
        )
    return str(found["address"])


def _checked(said: str, address: str) -> str:
    """The address, if it is one that dask can connect to as it is set up here."""
    from distributed.comm.addressing import get_address_host_port
    from distributed.security import Security

    try:
        get_address_host_port(address, strict=False)
    except (ValueError, NotImplementedError, ImportError) as error:
        raise InvalidArgumentError(
            f"{argument('scheduler')} {said!r} is no address of a scheduler, such as tcp://HOST:PORT, and no file: "
            f"{error}."
        ) from error
    if not address.startswith(("tls://", "wss://")):
        return address
    try:
        known = Security().get_connection_args("client").get("ssl_context") is not None
    except (OSError, ValueError) as error:  # the first is that of ssl, too
        own = Security().get_tls_config_for_role("client")
        given = ", ".join(f"{name}={own[what]}" for what, name in _CERTIFICATES.items())
        raise InvalidArgumentError(
            f"{argument('scheduler')} {said}: the certificates that dask is given cannot be used: {last_line(error)}; "
            f"they are {given}."
        ) from error
    if not known:
        raise InvalidArgumentError(
            f"{argument('scheduler')} {said} asks for certificates, and dask knows none here. Name them: "
            f"{', '.join(_CERTIFICATES.values())}."
        )
    return address


def unreachable(where: str, reason: str) -> WorkerError:
    """What to say where none answers."""
    return WorkerError(f"no dask scheduler answers at {where}: {reason}. {_START}")


def worker_command(said: str) -> str:
    """The command that starts a worker of that scheduler."""
    return f"dask worker {f'--scheduler-file {said}' if is_file(said) else said} --nthreads 1"
