"""Experts that could not be fitted: which, why, and what stands in their place."""

from __future__ import annotations

import warnings

from sklearn.exceptions import FitFailedWarning

from moe_classic._model import Model, MoEParams


def report_failures(model: Model, params: MoEParams, labels: list[str]) -> None:
    """Warn of every expert whose last refit failed; raise if no expert was ever fitted."""
    notes: list[str | None] = []
    fitted: list[bool] = []
    for group, p in zip(model.groups, params.experts, strict=True):
        if hasattr(group.expert, "notes"):
            notes += group.expert.notes(p)
            fitted += [e is not None for e in p.estimators]
        else:
            notes += [None] * group.count
            fitted += [True] * group.count
    if not any(fitted):
        raise ValueError(f"No expert could be fitted; {labels[0]} raised {notes[0]}")
    for label, note, known in zip(labels, notes, fitted, strict=True):
        warn_failure(label, note, "its last fit" if known else "the mean of y")


def warn_failure(label: str, note: str | None, instead: str) -> None:
    """Warn that ``label`` could not be fitted and what it predicts instead; None is silent."""
    if note is None:
        return
    warnings.warn(
        f"{label} could not be fitted and predicts by {instead}; the rest is kept. {note}",
        FitFailedWarning,
        stacklevel=5,
    )
