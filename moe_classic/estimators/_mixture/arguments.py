"""Arguments of a mixture: what makes sense by itself, and what is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import check_integer, check_one_of, check_real
from moe_classic._components import TARGETS
from moe_classic._data import RawData
from moe_classic._training import (
    STRATEGIES,
    by_name,
    check_marginal,
    components,
    described,
    describes_outputs,
    resolve_experts,
    resolve_gate,
)
from moe_classic._typing import Floats
from moe_classic.experts import EXPERTS, Description
from moe_classic.gates import GATES, Gate
from moe_classic.solvers import SOLVERS, Solver

#: Arguments that take a registered name or an instance.
_REGISTRIES: dict[str, tuple[Any, type]] = {
    "expert": (EXPERTS, Description),
    "gate": (GATES, Gate),
    "node": (GATES, Gate),
    "solver": (SOLVERS, Solver),
}


def resolve_arguments(estimator: Any, target: str) -> tuple[list[Any], Any, Solver]:
    """Components and solver from the constructor's arguments, all checked."""
    check_integer("n_experts", estimator.n_experts, 1, "the number of experts")
    check_integer("n_init", estimator.n_init, 1, "the number of starts")
    check_integer("max_iter", estimator.max_iter, 1, "the largest number of passes over the data")
    check_real("tol", estimator.tol, 0.0, "nats still to gain, per unit of weight, that end a fit")
    if estimator.block_size is not None:
        check_integer("block_size", estimator.block_size, 1, "rows a block, or None")
    verbose = int(estimator.verbose) if isinstance(estimator.verbose, bool) else estimator.verbose
    check_integer("verbose", verbose, 0, "0 is silent")
    for name in ("standardize", "warm_start"):
        if not isinstance(getattr(estimator, name), (bool, np.bool_)):
            raise TypeError(f"{name}={getattr(estimator, name)!r} must be True or False.")
    check_init(estimator.init, estimator.n_init)
    _check_missing(estimator, target)
    groups = resolve_experts(estimator.expert, estimator.n_experts, target)
    estimator._validate_names([label for label, _, _ in groups if label is not None])
    gate = resolve_gate(estimator.gate, estimator.n_experts, target)
    solver = by_name("solver", estimator.solver, SOLVERS, Solver)
    solver.check()
    return groups, gate, solver


def _check_missing(estimator: Any, target: str) -> None:
    """Raise if ``missing`` is unknown, or has no meaning beside the other arguments."""
    check_one_of(type(estimator).__name__, "missing", estimator.missing, ("error", "marginalize"))
    if estimator.missing == "error":
        return
    if TARGETS[target].classes:
        raise ValueError(
            "missing='marginalize' needs normal laws of (x, y), and classes have none; set "
            "missing='error' and impute, such as by features=SimpleImputer(add_indicator=True)."
        )
    check_marginal(estimator)


def check_init(init: Any, n_init: int) -> None:
    """Raise unless ``init`` is a known strategy or responsibilities."""
    known = ["auto", *STRATEGIES]
    if isinstance(init, str):
        if init not in known:
            raise ValueError(
                f"init={init!r} is not known; choose one of {known} or pass "
                "responsibilities of shape (n_samples, n_experts)."
            )
    elif np.ndim(init) != 2:
        raise ValueError(
            f"init must be one of {known} or responsibilities of shape (n_samples, "
            f"n_experts); got {type(init).__name__} with {np.ndim(init)} dimensions."
        )
    elif n_init not in (1, 10):
        raise ValueError(
            f"n_init={n_init} has no meaning when init gives the responsibilities of one "
            "start; leave n_init at its default or set it to 1."
        )


def given_responsibilities(init: Any, raw: RawData, n_experts: int) -> Floats:
    """Responsibilities (K, G) from an array for all of the user's rows, of which some count.

    Rows of a subject are averaged.
    """
    R, used = np.asarray(init, dtype=np.float64), raw.used
    if R.shape != (used.size, n_experts):
        raise ValueError(
            f"init has shape {np.shape(init)}, responsibilities need one row a sample "
            f"and one column an expert: ({used.size}, {n_experts})."
        )
    R = R[raw.user_rows]
    if not np.isfinite(R).all() or (R < 0.0).any() or not (R.sum(axis=1) > 0.0).all():
        raise ValueError("init must be finite, not negative, with a positive sum in every row.")
    R = (R / R.sum(axis=1, keepdims=True)).T
    return R if raw.subjects is None else raw.subjects.means(R)


def check_subjects(solver: Solver, missing: str = "error") -> None:
    """Raise if arguments have no meaning for groups of rows."""
    if missing != "error":
        raise ValueError(
            f"groups: a gate sees the mean of the rows of a group, and missing={missing!r} has no "
            "mean of what is missing; leave groups out, or set missing='error'."
        )
    if solver.objective_name not in ("likelihood", "classification likelihood"):
        raise ValueError(
            f"groups needs an objective that gives all rows of a group to one expert; {solver!r} "
            f"climbs {solver.objective_name}, which adds errors of single rows. Leave groups out, "
            "or use solver='em'."
        )


def with_instances(estimator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters to set, with instances of named components whose own parameters are set."""
    params = dict(params)
    for head in {name.partition("__")[0] for name in params if "__" in name}:
        if head in _REGISTRIES:
            value = params.get(head, getattr(estimator, head, None))
            if isinstance(value, str):
                params[head] = _instance(estimator, head, value)
        else:
            _name_in_list(estimator, params, head)
    return params


def named_component(estimator: Any, argument: str, value: Any) -> Any:
    """What a registered name stands for in an estimator; everything else as it is."""
    return _instance(estimator, argument, value) if isinstance(value, str) else value


def _instance(estimator: Any, argument: str, name: str) -> Any:
    """What a registered name stands for in this estimator."""
    registry, base = _REGISTRIES[argument]
    component = by_name(argument, name, registry, base)
    classes = TARGETS[estimator._target.kind].classes
    return component.for_classes(named=True) if classes and base is Gate else component


def _name_in_list(estimator: Any, params: dict[str, Any], head: str) -> None:
    """Put an instance in the place of the registered name of an expert of a list."""
    experts = params.get("expert", getattr(estimator, "expert", None))
    if not isinstance(experts, (list, tuple)) or head in params:
        return
    pairs = [
        (item[0], _instance(estimator, "expert", item[1]))
        if isinstance(item, (list, tuple)) and item[0] == head and isinstance(item[1], str)
        else item
        for item in experts
    ]
    if any(a is not b for a, b in zip(pairs, experts, strict=True)):
        params["expert"] = pairs


def describes_several(expert: Any) -> bool:
    """Whether all experts of an ``expert`` argument describe several outputs."""
    return all(describes_outputs(e) for e in components(expert))


def describes_intervals(expert: Any) -> bool:
    """Whether some expert of an ``expert`` argument is told ends between which y lies."""
    return any(described("intervals", e) for e in components(expert))


def scales_in_common(expert: Any) -> bool:
    """Whether outputs must be scaled by one factor: with spherical noise."""
    return not all(getattr(e, "own_scales", True) for e in components(expert))


def store_arguments(estimator: Any, arguments: dict[str, Any]) -> None:
    """Set the arguments of a constructor, its ``locals()``, as attributes, as they are."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)
