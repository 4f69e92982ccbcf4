"""The command line's table and picture."""

from .picture import draw
from .table import MOST_CLASSES, Table, UsageError, check_rows, csv_table, tone_table

__all__ = [
    "MOST_CLASSES",
    "Table",
    "UsageError",
    "check_rows",
    "csv_table",
    "draw",
    "tone_table",
]
