"""Gates: mixing terms that depend on x.

``GATES`` is the registry of names that an estimator's ``gate=`` understands.
"""

from moe_classic._components import Forward
from moe_classic._data import Design, Stats, Summary

from ._base import Gate
from ._base import line_rows as line_rows
from ._constant import SMALLEST as SMALLEST
from ._constant import ConstantGate
from ._estimator import EstimatorGate
from ._gaussian import GaussianGate
from ._gaussian import MomentStats as MomentStats
from ._mixed import MixedGate
from ._softmax import SoftmaxGate
from ._tree import Nested as Nested
from ._tree import TreeGate
from ._tree import TreeParams as TreeParams
from ._tree import TreeShape as TreeShape
from ._tree import count_leaves as count_leaves
from ._tree import free_rows as free_rows
from ._tree import parse_branching as parse_branching
from ._tree import tree_shape as tree_shape
from ._tree import write_branching as write_branching

GATES: dict[str, type[Gate]] = {
    cls.name: cls for cls in (ConstantGate, GaussianGate, MixedGate, SoftmaxGate, TreeGate)
}

__all__ = [
    "GATES",
    "ConstantGate",
    "Design",
    "EstimatorGate",
    "Forward",
    "Gate",
    "GaussianGate",
    "MixedGate",
    "SoftmaxGate",
    "Stats",
    "Summary",
    "TreeGate",
]
