"""What formulas say of tables, read by formulaic."""

from __future__ import annotations

import ast
import re
from typing import Any

import pandas as pd

#: Names of the modules that expressions may use.
_MODULES = {"np", "contr"}
#: A name between backticks.
_QUOTED = re.compile(r"`([^`]+)`")


def model_matrix(terms: Any, table: pd.DataFrame, *, what: str = "") -> Any:
    """Columns of terms, a string or what was learned of one; raises with what formulaic says."""
    try:
        from formulaic import Formula
        from formulaic.errors import FormulaicError
    except ImportError:
        raise ImportError("formulas need formulaic: pip install 'moe_classic[formula]'") from None
    what = what or f"{terms!r} cannot be read"
    try:
        spec = Formula(terms) if isinstance(terms, str) else terms
        return spec.get_model_matrix(table, na_action="ignore", output="pandas")
    except (FormulaicError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise ValueError(f"the formula {what}: {error}") from error


def variables_of(terms: str, columns: list[Any]) -> list[str]:
    """Columns that an expression names, in the order of the table; raises for one not there."""
    names = set(_QUOTED.findall(terms))
    bare = _QUOTED.sub("quoted_", terms)
    for piece in re.split(r"[~|]", bare):
        names |= _names_in(piece) - {"quoted_"}
    absent = sorted(names - set(columns) - _MODULES)
    if absent:
        raise ValueError(
            f"the formula {terms!r} names {absent}, which the data do not have; they have "
            f"{[str(c) for c in columns[:12]]}{'...' if len(columns) > 12 else ''}."
        )
    return [c for c in columns if c in names]


def _names_in(terms: str) -> set[str]:
    """Names in an expression, without those of functions."""
    # Exponents and interactions of formulas are operators of Python too; braces are parentheses.
    text = terms.translate(str.maketrans("{}^:", "()**")).replace("%in%", "*").strip()
    try:
        tree = ast.parse(text.lstrip("+") or "1", mode="eval")
    except SyntaxError as error:
        raise ValueError(f"the formula {terms!r} cannot be read: {error.msg}.") from None
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    functions = {node.id for node in called if isinstance(node, ast.Name)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - functions
