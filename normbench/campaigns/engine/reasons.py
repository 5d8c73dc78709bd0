"""Why a job failed, or a batch system refused one, in one line."""

LONGEST_REASON, _LONGEST_CHAIN = 300, 4  # characters; errors within errors
_LONGEST_TOLD = 600  # characters


def last_line(error: BaseException) -> str:
    """Type and message of an error, as they end its traceback: in one line of printable characters, not too long.

    Of a message of several lines it is the first, never one of the notes that a library has added (PEP 678). A group
    is followed by the first error in it, an error without a message by its cause.
    """
    parts: list[str] = []
    found: BaseException | None = error
    while found is not None and len(parts) < _LONGEST_CHAIN:
        message = _message(found)
        parts.append(": ".join(filter(None, (_name(type(found)), message))))
        cause = None if message else found.__cause__
        found = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else cause
    reason = ": ".join(parts)
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 3]}..."


def in_full(error: BaseException) -> str:
    """Type and message in one line, with what a command that failed has printed, and the same of its cause."""
    causes = [error] if error.__cause__ is None else [error, error.__cause__]
    said = (f"{type(each).__name__}: {' '.join(str(each).split())}" for each in causes)
    return "; ".join(said)[:_LONGEST_TOLD].rstrip(".:")


def _name(kind: type) -> str:
    """As tracebacks show it."""
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _message(error: BaseException) -> str:
    """First line of the message that says something."""
    try:
        lines = str(error).splitlines()
    except Exception:  # some errors cannot print themselves
        return ""
    printable = ("".join(c if c.isprintable() else " " for c in line[: 2 * LONGEST_REASON]) for line in lines)
    return next((" ".join(line.split()) for line in printable if line.strip()), "")
