"""Models that marginalise what is missing in X: which do, and what starts see of such rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from moe_classic._adapters import TableColumns
from moe_classic._data import Block, DesignMap, Summary
from moe_classic._model import Model, ObservedModel
from moe_classic._objectives import MixtureLikelihood
from moe_classic._targets import TrainingData
from moe_classic._typing import Floats, Names
from moe_classic.experts import GaussianExpert
from moe_classic.gates import GaussianGate
from moe_classic.solvers import EM

from .wrap import components, wrapped_gate

#: Passes of EM for the one normal law by which starts see what is missing.
_FILLING = 20
#: Columns that a sentence names.
_SHOWN = 5


def marginalizes(estimator: Any) -> bool:
    """Whether an estimator can be fitted to missing values: its arguments allow it."""
    if getattr(estimator, "missing", "error") != "marginalize":
        return False
    return _hindrance(estimator.gate, components(estimator.expert), estimator.solver) is None


def check_marginal(estimator: Any) -> None:
    """Raise unless what is missing in X has a distribution under the model."""
    said = _hindrance(estimator.gate, components(estimator.expert), estimator.solver)
    if said is not None:
        raise ValueError(
            f"missing='marginalize' takes what is missing in X from a normal law of (x, y) in "
            f"every expert, fitted by EM: gate='gaussian' and Gaussian experts that see all columns"
            f"; {said}. Change that, or set missing='error' and impute, such as by "
            "features=SimpleImputer(add_indicator=True)."
        )


def _hindrance(gate: Any, experts: list[Any], solver: Any) -> str | None:
    """What of the arguments cannot marginalise, in words; None if nothing."""
    if not (gate == "gaussian" or isinstance(wrapped_gate(gate), GaussianGate)):
        return f"gate={gate!r} does not describe x so"
    for part in experts:
        if not (part == "gaussian" or isinstance(part, GaussianExpert)):
            return f"the expert {part!r} is none"
        if getattr(part, "fit_intercept", True) is not True:
            return f"{part!r} has no intercept, so that its features are not those of the gate"
    for part in (gate, *experts):
        if getattr(part, "features", None) is not None:
            return f"{part!r} has features of its own"
    return _unable(solver)


def _unable(solver: Any) -> str | None:
    """The same of the solver."""
    if solver == "em":
        return None
    if not isinstance(solver, EM):
        return f"solver={solver!r} is not EM"
    if solver.objective_name != "likelihood":
        return f"solver={solver!r} climbs the {solver.objective_name}"
    if solver.finish in ("newton", "lbfgs"):
        return f"solver={solver!r} ends with derivatives of complete rows"
    return None


def check_seen(X: np.ndarray, names: Names) -> None:
    """Raise if a column of the rows of a fit has no value at all, or levels in place of numbers."""
    if isinstance(names, TableColumns):
        levels = [names[j] for j in np.flatnonzero(~names.numeric).tolist()]
        raise ValueError(
            f"missing='marginalize' needs columns of numbers, and columns {levels[:_SHOWN]} of X "
            "hold levels, which have no normal law; encode them before, leave them out, or set "
            "missing='error'."
        )
    empty = np.flatnonzero(np.isnan(X).all(axis=0))
    if not empty.size:
        return
    called = [f"x{j}" if names is None else names[int(j)] for j in empty]
    more = f" and {len(called) - _SHOWN} more" if len(called) > _SHOWN else ""
    raise ValueError(
        f"X has no value at all in columns {called[:_SHOWN]}{more}: nothing is known of what is "
        "missing in all rows; leave such columns out."
    )


# ------------------------------------------------------------------------- rows of a fit


def seen_log_unit(design: DesignMap, data: TrainingData) -> float:
    """Logarithm of the units of x, of the columns that rows have, mean of the rows."""
    raw = design.raw(data.X)
    varies = design.inverse > 0.0
    share = data.w @ ~np.isnan(raw[:, varies]) / data.w.sum()
    return -float(share @ np.log(design.inverse[varies]))


def filled(model: Model, block: Block, summary: Summary) -> Floats:
    """The gate's design (q, n), with expectations under one normal law where values are missing.

    Starts look at whole rows; what they see decides on no more than where climbs begin.
    """
    design = block.designs[model.gate_design]
    if not (isinstance(model, ObservedModel) and design.pieces):
        return design.Z
    one = replace(model, groups=(replace(model.groups[0], count=1),))
    params = one.start([design.width for _ in block.designs], summary)
    objective = MixtureLikelihood(one)
    for _ in range(_FILLING):
        params = one.update(params, objective(params, block), summary)
    Z = design.Z.copy()
    for part in one.evaluate(params, block).gate.work:
        Z[:-1][:, part.rows] = part.x[:, 0].swapaxes(0, 1)
    return Z
