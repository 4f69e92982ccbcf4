"""The best fits along paths of penalties, one for each number of experts."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from moe_classic._results import fitted_mixture

from ._path import PathFit
from ._regularization import path

#: What chooses on a path where the number of experts is chosen by the key.
_WITHIN = {"aic": "aic", "bic": "bic", "icl": "bic", "ebic": "ebic", "log_score": "ebic"}


def penalised_fits(
    template: Any, counts: list[int], alphas: Any, criterion: str, X: Any, y: Any, w: Any
) -> list[PathFit]:
    """The chosen fit of a path for each number of experts."""
    return [_chosen(template, K, alphas, criterion, X, y, w) for K in counts]


def _chosen(
    template: Any, n_experts: int, alphas: Any, criterion: str, X: Any, y: Any, w: Any
) -> PathFit:
    """The chosen fit of one path."""
    found = path(
        X,
        y,
        estimator=template,
        n_experts=n_experts,
        alphas=alphas,
        criterion=_WITHIN[criterion],
        sample_weight=w,
    )
    record: Any = fitted_mixture(found.best_estimator_)
    row, fit = found.table.iloc[found.best_index_], found.best_estimator_
    strengths = {"expert__penalty__alpha": float(row.alpha)}
    if getattr(template.gate, "sparse", False):
        strengths["gate__penalty__alpha"] = float(row.alpha * row.gate_ratio)
    asked = clone(template).set_params(n_experts=n_experts, **strengths)
    start = f"path, alpha={row.alpha:.3g}"
    return PathFit(fit, start, record.n_degenerate, asked, float(row.ebic))
