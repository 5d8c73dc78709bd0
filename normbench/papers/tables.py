"""Tables of the terminal that several experiments show."""

import pandas as pd
from rich.console import RenderableType

from normbench.data.dataset import origin
from normbench.presentation.tables import number, titled
from normbench.presentation.terminal import plain_table


def frame_table(frame: pd.DataFrame, *, title: str) -> RenderableType:
    """Any small frame as a table of the terminal: floats with three decimals, the first column to the left."""
    table = plain_table()
    for column in frame.columns:
        table.add_column(str(column), justify="left" if column == frame.columns[0] else "right")
    for values in frame.itertuples(index=False):
        table.add_row(*(number(value) if isinstance(value, float) else str(value) for value in values))
    return titled(title, table)


def against(simulated: bool) -> str:
    """What is compared with what, for titles."""
    return f"measured on {origin(simulated)} data, published on real data"
