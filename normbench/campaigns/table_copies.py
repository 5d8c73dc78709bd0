"""Users' tables for workers that do not share the cache of the client, in which each is kept."""

from collections.abc import Iterable
from dataclasses import dataclass

from normbench.data import kept_tables
from normbench.data.cache import replaced_when_done


@dataclass(frozen=True)
class TableCopies:
    """Tables, by key the file as it is kept; calling it keeps them where it is called."""

    files: tuple[tuple[str, bytes], ...]

    def __call__(self) -> None:
        """Write those that are not there.

        Raises
        ------
        DataError
            If the cache cannot be written.
        """
        for key, content in self.files:
            if kept_tables.find(key) is None:
                with replaced_when_done(kept_tables.path_of(key)) as temporary:
                    temporary.write_bytes(content)


def copies(tasks: Iterable[str]) -> TableCopies | None:
    """Those of the tasks that are users' tables; None where none is."""
    found = (table for task in sorted(set(tasks)) if (table := kept_tables.find(task)) is not None)
    files = tuple((table.key, kept_tables.path_of(table.key).read_bytes()) for table in found)
    return TableCopies(files) if files else None
