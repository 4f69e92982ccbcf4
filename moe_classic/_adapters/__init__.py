"""scikit-learn's estimators inside a mixture: how they are fitted and what they say."""

from .fitting import (
    FIT_ERRORS,
    Job,
    Notices,
    check_prefit,
    check_proba,
    class_places,
    count_parameters,
    fed,
    is_estimator,
    outputs_of,
    proba_of,
    run_jobs,
    show,
    side_by_side,
    target_of,
)
from .layers import Layers, layers_of
from .linear_form import LinearForm, linear_log_odds, linear_margin, linear_mean

__all__ = [
    "FIT_ERRORS",
    "Job",
    "Layers",
    "LinearForm",
    "Notices",
    "check_prefit",
    "check_proba",
    "class_places",
    "count_parameters",
    "fed",
    "is_estimator",
    "layers_of",
    "linear_log_odds",
    "linear_margin",
    "linear_mean",
    "outputs_of",
    "proba_of",
    "run_jobs",
    "show",
    "side_by_side",
    "target_of",
]
