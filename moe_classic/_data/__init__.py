"""Rows in blocks: sums that add, designs that components see, samples, streams."""

from .bends import Bends, likeliest_bend
from .blocks import (
    ArraySource,
    Block,
    FeatureMap,
    Source,
    default_block_size,
    design_of,
)
from .design import Design
from .distinct import BlendRows, distinct_rows
from .features import DesignMap, checked_design, raw_features, same_features, unique_names
from .magnitudes import LARGEST, check_largest, check_spread, check_weight, least_and_most
from .moments import Rows
from .partitions import check_partitions, dask_parts, is_dask, over_partitions, stream_of
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
from .sparse import (
    SparseDesign,
    SparseRows,
    as_design,
    beside,
    beside_columns,
    leading_directions,
    sparse_design,
    sparse_rows,
)
from .stats import Stats, Summary, summarise, tamed, total
from .stream import RawBlock, RowStream, StreamSource, first_pass, summed
from .subjects import Subjects, gathered, joined
from .units import column_numbers, fit_design, refuse_sparse, slices_of

__all__ = [
    "LARGEST",
    "MOST_ROWS",
    "ArraySource",
    "Bends",
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
    "SparseDesign",
    "SparseRows",
    "Stats",
    "StreamSource",
    "Subjects",
    "Summary",
    "as_design",
    "beside",
    "beside_columns",
    "check_largest",
    "check_partitions",
    "check_spread",
    "check_weight",
    "checked_design",
    "column_numbers",
    "dask_parts",
    "default_block_size",
    "design_of",
    "distinct_rows",
    "first_pass",
    "fit_design",
    "gathered",
    "is_dask",
    "is_incomplete",
    "joined",
    "leading_directions",
    "least_and_most",
    "likeliest_bend",
    "merge_sample",
    "over_partitions",
    "pieces_of",
    "raw_features",
    "refuse_sparse",
    "row_hashes",
    "same_features",
    "sample_size",
    "slices_of",
    "sparse_design",
    "sparse_rows",
    "stream_of",
    "subject_hashes",
    "summarise",
    "summed",
    "take_sample",
    "tamed",
    "total",
    "unique_names",
]
