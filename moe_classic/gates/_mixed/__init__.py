"""Class-conditional products of exponential families over mixed columns."""

from .families import FAMILIES
from .gate import MixedGate
from .places import MixedGateParams

__all__ = ["FAMILIES", "MixedGate", "MixedGateParams"]
