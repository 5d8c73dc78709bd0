"""What the shown runs were made with: code, libraries, processor, threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from normbench.presentation.page.ways import Section
from normbench.records.schema import Record


@dataclass(frozen=True)
class Environment:
    """One set-up and how many of the shown runs it made.

    Attributes
    ----------
    backend : str
    code_version : str
    threads : int
        Per run.
    libraries : mapping of str to str
        Versions, platform, processor, cores; as stored in the records.
    runs : int
    tasks : tuple of str
    """

    backend: str
    code_version: str
    threads: int
    libraries: dict[str, str]
    runs: int
    tasks: tuple[str, ...]


def environments(sections: Sequence[Section]) -> list[Environment]:
    """Every set-up among the shown runs, by backend and code version."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for run in (run for section in sections for way in section.ways for run in way.runs):
        key = (
            run.request.backend,
            run.provenance.code_version,
            run.provenance.threads,
            tuple(sorted(run.provenance.environment.items())),
        )
        groups.setdefault(key, []).append(run)
    return [_environment(groups[key]) for key in sorted(groups, key=str)]


def _environment(runs: Sequence[Record]) -> Environment:
    first = runs[0]
    tasks = tuple(sorted({run.request.task for run in runs}))
    return Environment(
        first.request.backend,
        first.provenance.code_version,
        first.provenance.threads,
        dict(first.provenance.environment),
        len(runs),
        tasks,
    )
