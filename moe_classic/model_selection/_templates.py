"""Templates of penalised fits, and grids of penalties: what is taken and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.base import clone

from moe_classic._arguments import check_integer
from moe_classic.estimators import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate, TreeGate
from moe_classic.penalties import Lasso


def penalised_template(caller: str, estimator: Any, n_experts: int) -> Any:
    """The estimator whose penalties are set."""
    if estimator is None:
        expert, gate = GaussianExpert(penalty=Lasso()), SoftmaxGate(penalty=Lasso())
        estimator = MoERegressor(expert=expert, gate=gate, random_state=0)
    _refuse_trees(caller, estimator)
    if not getattr(getattr(estimator, "expert", None), "sparse", False):
        raise ValueError(
            f"{caller}: the experts of estimator={estimator!r} need a penalty under which slopes "
            "may be zero, such as expert=GaussianExpert(penalty=Lasso())."
        )
    return clone(estimator).set_params(n_experts=n_experts, warm_start=False)


def _refuse_trees(caller: str, estimator: Any) -> None:
    """Raise for trees whose number of experts is their shape's, or whose nodes have penalties."""
    params = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    node = "node" if "node" in params else "gate__node"
    if "node" in params or (isinstance(params.get("gate"), TreeGate) and params["gate"].sparse):
        raise ValueError(
            f"{caller}: estimator={estimator!r} is a tree, and there are no paths of penalties for "
            "those: their number of experts is that of their leaves, and each node has slopes of "
            f"its own. Search over {node}__penalty__alpha and expert__penalty__alpha with "
            "GridSearchCV."
        )


def checked_grid(caller: str, alphas: Any) -> Any:
    """Strengths, strongest first, or how many."""
    if not isinstance(alphas, (int, np.integer)) or isinstance(alphas, bool):
        return sorted(set(positive(caller, "alphas", alphas)), reverse=True)
    return check_integer("alphas", alphas, 2, "the number of penalties, or a list of them")


def positive(caller: str, name: str, values: Any) -> list[float]:
    """A list of positive numbers."""
    array = np.asarray(list(values) if isinstance(values, Iterable) else [], dtype=np.float64)
    if not (array.size and np.isfinite(array).all() and (array > 0.0).all()):
        raise ValueError(f"{caller}: {name}={values!r} must be numbers > 0, at least one.")
    return [float(v) for v in array]
