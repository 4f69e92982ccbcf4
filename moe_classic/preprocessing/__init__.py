"""Tables with categories as numbers, and terms of formulas."""

from ._encoder import TableEncoder, UnseenLevelWarning
from ._encoder import level_name as level_name
from ._encoder import levels_in_order as levels_in_order
from ._formula import FormulaTerms

__all__ = ["FormulaTerms", "TableEncoder", "UnseenLevelWarning"]
