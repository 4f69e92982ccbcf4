"""Rows in blocks: sums that add, designs that components see, samples, streams."""

from .blocks import (
    ArraySource,
    Block,
    Design,
    FeatureMap,
    Source,
    default_block_size,
    design_of,
)
from .distinct import BlendRows, distinct_rows
from .features import (
    DesignMap,
    Rows,
    checked_design,
    column_numbers,
    fit_design,
    raw_features,
    same_features,
    slices_of,
    unique_names,
)
from .magnitudes import LARGEST, check_largest, check_spread, check_weight, least_and_most
from .patterns import Piece, is_incomplete, pieces_of
from .rows import RawData
from .sample import (
    MOST_ROWS,
    Sample,
    merge_sample,
    row_hashes,
    sample_size,
    subject_hashes,
    take_sample,
)
from .stats import Stats, Summary, summarise, tamed, total
from .stream import RawBlock, RowStream, StreamSource, first_pass
from .subjects import Subjects, gathered, joined

__all__ = [
    "LARGEST",
    "MOST_ROWS",
    "ArraySource",
    "BlendRows",
    "Block",
    "Design",
    "DesignMap",
    "FeatureMap",
    "Piece",
    "RawBlock",
    "RawData",
    "RowStream",
    "Rows",
    "Sample",
    "Source",
    "Stats",
    "StreamSource",
    "Subjects",
    "Summary",
    "check_largest",
    "check_spread",
    "check_weight",
    "checked_design",
    "column_numbers",
    "default_block_size",
    "design_of",
    "distinct_rows",
    "first_pass",
    "fit_design",
    "gathered",
    "is_incomplete",
    "joined",
    "least_and_most",
    "merge_sample",
    "pieces_of",
    "raw_features",
    "row_hashes",
    "same_features",
    "sample_size",
    "slices_of",
    "subject_hashes",
    "summarise",
    "take_sample",
    "tamed",
    "total",
    "unique_names",
]
