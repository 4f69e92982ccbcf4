"""Gates: mixing terms that depend on x.

``GATES`` is the registry of names that an estimator's ``gate=`` understands.
"""

from ._base import Gate
from ._constant import ConstantGate
from ._estimator import EstimatorGate
from ._gaussian import GaussianGate
from ._softmax import SoftmaxGate
from ._tree import TreeGate

GATES: dict[str, type[Gate]] = {
    cls.name: cls for cls in (ConstantGate, GaussianGate, SoftmaxGate, TreeGate)
}

__all__ = [
    "GATES",
    "ConstantGate",
    "EstimatorGate",
    "Gate",
    "GaussianGate",
    "SoftmaxGate",
    "TreeGate",
]
