"""What estimators inside a mixture had to say: failed fits and warnings, once a fit."""

from __future__ import annotations

import warnings

from sklearn.exceptions import FitFailedWarning

from moe_classic._adapters import emit_warnings
from moe_classic._model import Model, MoEParams


def report_fits(model: Model, params: MoEParams, labels: list[str]) -> None:
    """Warn of experts whose last refit failed, and give the estimators' own warnings."""
    errors, fitted = _outcomes(model, params)
    for label, error, known in zip(labels, errors, fitted, strict=True):
        if error is not None:
            warn_failure(label, error, "its last fit" if known else "what y is on average")
    emit_warnings(model.gate.notices(params.gate), stacklevel=5)
    for group, p in zip(model.groups, params.experts, strict=True):
        emit_warnings(group.expert.notices(p), stacklevel=5)


def check_fitted_experts(model: Model, params: MoEParams, labels: list[str]) -> None:
    """Raise if no expert was ever fitted."""
    errors, fitted = _outcomes(model, params)
    if not any(fitted):
        raise ValueError(f"No expert could be fitted; {labels[0]} raised {errors[0]}")


def _outcomes(model: Model, params: MoEParams) -> tuple[list[str | None], list[bool]]:
    """Errors of the last refits of all experts, and which experts were ever fitted."""
    errors: list[str | None] = []
    fitted: list[bool] = []
    for group, p in zip(model.groups, params.experts, strict=True):
        errors += group.expert.failures(p)
        fitted += group.expert.fitted(p)
    return errors, fitted


def warn_failure(label: str, error: str, instead: str) -> None:
    """Warn that an expert could not be fitted, and say what it predicts by instead."""
    warnings.warn(
        f"{label} could not be fitted and predicts by {instead}; the others are not touched. "
        f"{error}",
        FitFailedWarning,
        stacklevel=6,
    )
