"""Where samples come from; to add a source, write it into a module as a ``SOURCE`` and give it one entry here."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from normbench.data import kept_tables
from normbench.data.dataset import TABLE_MARK
from normbench.data.dataset import Dataset as Dataset
from normbench.data.dataset import Kind as Kind
from normbench.data.files import FileCheck as FileCheck
from normbench.data.files import RemoteFile as RemoteFile
from normbench.data.source import Source as Source
from normbench.data.source import SourceInfo as SourceInfo
from normbench.data.sources import (
    cifar,
    digits,
    idx_images,
    image_folder,
    neural_fly,
    quadrotor,
    quadrotor_sim,
    wikitext,
)
from normbench.data.splits import Split as Split
from normbench.data.splits import split_indices as split_indices
from normbench.errors import InvalidArgumentError

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        source.info.name: source
        for source in (
            quadrotor_sim.SOURCE,
            quadrotor.SOURCE,
            neural_fly.SOURCE,
            digits.SOURCE,
            idx_images.MNIST_SOURCE,
            idx_images.FASHION_SOURCE,
            cifar.CIFAR_10_SOURCE,
            cifar.CIFAR_100_SOURCE,
            wikitext.SOURCE,
            image_folder.IMAGENET_SOURCE,
        )
    }
)


def load(name: str, *, data_dir: str | Path | None = None) -> Dataset:
    """Samples of a source; downloaded or generated on first use, checked every time.

    Parameters
    ----------
    name : str
        Key of :data:`SOURCES`, or of a user's table that is kept here.
    data_dir : path, optional
        Folder that holds the files, or a sub-folder named after the source that does. Without it: the folder named
        by the environment variable NORMBENCH_DATA, then the cache, then the network. Sources that download nothing
        ignore it.

    Raises
    ------
    InvalidArgumentError
        If the name is unknown.
    DataError
        If files are missing from the folder, damaged, or not the published ones.
    DownloadError
        If files are needed from the network and cannot be fetched.
    """
    return _source(name).load(_folder(data_dir))


def fetch(name: str) -> list[Path]:
    """The files of a source, checked: in the folder NORMBENCH_DATA names, or downloaded or generated into the cache.

    Errors as :func:`load`.
    """
    return _source(name).fetch()


def verify(name: str, *, data_dir: str | Path | None = None) -> list[FileCheck]:
    """Recompute every checksum of a source that is on this machine: a row per file, ``ok`` where it is the right one.

    Parameters as :func:`load`; raises DataError if the files are not on this machine.
    """
    return _source(name).verify(_folder(data_dir))


def info(name: str) -> SourceInfo:
    """Description, terms, origin, files and citation of a source, and whether it is on this machine."""
    source = _source(name)
    return replace(source.info, present=source.is_present())


def _source(name: str) -> Source:
    if name in SOURCES:
        return SOURCES[name]
    kept = kept_tables.find(name)
    if kept is not None:
        return kept
    if TABLE_MARK in name:
        raise InvalidArgumentError(kept_tables.absent(name))
    raise InvalidArgumentError(f"unknown data set {name!r}; choose from {', '.join(SOURCES)}.")


def _folder(data_dir: str | Path | None) -> Path | None:
    return None if data_dir is None else Path(data_dir)
