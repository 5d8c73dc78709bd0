"""How pandas is told to read numbers to the last bit: from version 3 on it does so unasked and calls the option old."""

from typing import Any


def exactly() -> dict[str, Any]:
    """What ``pandas.read_csv`` has to be given for it."""
    import pandas as pd  # half a second that only readers of such files need

    return {} if int(pd.__version__.partition(".")[0]) >= 3 else {"float_precision": "round_trip"}
