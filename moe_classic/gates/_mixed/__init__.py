"""Class-conditional products of exponential families over mixed columns."""

from .families import FAMILIES
from .gate import MixedGate, MixedGateParams

__all__ = ["FAMILIES", "MixedGate", "MixedGateParams"]
