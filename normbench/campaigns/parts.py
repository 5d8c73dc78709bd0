"""Several calls of ``normbench run`` as one plan: the tables of a campaign file, or the options of one command."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from normbench import specs
from normbench.campaigns.plan import Plan
from normbench.campaigns.samples import Samples
from normbench.campaigns.settings import Settings
from normbench.campaigns.shards import Shard
from normbench.campaigns.usual import WHOLE
from normbench.campaigns.wanted import Say, Wanted, chosen_backends, optimisers_of, plan_of
from normbench.errors import InvalidArgumentError, NormbenchError


@dataclass(frozen=True)
class Part:
    """What one table of a campaign file asks for, or the options of a command.

    Attributes
    ----------
    wanted : Wanted
    where : str
        Begins the messages about it; "" for options, whose messages name them.
    """

    wanted: Wanted
    where: str = ""


def plan_of_parts(parts: Sequence[Part], samples: Samples, say: Say, *, shard: str = WHOLE) -> Plan:
    """One plan of all parts, in which a run or search that several ask for stands once, or a share of it.

    Parameters
    ----------
    parts : sequence of Part
    samples : Samples
    say : callable
        Receives a line of text on what is left out, each line once.
    shard : str
        ``I/N``: the part of the whole that is made, see :class:`normbench.campaigns.shards.Shard`.

    Raises
    ------
    InvalidArgumentError
        If something does not go together, within a part or between two.
    BackendUnavailableError, DataError, DownloadError
    """
    share = Shard.read(shard)
    plan = Plan(())
    grids: dict[str, tuple[str, Mapping[str, Any]]] = {}
    said: set[str] = set()

    def say_once(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    for part in parts:
        with located(part.where):
            backends = chosen_backends(part.wanted.backends, say_once)
            _check_one_grid(part, backends, grids)
            plan += plan_of(part.wanted, backends, samples, say_once)
    return share.of(plan.without_repeats())


def _check_one_grid(part: Part, backends: Sequence[str], known: dict[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Raise where an optimiser of another package is to be searched over other values than in an earlier part.

    All records of a campaign rest on one declaration of it, which has the grid.
    """
    optimisers = optimisers_of(part.wanted, backends)
    settings = Settings.read(part.wanted.settings, part.wanted.grids, optimisers)
    for key in (key for key in optimisers if key not in specs.SPECS):
        grid = settings.grids.get(key, {})
        earlier, others = known.setdefault(key, (part.where, grid))
        if others != grid:
            raise InvalidArgumentError(
                f"{key} has another grid here than in {earlier}, and one campaign knows one grid of an optimiser. Give "
                "both the same, or make a campaign of each."
            )


@contextmanager
def located(where: str) -> Iterator[None]:
    """Errors that normbench raises on purpose begin with the place that they are about, where there is one."""
    try:
        yield
    except NormbenchError as error:
        if not where:
            raise
        raise type(error)(f"{where}: {error}") from error
