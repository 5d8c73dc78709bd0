"""Why a file is not the published one, in words: what it really is, or what is wrong with it."""

from normbench.data.containers import BZIP2, GZIP, XZ, ZIP
from normbench.data.contents import CONTENTS, Content

IMAGE_BYTES = 28 * 28  # of the sets in IDX files
_LFS = b"version https://git-lfs"
_PACKED = {GZIP: "gzip", BZIP2: "bzip2", XZ: "xz", ZIP: "a zip archive"}
_IDX_DIMENSIONS = {b"\0\0\x08\x01": 1, b"\0\0\x08\x03": 3}


def reason(found: bytes, expected: Content) -> str:
    """One sentence without full stop about bytes that are not the expected content."""
    return _what_it_is(found) or _whose_it_is(found, expected) or _idx_fault(found, expected) or _size(found, expected)


def _what_it_is(found: bytes) -> str:
    start = found[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not found:
        return "it is empty"
    if start.startswith(_LFS):
        return "it is a pointer of Git LFS, not the data: 'git lfs pull' fetches them"
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "it is an HTML page, as a server sends instead of a file"
    if start.startswith(b"<?xml"):
        return "it is an XML page, as a server sends instead of a file"
    packed = next((name for magic, name in _PACKED.items() if found.startswith(magic)), None)
    return f"what it holds is packed once more ({packed}): unpack it first" if packed else ""


def _whose_it_is(found: bytes, expected: Content) -> str:
    """Is it another published file? Told by size first, so that few digests are computed."""
    for source, contents in CONTENTS.items():
        for other in contents:
            possible = other.text == expected.text and (other.text or other.size in (None, len(found)))
            if possible and other.digest not in ("", expected.digest) and other.published(found) is not None:
                return f"it holds {other.name} of {source}" + (f" ({other.title})" if other.title else "")
    return ""


def _idx_fault(found: bytes, expected: Content) -> str:
    if "-ubyte" not in expected.name:
        return ""
    dimensions = int(expected.name.removesuffix("-ubyte")[-1])
    kinds = {1: "labels", 3: "images"}
    found_dimensions = _IDX_DIMENSIONS.get(found[:4])
    if found_dimensions is None:
        return f"it is not an IDX file of unsigned bytes: it begins with 0x{found[:4].hex()}"
    if found_dimensions != dimensions:
        return f"it holds {kinds[found_dimensions]} where {kinds[dimensions]} belong"
    count = int.from_bytes(found[4:8], "big")
    published = ((expected.size or 0) - 4 * (1 + dimensions)) // (IMAGE_BYTES if dimensions == 3 else 1)
    if len(found) >= 8 and published > 0 and count != published:
        return f"its header counts {count:,} {kinds[dimensions]}; the published file has {published:,}"
    return ""


def _size(found: bytes, expected: Content) -> str:
    published = expected.size
    if len(found) > expected.most_bytes:
        return f"it holds more than {expected.most_bytes:,} bytes"
    if published is None:
        return f"its content ({len(found):,} bytes) is not the published one: edited, or truncated"
    size = len(found.replace(b"\r\n", b"\n").rstrip(b"\n")) + 1 if expected.text else len(found)
    if size < published:
        return f"it holds {size:,} of {published:,} bytes: truncated, or parts were taken out"
    if size > published:
        return f"it holds {size - published:,} bytes more than the published {published:,}: something was added"
    return "it has the published size, but single values in it were changed: edited or damaged"
