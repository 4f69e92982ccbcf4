"""scikit-learn's estimators inside a mixture: how they are fitted and what they say."""

from .fitting import (
    FIT_ERRORS,
    FitTask,
    Notices,
    check_prefit,
    check_proba,
    class_places,
    count_parameters,
    emit_warnings,
    fit_all,
    is_estimator,
    outputs_of,
    parallel_map,
    proba_of,
    redundant_coefficients,
    run_jobs,
    target_of,
    with_feature_names,
)
from .layers import Layers, layers_of
from .linear_form import LinearForm, linear_log_odds, linear_margin, linear_mean

__all__ = [
    "FIT_ERRORS",
    "FitTask",
    "Layers",
    "LinearForm",
    "Notices",
    "check_prefit",
    "check_proba",
    "class_places",
    "count_parameters",
    "emit_warnings",
    "fit_all",
    "is_estimator",
    "layers_of",
    "linear_log_odds",
    "linear_margin",
    "linear_mean",
    "outputs_of",
    "parallel_map",
    "proba_of",
    "redundant_coefficients",
    "run_jobs",
    "target_of",
    "with_feature_names",
]
