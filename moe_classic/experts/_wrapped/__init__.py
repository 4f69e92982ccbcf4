"""scikit-learn's estimators as experts."""

from .base import EstimatorParams
from .estimator import EstimatorExpert

__all__ = [
    "EstimatorExpert",
    "EstimatorParams",
]
