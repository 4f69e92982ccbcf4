"""The command line's table, families and picture."""

from .families import fitting_families, suited_families
from .picture import draw
from .table import MOST_CLASSES, Table, UsageError, check_rows, csv_table, tone_table

__all__ = [
    "MOST_CLASSES",
    "Table",
    "UsageError",
    "check_rows",
    "csv_table",
    "draw",
    "fitting_families",
    "suited_families",
    "tone_table",
]
