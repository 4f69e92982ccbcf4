"""The command line: tables, candidates and their comparison, files, predictions."""

from .candidates import TASKS, check_families, chosen_families
from .comparison import Candidate, compare, ranking, refitted
from .families import fitting_families, suited_families
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
    "chosen_families",
    "compare",
    "csv_table",
    "fitting_families",
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
