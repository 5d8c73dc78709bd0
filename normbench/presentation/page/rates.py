"""Learning-rate sensitivity of a board's searches, for its chart."""

from collections.abc import Sequence
from typing import Any

from normbench.analysis.selection import board_key
from normbench.analysis.sensitivity import learning_rate_sensitivity
from normbench.presentation.compact import significant
from normbench.presentation.labels import how, where
from normbench.presentation.page.ways import Section
from normbench.records.schema import Record


def rate_points(section: Section, records: Sequence[Record]) -> list[dict[str, Any]]:
    """One entry per search and value: the best training RMS of the search over that of the value, 0 where it failed."""
    board = section.board
    here = [record for record in records if board_key(record) == board.key]
    found = learning_rate_sensitivity(here)
    return [
        {
            "optimiser": row["optimiser"],
            "backend": where(row["record"]),
            "setting": ", ".join([*how(row["record"]), f"{row['iterations']} it."]),
            "seed": row["seed"],
            "value": significant(row["value"], 6),
            "rms": significant(row["metric"], 5),
            "ratio": significant(row["ratio"], 4),
            "status": row["status"],
        }
        for row in found.to_dict("records")
    ]
