"""Scores of predictive distributions, and scorers for searches and cross-validation."""

from ._scorers import (
    MixtureScorer,
    get_scorer,
    get_scorer_names,
    interval_coverage_scorer,
    log_score_scorer,
    neg_coverage_error_scorer,
    neg_crps_scorer,
    neg_interval_score_scorer,
    neg_interval_width_scorer,
    neg_pinball_loss_scorer,
    neg_pit_error_scorer,
)
from ._scores import (
    crps_mixture,
    crps_samples,
    interval_coverage,
    interval_score,
    interval_width,
    pit_error,
    pit_values,
)

__all__ = [
    "MixtureScorer",
    "crps_mixture",
    "crps_samples",
    "get_scorer",
    "get_scorer_names",
    "interval_coverage",
    "interval_coverage_scorer",
    "interval_score",
    "interval_width",
    "log_score_scorer",
    "neg_coverage_error_scorer",
    "neg_crps_scorer",
    "neg_interval_score_scorer",
    "neg_interval_width_scorer",
    "neg_pinball_loss_scorer",
    "neg_pit_error_scorer",
    "pit_error",
    "pit_values",
]
