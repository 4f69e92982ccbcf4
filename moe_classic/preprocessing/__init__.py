"""Tables with categories as numbers, and terms of formulas."""

from ._encoder import TableEncoder, UnseenLevelWarning
from ._formula import FormulaTerms

__all__ = ["FormulaTerms", "TableEncoder", "UnseenLevelWarning"]
