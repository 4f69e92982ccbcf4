"""Estimators with ``fit`` and ``predict``."""

from ._flat import MoEClassifier, MoERegressor

__all__ = ["MoEClassifier", "MoERegressor"]
