"""Mixtures from formulas: what experts see left of the bar, what the gate sees right of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import signature
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from moe_classic._adapters import model_matrix, pandas_table, variables_of
from moe_classic._training import labelled, wrapped_expert, wrapped_gate
from moe_classic.preprocessing import FormulaTerms

from .arguments import named_component

_OPEN, _SHUT = "([{", ")]}"
#: What an offset may be: a column, or the logarithm of one.
_COLUMN = re.compile(r"`([^`]+)`|([^\W\d]\w*)")
_LOGARITHM = re.compile(r"(?:np\.)?log\((.+)\)")


@dataclass(frozen=True)
class Formula:
    """A formula in parts.

    Attributes
    ----------
    response, experts : str
    gate : str or None
        None where there is no bar: the gate sees what experts see.
    carried : dict
        Columns that stand in the equations of the experts as they are, by "offset" or "exposure".
    """

    response: str
    experts: str
    gate: str | None
    carried: dict[str, str]

    @classmethod
    def read(cls, formula: str, columns: list[Any]) -> Formula:
        """The parts of a formula; ``.`` stands for all columns that the response does not name."""
        if not isinstance(formula, str) or formula.count("~") != 1:
            raise ValueError(
                f"formula={formula!r} must be a string with one tilde, such as 'y ~ x | z': the "
                "target, what experts see, and after a bar what the gate sees."
            )
        response, _, right = (part.strip() for part in formula.partition("~"))
        parts = [part.strip() for part in cut(right, "|")]
        if not response or len(parts) > 2 or not all(parts):
            raise ValueError(
                f"formula={formula!r} must have a target, terms of the experts and at most one "
                "bar with terms of the gate after it; write 1 for no terms."
            )
        own = variables_of(response, columns)
        others = " + ".join(f"`{c}`" for c in columns if c not in own)
        parts = [re.sub(r"(?<![\w.)\]`])\.(?![\w.(])", f"({others})", part) for part in parts]
        experts, carried = _without_offsets(parts[0])
        gate = parts[1] if len(parts) > 1 else None
        if gate is not None and "offset(" in gate:
            raise ValueError(f"formula={formula!r}: offset() belongs to the experts, not the gate.")
        return cls(response, experts, gate, carried)

    def variables(self, columns: list[Any]) -> list[str]:
        """Columns that gate and experts need, in the order of the table."""
        needed = {*variables_of(self.experts, columns), *self.carried.values()}
        needed |= set(variables_of(self.gate or "1", columns))
        absent = sorted(set(self.carried.values()) - set(columns))
        if absent:
            raise ValueError(f"offset() names {absent}, which the data do not have.")
        return [c for c in columns if c in needed]

    def target(self, table: pd.DataFrame) -> Any:
        """The target: a column as it is, or what an expression makes of columns."""
        name = self.response.strip("`")
        if name in table.columns:
            return table[name]
        matrix = model_matrix(f"{self.response} - 1", table)
        return matrix.iloc[:, 0] if matrix.shape[1] == 1 else pd.DataFrame(matrix)


def cut(text: str, mark: str) -> list[str]:
    """A text cut at a mark that stands outside parentheses and quotes."""
    parts, depth, quote = [""], 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "`'\"":
            quote = sign
        else:
            depth += (sign in _OPEN) - (sign in _SHUT)
            if sign == mark and depth == 0:
                parts.append("")
                continue
        parts[-1] += sign
    return parts


def _without_offsets(terms: str) -> tuple[str, dict[str, str]]:
    """Terms without ``offset(...)``, and the columns that these name."""
    kept, carried = [], dict[str, str]()
    for term in cut(terms, "+"):
        word = term.strip()
        if not (word.startswith("offset(") and word.endswith(")")):
            kept.append(term)
            continue
        role, inside = "offset", word[len("offset(") : -1].strip()
        logarithm = _LOGARITHM.fullmatch(inside)
        if logarithm:
            role, inside = "exposure", logarithm[1].strip()
        column = _COLUMN.fullmatch(inside)
        if column is None or role in carried:
            raise ValueError(
                f"{word} must name one column, or its logarithm, once; compute others before, "
                f"such as data.assign(shift=...) and offset(shift)."
            )
        carried[role] = column[1] or column[2]
    rest = "+".join(kept).strip()
    if "offset(" in rest:
        raise ValueError(
            f"offset() must be added to the other terms, as in 'x + offset(z)': {rest}"
        )
    return rest or "1", carried


# ------------------------------------------------------------------------- a fit


class FromFormula:
    """Estimators that can be fitted to a formula and a table."""

    #: After a fit by formula: the columns that it names, and the formula.
    variables_: list[Any]
    formula_: str

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        *,
        groups: Any = None,
        sample_weight: Any = None,
        **params: Any,
    ) -> Self:
        """Fit what a formula says of a table.

        ``"y ~ x * treatment | age + sex"``: the target, what experts see, and after the bar what
        the gate sees. Terms are those of formulaic, R and patsy: factors, interactions, ``C()``,
        functions, ``bs()``, ``poly()``, ``.`` for all other columns; see
        :class:`~moe_classic.preprocessing.FormulaTerms`. Without a bar the gate sees what experts
        see; ``| 1`` gives the same proportions everywhere. ``offset(z)`` among the terms of
        experts is added to their equations as it is, ``offset(log(n))`` makes n an exposure.

        Parameters
        ----------
        formula : str
        data : DataFrame
            Of pandas or polars.
        groups : str or array-like of shape (n_samples,), default=None
            For estimators whose ``fit`` takes groups: a column of the table, or values.
        sample_weight : str or array-like of shape (n_samples,), default=None
            A column of the table, or values.
        **params
            Arguments of the estimator, such as ``n_experts=3`` or ``expert="poisson"``.

        Returns
        -------
        estimator : fitted estimator
            It takes tables with the variables of the formula, in any order and among others;
            ``formula_`` and ``variables_`` say which these are.

        Raises
        ------
        ImportError
            If formulaic, the extra ``formula``, is not installed.
        ValueError, TypeError
            If the formula cannot be read, or names what the table, the experts or the gate lack.

        Examples
        --------
        >>> from moe_classic import MoERegressor
        >>> from moe_classic.datasets import load_tone
        >>> tone = load_tone(as_frame=True).frame
        >>> options = {"n_experts": 2, "n_init": 2, "random_state": 0}
        >>> moe = MoERegressor.from_formula("tuned ~ stretchratio | 1", tone, **options)
        >>> moe.predict(tone).shape
        (150,)
        """
        return fit_formula(cls, formula, data, groups, sample_weight, params)


def fit_formula(
    kind: Any, formula: str, data: Any, groups: Any, sample_weight: Any, params: dict[str, Any]
) -> Any:
    """An estimator of class ``kind``, fitted to what a formula says of a table."""
    table = pandas_table(data)
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"data must be a table with named columns (pandas, polars), got {type(data).__name__}."
        )
    columns = list(table.columns)
    read = Formula.read(formula, columns)
    variables = read.variables(columns)
    if not variables:
        raise ValueError(
            f"formula={formula!r} names no column that gate or experts see; X needs one."
        )
    moe = _with_terms(kind(**params), read)
    given = {"sample_weight": _column(table, sample_weight), "groups": _column(table, groups)}
    given = {name: value for name, value in given.items() if value is not None}
    if "groups" in given and "groups" not in signature(moe.fit).parameters:
        raise TypeError(f"{kind.__name__}.fit takes no groups; leave groups={groups!r} out.")
    moe.fit(table[variables], read.target(table), **given)
    moe.variables_, moe.formula_ = variables, formula
    return moe


def _column(table: pd.DataFrame, value: Any) -> Any:
    """A column by name, or values as they are."""
    if isinstance(value, str):
        if value not in table.columns:
            raise ValueError(f"{value!r} is not a column of the data; it has {list(table)[:12]}.")
        return np.asarray(table[value])
    return value


def _with_terms(moe: Any, read: Formula) -> Any:
    """An estimator whose components see the terms of a formula."""
    terms = _features(read.experts)
    # Components that see the same share their columns.
    behind = terms if read.gate in (None, read.experts) else _features(read.gate)
    expert = moe.expert
    if isinstance(expert, (list, tuple)):
        expert = [(name, _expert(moe, item, terms, read)) for name, item in labelled(expert)]
    else:
        expert = _expert(moe, expert, terms, read)
    gate = wrapped_gate(named_component(moe, "gate", moe.gate))
    if "features" in gate.get_params(deep=False):
        gate = _seeing(gate, behind, "gate")
    elif read.gate not in (None, "1"):
        raise ValueError(
            f"gate={moe.gate!r} does not look at x, so that terms after the bar, {read.gate!r}, "
            "have no meaning; leave them out or use gate='softmax'."
        )
    return moe.set_params(expert=expert, gate=gate)


def _features(terms: str) -> Any:
    """What sees some terms."""
    return [] if terms == "1" else FormulaTerms(terms)


def _expert(moe: Any, value: Any, terms: Any, read: Formula) -> Any:
    """One expert that sees the terms, with its offset."""
    expert = _seeing(wrapped_expert(named_component(moe, "expert", value)), terms, "expert")
    known = expert.get_params(deep=False)
    for role, column in read.carried.items():
        if role not in known:
            raise ValueError(
                f"expert={value!r} has no {role}, which offset() in the formula asks for; experts "
                "for counts and positive targets, such as 'poisson', have one."
            )
        expert.set_params(**{role: column})
    return expert


def _seeing(component: Any, terms: Any, what: str) -> Any:
    """A copy of a component that sees some terms."""
    if component.features is not None:
        raise ValueError(
            f"{what}={component!r} has features={component.features!r} and the formula says what "
            "it sees; give one of them."
        )
    return clone(component).set_params(features=terms)
