"""Trees of gates."""

from .branching import Nested, count_leaves, parse_branching, write_branching
from .coefficients import TreeParams
from .gate import TreeGate
from .nodes import TreeShape, free_rows, tree_shape

__all__ = [
    "Nested",
    "TreeGate",
    "TreeParams",
    "TreeShape",
    "count_leaves",
    "free_rows",
    "parse_branching",
    "tree_shape",
    "write_branching",
]
