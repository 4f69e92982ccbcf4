"""The command line: tables, candidates and their comparison, files, predictions."""

from .candidates import TASKS, check_families, families
from .comparison import Candidate, compare, ranking, refitted
from .families import suited_families
from .files import prepare, save
from .predict import predict_parser, predict_rows
from .progress import say
from .table import (
    MOST_CLASSES,
    Table,
    UsageError,
    check_rows,
    csv_table,
    sample_of,
    tone_table,
)

__all__ = [
    "MOST_CLASSES",
    "TASKS",
    "Candidate",
    "Table",
    "UsageError",
    "check_families",
    "check_rows",
    "compare",
    "csv_table",
    "families",
    "predict_parser",
    "predict_rows",
    "prepare",
    "ranking",
    "refitted",
    "sample_of",
    "save",
    "say",
    "suited_families",
    "tone_table",
]
