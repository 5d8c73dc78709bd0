"""Standard output and error that take any text, whatever their encoding, and that may be closed, full or broken."""

import codecs
import errno
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_READABLE = {
    "→": "->",
    "←": "<-",
    "±": "+-",
    "†": "+",
    "×": "x",
    "·": "*",
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "∞": "inf",
    "√": "sqrt",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "•": "*",
    "━": "-",
    "─": "-",
    "╸": "-",
    "╺": "-",
    "│": "|",
}
_HANDLER = "normbench"
_PLAIN = "normbench_ascii"


def readable(text: str) -> str:
    """``text`` in ASCII: ``->`` for an arrow, ``+-`` for ±, a letter without its accent, else ``?``.

    Examples
    --------
    >>> readable("0.8 ± 0.1 → Fréchet ✓")
    '0.8 +- 0.1 -> Frechet ?'
    """
    return "".join(_READABLE.get(character) or _plain(character) for character in text)


def _plain(character: str) -> str:
    if character.isascii():
        return character
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii") or "?"


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return readable(error.object[error.start : error.end]), error.end


def _ascii_of_our_own(name: str) -> codecs.CodecInfo | None:
    """ASCII under another name: click writes UTF-8 into a stream that calls itself ASCII."""
    if name != _PLAIN:
        return None
    ascii_ = codecs.lookup("ascii")
    return codecs.CodecInfo(
        name=_PLAIN,
        encode=ascii_.encode,
        decode=ascii_.decode,
        incrementalencoder=ascii_.incrementalencoder,
        incrementaldecoder=ascii_.incrementaldecoder,
        streamreader=ascii_.streamreader,
        streamwriter=ascii_.streamwriter,
    )


codecs.register_error(_HANDLER, _replaced)
codecs.register(_ascii_of_our_own)


@contextmanager
def safe_streams() -> Iterator[None]:
    """Around a command: it can write anything to its streams, and what could not be written shows in the exit code.

    A reader that has gone (``normbench list tasks | head -1``) ends the command quietly, with exit code 1; so does a
    full disk, with a line on standard error.
    """
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        _take_any_text(stream)
    code: object = None
    try:
        yield
    except SystemExit as end:
        code = end.code
        raise
    except OSError:  # standard error itself cannot be written: there is nobody to tell
        raise SystemExit(1) from None
    finally:
        lost = [error for stream in (sys.stdout, sys.stderr) if (error := _finish(stream))]
        if lost and not code:
            with suppress(OSError):
                if lost[0].errno != errno.EPIPE:
                    print(f"Error: the output cannot be written: {lost[0].strerror}.", file=sys.stderr, flush=True)
            raise SystemExit(1)


def _open_closed_streams() -> None:
    """Give descriptors 1 and 2 to the null device where the caller closed them: a file opened next would get them."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_WRONLY)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def _take_any_text(stream: TextIO) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is None:
        return
    plain = codecs.lookup(stream.encoding).name == "ascii"
    reconfigure(encoding=_PLAIN if plain else stream.encoding, errors=_HANDLER)


def _finish(stream: TextIO) -> OSError | None:
    """Flush; where that fails the rest goes to the null device, so that the interpreter does not try again."""
    try:
        stream.flush()
    except OSError as error:
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
        return error
    return None
