"""What comparisons of models can say of rows in the partitions of Dask collections."""

from __future__ import annotations

from typing import Any

from moe_classic._data import is_dask

from ._path import Steps


def check_partitioned(steps: Steps, criterion: str, n_jobs: Any, weight_kind: str) -> None:
    """Raise, before any pass, where such rows are not enough."""
    reasons = {
        "criterion='log_score' holds rows out, which need to be in memory; use 'bic'": (
            criterion == "log_score"
        ),
        "n_jobs has no meaning, the cluster works side by side; leave it out": n_jobs is not None,
        "weight_kind='precision' needs all weights at once; divide sample_weight by its mean": (
            weight_kind != "frequency"
        ),
        "steps before the model would need all rows at once; fit them to a sample first": (
            steps.pipeline is not None
        ),
    }
    for reason, wrong in reasons.items():
        if wrong:
            raise ValueError(f"select with Dask collections: {reason}.")


def check_path(criterion: str) -> None:
    """Raise where a path would have to hold rows out."""
    if criterion == "log_score":
        raise ValueError(
            "path with Dask collections: criterion='log_score' holds rows out, which need to be in "
            "memory; use 'ebic'."
        )


def refuse_partitions(name: str, *values: Any) -> None:
    """Raise where rows have to be in memory."""
    if is_dask(*values):
        raise TypeError(
            f"{name} draws halves of the rows and needs them in memory, and some of what was given "
            "is a Dask collection; pass a sample of it, such as X.sample(frac=0.1).compute()."
        )
