"""The models that the command line compares: families, with every number of experts."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from moe_classic.estimators import MoEClassifier, MoERegressor

from .families import fitting_families, suited_families
from .table import Table, UsageError

#: For each task its estimator.
TASKS: dict[str, Any] = {"regression": MoERegressor, "classification": MoEClassifier}


def chosen_families(table: Table, args: argparse.Namespace) -> list[str]:
    """Expert families to compare: those that the user names, or that suit the target."""
    return list(dict.fromkeys(args.experts or suited_families(table.y, table.task).families))


def check_families(table: Table, args: argparse.Namespace) -> None:
    """Raise if a family does not describe the target."""
    right = fitting_families(table.y, table.task)
    for family in chosen_families(table, args):
        if family not in right:
            raise UsageError(
                f"{family} experts do not describe the {table.task} target {table.target!r}; "
                f"choose --experts of: {', '.join(right)}."
            )


def candidates(table: Table, args: argparse.Namespace) -> Iterator[Any]:
    """All models, few experts first, not fitted."""
    estimator = TASKS[table.task]
    for K in sorted(set(args.n_experts)):
        for family in chosen_families(table, args):
            options = {"gate": args.gate, "n_init": args.n_init, "random_state": args.seed}
            yield estimator(K, expert=family, **options)
