"""Normal densities over x, whose posterior is the gate."""

from .gate import GaussianGate
from .params import GaussianGateParams, MomentStats

__all__ = ["GaussianGate", "GaussianGateParams", "MomentStats"]
