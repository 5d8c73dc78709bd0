"""Tables that users bring: CSV, Parquet, NPZ and MAT files, read and checked."""

from normbench.data.tables.table import Table as Table
from normbench.data.tables.table import read as read
