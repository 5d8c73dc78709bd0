"""What the check of a submission finds: rules, each with what holds or with every way in which it is violated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from normbench.campaigns.job import run_name
from normbench.records.schema import Record

_NAMED = 3  # records of a breach that are named; the others are counted


@dataclass(frozen=True)
class Breach:
    """One way in which a rule is violated: what is so, of which records, and what to do."""

    what: str
    remedy: str
    records: tuple[Record, ...] = ()

    def __str__(self) -> str:
        named = ", ".join(f"{run_name(run.request)} ({run.record_id})" for run in self.records[:_NAMED])
        more = f" and {len(self.records) - _NAMED} more" if len(self.records) > _NAMED else ""
        return f"{self.what}{': ' if named else ''}{named}{more}. {self.remedy}"


@dataclass(frozen=True)
class Verdict:
    """A rule, what it is about where it holds, and its breaches where it does not."""

    rule: str
    holds: str
    breaches: tuple[Breach, ...] = ()

    def __str__(self) -> str:
        if not self.breaches:
            return f"{self.rule}: holds: {self.holds}"
        return "\n".join([f"{self.rule}: violated", *(f"  - {breach}" for breach in self.breaches)])


def gathered(found: Iterable[tuple[str, str, Record]]) -> tuple[Breach, ...]:
    """Breaches of single records, (what, remedy, record), with the records that have the same in one."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for what, remedy, record in found:
        groups.setdefault((what, remedy), []).append(record)
    return tuple(Breach(what, remedy, tuple(records)) for (what, remedy), records in groups.items())


def named(values: Iterable[object]) -> str:
    """The values in their order, with commas."""
    every: Sequence[object] = sorted(values, key=lambda value: (str(type(value)), value))
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in every)
