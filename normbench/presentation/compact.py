"""Numbers and tables as short JSON: few digits, no gaps, nothing that a script element could end on."""

import json
import math
from typing import Any


def significant(value: float, digits: int) -> float | int | None:
    """``value`` with so many significant digits, as an integer where it is one; None for NaN and infinity."""
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded


def script_json(value: Any) -> str:
    """JSON for a script element: strict, sorted as given, with ``<`` escaped so that it cannot close the element."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
