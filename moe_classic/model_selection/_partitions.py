"""What comparisons of models can say of rows in the partitions of Dask collections."""

from __future__ import annotations

from typing import Any

from ._path import Steps


def check_partitioned(
    steps: Steps, criterion: str, alphas: Any, n_jobs: Any, weight_kind: str, groups: Any
) -> None:
    """Raise, before any pass, where such rows are not enough."""
    reasons = {
        "criterion='log_score' holds rows out, which need to be in memory; use 'bic'": (
            criterion == "log_score"
        ),
        "alphas: paths of penalties need rows in memory; leave alphas out": (
            alphas is not None or criterion == "ebic"
        ),
        "n_jobs has no meaning, the cluster works side by side; leave it out": n_jobs is not None,
        "weight_kind='precision' needs all weights at once; divide sample_weight by its mean": (
            weight_kind != "frequency"
        ),
        "groups has no meaning, partitions may cut a group; leave it out": groups is not None,
        "steps before the model would need all rows at once; fit them to a sample first": (
            steps.pipeline is not None
        ),
    }
    for reason, wrong in reasons.items():
        if wrong:
            raise ValueError(f"select with Dask collections: {reason}.")
