"""How pandas is told to read numbers to the last bit: from version 3 on it does so unasked and calls the option old."""

from typing import Any

import pandas as pd

EXACT: dict[str, Any] = {} if int(pd.__version__.partition(".")[0]) >= 3 else {"float_precision": "round_trip"}
