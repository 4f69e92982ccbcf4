"""Scorers: callables ``scorer(estimator, X, y)`` for ``scoring=``, higher is better.

They need more of an estimator than the one prediction a row that scikit-learn's ``make_scorer``
hands on; they take part in its metadata routing and in its older forwarding of sample weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import get_scorer as sklearn_scorer
from sklearn.metrics import get_scorer_names as sklearn_scorer_names
from sklearn.metrics import log_loss, mean_pinball_loss
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from moe_classic._arguments import check_fraction
from moe_classic._results import fitted_moe, inner_rows, numbered_subjects, subject_weights

from ._scores import (
    _mean,
    crps_samples,
    interval_coverage,
    interval_score,
    interval_width,
    pit_error,
    pit_values,
)

# ------------------------------------------------------------------------- what is scored


def _log_score(estimator: Any, X: Any, y: Any, sample_weight: Any, groups: Any = None) -> float:
    """Mean log density (log probability for classes), in nats; of rows, or of groups."""
    if is_classifier(estimator) and not hasattr(estimator, "score_samples"):
        check_is_fitted(estimator)
        if hasattr(estimator, "predict_proba"):
            _check_no_groups(groups, type(estimator).__name__)
            proba, classes = estimator.predict_proba(X), estimator.classes_
            return -float(log_loss(y, proba, sample_weight=sample_weight, labels=classes))
    moe = fitted_moe(estimator, needs="score_samples", caller="log_score")
    rows = inner_rows(estimator, X)
    if groups is None:
        return _mean(moe.score_samples(rows, y), sample_weight)
    values = moe.score_samples(rows, y, groups=groups)
    if sample_weight is None:
        return _mean(values, None)
    numbers, names = numbered_subjects(groups, len(np.asarray(groups)))
    w = np.asarray(_check_sample_weight(sample_weight, numbers, dtype=np.float64))
    return _mean(values, subject_weights(numbers, names, w))


def _check_no_groups(groups: Any, who: str) -> None:
    """Raise if groups were handed to what scores single rows."""
    if groups is not None:
        raise ValueError(
            f"groups has no meaning for {who}, which scores single rows; get_scorer('log_score') "
            "of a mixture of experts scores groups. Say set_score_request(groups=False)."
        )


def _crps(estimator: Any, X: Any, y: Any, sample_weight: Any) -> float:
    """Mean CRPS."""
    return _mean(crps_samples(estimator, X, y), sample_weight)


def _pinball(estimator: Any, X: Any, y: Any, sample_weight: Any, quantile: Any = 0.5) -> float:
    """Mean pinball loss of predicted quantiles, averaged over ``quantile``."""
    levels = [check_fraction("quantile", q) for q in np.atleast_1d(quantile)]
    moe = fitted_moe(estimator, needs="predict_quantile", caller="pinball_loss")
    found = moe.predict_quantile(inner_rows(estimator, X), levels)
    losses = [
        mean_pinball_loss(y, found[..., i], sample_weight=sample_weight, alpha=q)
        for i, q in enumerate(levels)
    ]
    return float(np.mean(losses))


def _central(estimator: Any, X: Any, coverage: float) -> Any:
    """Central prediction intervals."""
    check_fraction("coverage", coverage)
    moe = fitted_moe(estimator, needs="predict_interval", caller="an interval score")
    return moe.predict_interval(inner_rows(estimator, X), coverage)


def _interval_score(
    estimator: Any, X: Any, y: Any, sample_weight: Any, coverage: float = 0.9
) -> float:
    """Mean interval score."""
    ends = _central(estimator, X, coverage)
    return interval_score(y, ends, coverage=coverage, sample_weight=sample_weight)


def _interval_width(
    estimator: Any, X: Any, y: Any, sample_weight: Any, coverage: float = 0.9
) -> float:
    """Mean width; y is not looked at."""
    return interval_width(_central(estimator, X, coverage), sample_weight=sample_weight)


def _interval_coverage(
    estimator: Any, X: Any, y: Any, sample_weight: Any, coverage: float = 0.9
) -> float:
    """Share of targets inside."""
    return interval_coverage(y, _central(estimator, X, coverage), sample_weight=sample_weight)


def _coverage_error(
    estimator: Any, X: Any, y: Any, sample_weight: Any, coverage: float = 0.9
) -> float:
    """Distance of the coverage from the nominal one."""
    return abs(_interval_coverage(estimator, X, y, sample_weight, coverage) - coverage)


def _pit_error(estimator: Any, X: Any, y: Any, sample_weight: Any) -> float:
    """Distance of the PIT values from the uniform distribution."""
    return pit_error(pit_values(estimator, X, y, random_state=0), sample_weight=sample_weight)


# ------------------------------------------------------------------------- scorers


class MixtureScorer:
    """A callable ``scorer(estimator, X, y, sample_weight=None, groups=None)`` for ``scoring=``.

    Get one from :func:`get_scorer` by name, or take one of this module's ready-made objects.
    Sample weights reach it in the ways they reach scikit-learn's own: through
    ``GridSearchCV.fit(..., sample_weight=w)``, or through metadata routing after
    ``scorer.set_score_request(sample_weight=True)``. Groups reach ``"log_score"``, alone of all,
    through metadata routing after ``set_score_request(groups=True)``: it is then the mean over
    the groups of the log density of all rows of each, which belong to one expert.

    Parameters
    ----------
    name : str
        Name in the table of :func:`get_scorer_names`.
    value : callable
        ``value(estimator, X, y, sample_weight, **options)``.
    sign : {1, -1}
        -1 for losses, which are negated.
    options : mapping
        Keyword arguments of ``value``.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.metrics import neg_crps_scorer
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> scores = cross_val_score(MoERegressor(2, random_state=0), X, y, scoring=neg_crps_scorer)
    >>> scores.shape
    (5,)
    """

    options: dict[str, Any]

    def __init__(
        self, name: str, value: Callable[..., float], sign: int, options: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.value = value
        self.sign = sign
        self.options = dict(options)

    def __call__(
        self, estimator: Any, X: Any, y: Any, *, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Score of a fitted estimator; higher is better.

        Parameters
        ----------
        estimator : fitted estimator
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
            Subjects of the rows, of ``"log_score"`` alone; weights must be alike within a group.

        Returns
        -------
        score : float

        Raises
        ------
        ValueError
            If there are groups, and single rows are scored.
        """
        options = self.options
        if groups is not None:
            if not self._scores_groups:
                _check_no_groups(groups, repr(self))
            options = {**options, "groups": groups}
        return self.sign * self.value(estimator, X, y, sample_weight, **options)

    @property
    def _scores_groups(self) -> bool:
        """Whether groups have a meaning."""
        return "groups" in signature(self.value).parameters

    def __repr__(self) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.options.items())
        return f"get_scorer({self.name!r}{options})"

    # -------------------------------------------------------------------- sample weights

    def _accept_sample_weight(self) -> bool:
        """Whether a search without metadata routing may hand its sample weights on."""
        return True

    def _routing_repr(self) -> str:
        """Name in messages of metadata routing."""
        return repr(self)

    def get_metadata_routing(self) -> MetadataRequest:
        """What this scorer asks for in scikit-learn's metadata routing.

        Returns
        -------
        request : MetadataRequest
        """
        if hasattr(self, "_metadata_request"):
            return get_routing_for_object(self._metadata_request)
        return self._request(None, None)

    def _request(self, sample_weight: Any, groups: Any) -> MetadataRequest:
        """What is asked for."""
        request = MetadataRequest(owner=self)
        request.score.add_request(param="sample_weight", alias=sample_weight)
        if self._scores_groups:
            request.score.add_request(param="groups", alias=groups)
        return request

    def set_score_request(self, *, sample_weight: Any = None, groups: Any = None) -> MixtureScorer:
        """Say whether sample weights and groups are wanted, for scikit-learn's metadata routing.

        Parameters
        ----------
        sample_weight : True, False, None or str, default=None
            True: use them if given; False: ignore them; None: their presence is an error; a
            string: use the metadata of that name.
        groups : True, False, None or str, default=None
            The same of groups, which ``"log_score"`` alone can use.

        Returns
        -------
        self : MixtureScorer

        Raises
        ------
        ValueError
            If groups are wanted by what scores single rows.
        """
        if groups and not self._scores_groups:
            _check_no_groups(groups, repr(self))
        self._metadata_request = self._request(sample_weight, groups)
        return self


log_score_scorer: MixtureScorer = MixtureScorer("log_score", _log_score, 1, {})
neg_crps_scorer: MixtureScorer = MixtureScorer("neg_crps", _crps, -1, {})
neg_pinball_loss_scorer: MixtureScorer = MixtureScorer(
    "neg_pinball_loss", _pinball, -1, {"quantile": 0.5}
)
neg_interval_score_scorer: MixtureScorer = MixtureScorer(
    "neg_interval_score", _interval_score, -1, {"coverage": 0.9}
)
neg_interval_width_scorer: MixtureScorer = MixtureScorer(
    "neg_interval_width", _interval_width, -1, {"coverage": 0.9}
)
interval_coverage_scorer: MixtureScorer = MixtureScorer(
    "interval_coverage", _interval_coverage, 1, {"coverage": 0.9}
)
neg_coverage_error_scorer: MixtureScorer = MixtureScorer(
    "neg_coverage_error", _coverage_error, -1, {"coverage": 0.9}
)
neg_pit_error_scorer: MixtureScorer = MixtureScorer("neg_pit_error", _pit_error, -1, {})

_SCORERS = {
    scorer.name: scorer
    for scorer in (
        interval_coverage_scorer,
        log_score_scorer,
        neg_coverage_error_scorer,
        neg_crps_scorer,
        neg_interval_score_scorer,
        neg_interval_width_scorer,
        neg_pinball_loss_scorer,
        neg_pit_error_scorer,
    )
}


def get_scorer_names() -> list[str]:
    """Names that :func:`get_scorer` adds to those of scikit-learn.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> from moe_classic.metrics import get_scorer_names
    >>> get_scorer_names()[:3]
    ['interval_coverage', 'log_score', 'neg_coverage_error']
    """
    return sorted(_SCORERS)


def get_scorer(scoring: Any, **options: Any) -> Any:
    """A scorer by name, or several by their names, for ``scoring=``.

    ==================== =======================================================================
    name                 mean over rows of
    ==================== =======================================================================
    log_score            log density, or log probability of the class, in nats; of classes for any
                         estimator with ``predict_proba``; with groups the mean over these
    neg_crps             minus the continuous ranked probability score
    neg_pinball_loss     minus the pinball loss; option ``quantile=0.5``, or a list of levels
    neg_interval_score   minus the interval score; option ``coverage=0.9``, as below
    neg_interval_width   minus the width of the central interval: sharpness, no score by itself
    interval_coverage    hits of the central interval: to report; higher is not always better
    neg_coverage_error   (of the mean) minus the distance of the coverage from the nominal one
    neg_pit_error        (of all rows) minus Kolmogorov's distance of the PIT from uniform
    ==================== =======================================================================

    For two classes the CRPS is the Brier score, scikit-learn's ``"neg_brier_score"``.

    Parameters
    ----------
    scoring : str, scorer, or sequence of str
        A name of the table or of scikit-learn's; a scorer comes back as it is; a sequence of names
        gives a dict of scorers, as ``cross_validate`` takes it.
    **options : float
        Of the scorer; only for a single name of the table.

    Returns
    -------
    scorer : callable, or dict of callables
        A copy: ``set_score_request`` on it does not change anything else.

    Raises
    ------
    ValueError
        If a name is not known, or has no such option.

    Examples
    --------
    >>> from moe_classic.metrics import get_scorer
    >>> get_scorer("neg_pinball_loss", quantile=0.9)
    get_scorer('neg_pinball_loss', quantile=0.9)
    >>> sorted(get_scorer(["log_score", "r2"]))
    ['log_score', 'r2']
    """
    if isinstance(scoring, str) and scoring in _SCORERS:
        scorer = deepcopy(_SCORERS[scoring])
        _check_options(scoring, options, scorer.value)
        scorer.options |= options
        return scorer
    if options:
        raise ValueError(
            f"scoring={scoring!r} takes no options, got {sorted(options)}; options belong to one "
            f"of {get_scorer_names()}."
        )
    if isinstance(scoring, str):
        if scoring not in sklearn_scorer_names():
            raise ValueError(
                f"scoring={scoring!r} is not known; choose one of {get_scorer_names()} or of "
                "sklearn.metrics.get_scorer_names()."
            )
        return sklearn_scorer(scoring)
    if isinstance(scoring, (list, tuple, set)):
        return {name: get_scorer(name) for name in scoring}
    return scoring


def _check_options(name: str, options: dict[str, Any], value: Callable[..., float]) -> None:
    """Raise for options that the scorer does not have."""
    known = [name for name in list(signature(value).parameters)[4:] if name != "groups"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"scoring={name!r} has no option {unknown}; it has {known or 'none'}.")
    for option, given in options.items():
        for number in np.atleast_1d(given):
            check_fraction(option, number)
