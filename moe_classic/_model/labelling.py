"""Which expert is which: a canonical order, and the same expert in another fit.

The likelihood does not change when experts change places. Tables and draws become comparable once
an order is fixed, or once the experts of one fit are matched with those of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from moe_classic._components import SLOPE
from moe_classic._data import DesignMap
from moe_classic._typing import Floats, Ints

from .model import Model

#: Smallest responsibility that counts: keeps logarithms finite.
_LEAST_RESPONSIBILITY = 1e-12


def order_of(experts: Sequence[Any], order_by: Any = "mass") -> Ints:
    """Canonical order of fitted experts.

    Parameters
    ----------
    experts : sequence of FittedExpert
        As in ``experts_`` of an estimator.
    order_by : str or (int, str), default="mass"
        ``"mass"``: the largest share of the training weight first. The name of a term:
        ``"intercept"``, a feature, ``"scale"`` or ``"df"``: the smallest value first. With several
        outputs, a pair (output number, term); a term alone is that of the first output. Parameters
        come before features of the same name.

    Returns
    -------
    order : ndarray of int of shape (K,)
        Places of the experts, first to last; experts that tie keep their order.

    Raises
    ------
    ValueError
        If an expert has no such term.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inference import order_of
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> order_of(moe.experts_, "intercept").tolist()
    [1, 0]
    """
    if order_by == "mass":
        return np.argsort([-expert.weight_ for expert in experts], kind="stable")
    return np.argsort([_term(expert, order_by) for expert in experts], kind="stable")


def _term(expert: Any, order_by: Any) -> float:
    """Value of a term of one expert."""
    number, name = order_by if isinstance(order_by, tuple) else (0, order_by)
    outputs = [str(j) for j in range(np.size(expert.intercept_))]
    terms = expert.terms(outputs)
    # A feature may be called like a parameter, whose kind is its name.
    for kind in (name, SLOPE):
        if isinstance(number, (int, np.integer)) and (str(number), kind, name) in terms:
            return terms[str(number), kind, name]
    known = sorted({term for *_, term in terms})
    raise ValueError(
        f"order_by={order_by!r} is not a term of {expert.label!r}; choose 'mass' or one of "
        f"{known}, with several outputs a pair (output number from 0 to {len(outputs) - 1}, term)."
    )


def check_order_by(
    order_by: Any, model: Model, maps: tuple[DesignMap, ...], n_outputs: int
) -> None:
    """Raise before any work if :func:`order_of` could not follow ``order_by`` after the fit."""
    if isinstance(order_by, str) and order_by == "mass":
        return
    if not model.exchangeable:
        raise ValueError(
            f"order_by={order_by!r} has no meaning where the order of the experts is given, by a "
            "list of unlike experts or by a tree; leave it at 'mass'."
        )
    group = model.groups[0]
    if not group.expert.has("lines"):
        raise ValueError(
            f"order_by={order_by!r} has no meaning for {group.expert.name!r} experts, whose terms "
            "are their own affair; leave it at 'mass'."
        )
    known = ["intercept", *maps[group.design].names, *group.expert.ordering]
    number, name = order_by if isinstance(order_by, tuple) and len(order_by) == 2 else (0, order_by)
    if not isinstance(name, str) or name not in known or number not in range(n_outputs):
        raise ValueError(
            f"order_by={order_by!r} must be 'mass' or one of {known}, with several outputs a pair "
            f"(output number from 0 to {n_outputs - 1}, term)."
        )


def match_experts(R: Floats, other: Floats, w: Floats) -> Ints:
    """Order that makes the experts of another fit those of this one.

    Minimises the Kullback-Leibler divergence of the posterior probabilities over all rows, the
    relabelling of Stephens (2000), Dealing with label switching in mixture models, Journal of the
    Royal Statistical Society B 62, section 4.1; an assignment problem.

    Parameters
    ----------
    R, other : ndarrays of shape (K, n)
        Responsibilities of both fits at the same rows.
    w : ndarray of shape (n,)

    Returns
    -------
    order : ndarray of int of shape (K,)
        ``other[order]`` corresponds to ``R``.
    """
    cost = -(R * w) @ np.log(np.maximum(other, _LEAST_RESPONSIBILITY)).T
    return linear_sum_assignment(cost)[1]
