"""Hard mixtures: every row trains one expert."""

from .hard_moe import HardMoEClassifier, HardMoERegressor

__all__ = [
    "HardMoEClassifier",
    "HardMoERegressor",
]
