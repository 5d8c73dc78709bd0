"""Text files that were cut off: a copy or a log that was interrupted ends within a number, which is read as another."""

from pathlib import Path

from normbench.errors import DataError

_TAIL = 2**20  # bytes, in which two lines have room


def check_whole(path: Path, delimiter: str, width: int) -> None:
    """Raise where the last line breaks off: it has no end, and less than the fields of the header and the line before.

    A file that only lacks its last line break is whole, as is one whose rows all leave out fields at their ends. Lines
    with quotes are left to who reads them: fields may hold the delimiter, and line breaks.

    Parameters
    ----------
    path : Path
    delimiter : str
    width : int
        Fields of the header.

    Raises
    ------
    DataError
    """
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        tail = stream.read()
    lines = tail.splitlines()[-2:]
    if tail.endswith((b"\n", b"\r")) or len(lines) < 2 or b'"' in lines[0] + lines[1] or not lines[1].strip():
        return
    before, last = (line.count(delimiter.encode()) + 1 for line in lines)
    if last < width <= before:
        raise DataError(
            f"{path.name} breaks off within its last line, which has {last} of {width} fields and no end: what stands "
            "last there may be part of a number. Copy the file again, or remove that line."
        )
