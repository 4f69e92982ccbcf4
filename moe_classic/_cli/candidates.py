"""The models that the command line compares: a table of families, with every number of experts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic.estimators import MoEClassifier, MoERegressor
from moe_classic.experts import EXPERTS

from .table import Table, UsageError


def _any(y: np.ndarray) -> bool:
    """Every target will do."""
    return True


@dataclass(frozen=True)
class Family:
    """A family of experts that is compared unless the user names some.

    Attributes
    ----------
    name : registered name of the expert
    task : {"regression", "classification"}
    describes : whether a target (n,) of this task is worth a try
    """

    name: str
    task: str
    describes: Callable[[np.ndarray], bool] = _any


#: What is compared, in this order, where nothing is said.
FAMILIES = (
    Family("gaussian", "regression"),
    Family("laplace", "regression"),
    Family("student_t", "regression"),
    Family("multinomial", "classification"),
)
#: For each task its estimator, and the kind of target of its experts.
TASKS: dict[str, tuple[Any, str]] = {
    "regression": (MoERegressor, "real"),
    "classification": (MoEClassifier, "class"),
}


def usual(task: str) -> list[str]:
    """Names of the families that are compared for any target of a task."""
    return [f.name for f in FAMILIES if f.task == task and f.describes is _any]


def families(table: Table, args: argparse.Namespace) -> list[str]:
    """Expert families to compare."""
    fitting = [f.name for f in FAMILIES if f.task == table.task and f.describes(table.y)]
    return list(dict.fromkeys(args.experts or fitting))


def check_families(table: Table, args: argparse.Namespace) -> None:
    """Raise if a family does not describe the target."""
    kind = TASKS[table.task][1]
    for family in families(table, args):
        if EXPERTS[family].target != kind:
            right = sorted(f for f, expert in EXPERTS.items() if expert.target == kind)
            raise UsageError(
                f"{family} experts do not describe the {table.task} target {table.target!r}; "
                f"choose --experts of: {', '.join(right)}."
            )


def candidates(table: Table, args: argparse.Namespace) -> Iterator[Any]:
    """All models, few experts first, not fitted."""
    estimator = TASKS[table.task][0]
    for K in sorted(set(args.n_experts)):
        for family in families(table, args):
            options = {"gate": args.gate, "n_init": args.n_init, "random_state": args.seed}
            yield estimator(K, expert=family, **options)
