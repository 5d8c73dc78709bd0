"""Small files in the place of published ones: a source that takes what a folder holds for the published content."""

from dataclasses import replace
from pathlib import Path

from normbench.data.containers import members_of, read_file
from normbench.data.contents import Content, digest_of
from normbench.data.files import RemoteFile, digest
from normbench.data.source import FileSet, PublishedSource

NOWHERE = "http://127.0.0.1:9"
MOST_BYTES = 1 << 24


def stand_in(source: PublishedSource, folder: Path) -> PublishedSource:
    """The source with the checksums of the files in a folder; sets of which it lacks a file are left out."""
    whole = [files for files in source.file_sets if all((folder / file.name).is_file() for file in files.files)]
    assert whole
    return PublishedSource(source.info, tuple(_of_folder(files, folder) for files in whole))


def _of_folder(file_set: FileSet, folder: Path) -> FileSet:
    return replace(file_set, files=tuple(remote_file(file, folder / file.name) for file in file_set.files))


def remote_file(file: RemoteFile, path: Path) -> RemoteFile:
    """The published file with the digests and sizes of another; it cannot be downloaded."""
    if file.is_archive:
        held = {content.name: data for content, _, data in members_of(path, file.contents)}
    else:
        held = {content.name: read_file(path, most_bytes=MOST_BYTES) for content in file.held}
    return RemoteFile(
        file.name,
        f"{NOWHERE}/{file.name}",
        "sha256",
        digest(path, "sha256"),
        path.stat().st_size,
        tuple(_of_bytes(content, held[content.name]) for content in file.contents if content.name in held),
        file.text,
    )


def _of_bytes(content: Content, data: bytes) -> Content:
    return replace(content, algorithm="sha256", digest=digest_of(data, "sha256"), size=len(data))
