"""How many experts, of which family, under which gate.

Likelihoods of mixtures with K and K + 1 experts do not differ by a chi-squared variable: under the
smaller model the parameters of the larger one are not identified. So models are compared by
information criteria or by the log score of held-out rows (:func:`select`), and tested against each
other by simulation (:func:`bootstrap_lrt`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GroupKFold, check_cv
from sklearn.utils import _safe_indexing

from moe_classic._arguments import counts_of
from moe_classic._data import is_dask
from moe_classic._results import PrintedTable, Section, number, numbered_subjects, subject_weights
from moe_classic._typing import Floats, Ints
from moe_classic.estimators import MoERegressor

from ._path import PathFit, Steps, checked_counts, checked_template, fresh_fits, path

_CRITERIA = ("bic", "aic", "icl", "log_score")


# ------------------------------------------------------------------------- select


@dataclass(frozen=True)
class Selection:
    """What a comparison of models found.

    Attributes
    ----------
    table : DataFrame
        One row a model: ``expert``, ``gate``, ``n_experts``, ``n_parameters``,
        ``log_likelihood`` (conditional, of the training rows), ``objective`` (what was climbed: of
        (x, y) jointly under a Gaussian gate, minus penalties), ``aic``, ``bic``, ``icl``; with
        ``criterion="log_score"`` the mean ``log_score`` of held-out rows and its standard error;
        ``delta``, the criterion's distance to the best; which ``start`` won, whether the fit
        ``converged``, and how many ``degenerate_experts`` interpolate their rows. Models with such
        experts are not chosen unless there is no other.
    best_index_ : int
        Row of the table that was chosen.
    best_estimator_ : estimator
        Its fit to all rows; a pipeline where the template was one.
    best_params_ : dict
        Its ``n_experts``, ``expert`` and ``gate``.
    criterion : str

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.model_selection import select
    >>> X, y = load_tone(return_X_y=True)
    >>> chosen = select(X, y, n_experts=[1, 2])
    >>> chosen.best_estimator_.n_experts
    2
    """

    table: pd.DataFrame
    best_index_: int
    best_estimator_: Any
    best_params_: dict[str, Any]
    criterion: str

    def summary(self) -> PrintedTable:
        """The comparison as a page: printed, HTML in a notebook, LaTeX.

        Returns
        -------
        page : PrintedTable
            A block a family, the chosen model marked by a star.
        """
        table, name = self.table, self.criterion
        cells = pd.DataFrame(
            {
                "parameters": table["n_parameters"].astype(str),
                "log-likelihood": [f"{v:.2f}" for v in table["log_likelihood"]],
                name.upper() if name != "log_score" else "log score": [
                    number(v) if name == "log_score" else f"{v:.2f}" for v in table[name]
                ],
                "delta": [f"{v:.2f}" for v in table["delta"]],
                "": ["*" if i == self.best_index_ else "" for i in range(len(table))],
            }
        )
        set_aside = table["degenerate_experts"].to_numpy() > 0
        cells.loc[set_aside, ""] = "[a]"
        cells.index = pd.Index([f"{K} expert{'s'[: K > 1]}" for K in table["n_experts"]])
        groups = table.groupby(["expert", "gate"], sort=False).indices
        sections = [Section(f"{e}, {g} gate", cells.iloc[rows]) for (e, g), rows in groups.items()]
        notes = ["* chosen"]
        if set_aside.any():
            notes.append("[a] some expert interpolates its rows: not compared with the others")
        chosen = table.iloc[self.best_index_]
        header = (
            ("criterion", name.replace("_", " ")),
            ("chosen", f"{chosen['n_experts']} x {chosen['expert']}, {chosen['gate']} gate"),
        )
        return PrintedTable("Comparison of models", header, tuple(sections), tuple(notes))

    def __str__(self) -> str:
        """The page."""
        return str(self.summary())

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.summary().to_html()


@dataclass(frozen=True)
class _Task:
    """A path over K for one family, on all rows or on the training rows of a fold."""

    template: Any
    counts: list[int]
    X: Any
    y: Any
    w: Floats | None
    groups: np.ndarray | None

    def fits(self) -> list[PathFit]:
        """Fits for the asked numbers of experts."""
        low, high = self.counts[0], self.counts[-1]
        grown = path if not is_dask(self.X) else fresh_fits
        fits = grown(self.template, low, high, self.X, self.y, self.w, self.groups)
        return [fit for K, fit in zip(range(low, high + 1), fits, strict=True) if K in self.counts]

    def scores(self, X: Any, y: Any, groups: np.ndarray | None) -> Floats:
        """Log densities (n_counts, n_test) of held-out rows, or groups."""
        return np.array([f.estimator.score_samples(X, y, groups=groups) for f in self.fits()])


def select(
    X: Any,
    y: Any,
    *,
    estimator: Any = None,
    n_experts: Iterable[int] = range(1, 6),
    experts: Sequence[Any] | None = None,
    gates: Sequence[Any] | None = None,
    criterion: str = "bic",
    cv: Any = None,
    sample_weight: Any = None,
    n_jobs: int | None = None,
    weight_kind: str = "frequency",
    groups: Any = None,
) -> Selection:
    """Choose the number of experts, their family and the gate.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Or a Dask collection, like y and weights: fits then begin from their own starts alone.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    estimator : MoERegressor or MoEClassifier, default=None
        Template whose other arguments all models share; None is ``MoERegressor()``. Or a pipeline
        that ends in one: steps before it are fitted once, and to the training rows of a fold.
    n_experts : iterable of int, default=range(1, 6)
        Numbers of experts to compare. Every fit also starts from splits of the fit with one expert
        less, so that the objective never falls from K to K + 1 (with penalties on experts: never
        by more than the penalty of a copied expert).
    experts, gates : sequence of names or instances, default=None
        Families to compare; None keeps the template's.
    criterion : {"bic", "aic", "icl", "log_score"}, default="bic"
        The first three are lower for better models; ``"log_score"``, the mean log density of
        held-out rows, is higher.
    cv : int, splitter or iterable, default=None
        Folds for ``criterion="log_score"``; None means 5. With ``groups``, of whole groups.
    sample_weight : array-like of shape (n_samples,), default=None
    n_jobs : int or None, default=None
        Processes over families and folds.
    weight_kind : {"frequency", "precision"}, default="frequency"
        What weights are, as for :func:`moe_classic.inference.inference`: how often a row stands
        for itself, or ``1 / error^2``, of which only the ratios mean something. Precisions are
        given to the fits with mean 1, so that the criteria count rows.
    groups : array-like of shape (n_samples,), default=None
        Labels of the subjects that rows were measured on, as for ``fit``. BIC and ICL then count
        groups, and ``"log_score"`` is a mean over held-out groups.

    Returns
    -------
    selection : Selection

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used.

    Warns
    -----
    UserWarning
        If every model has experts that interpolate their rows.

    References
    ----------
    Schwarz (1978), Estimating the dimension of a model, Annals of Statistics 6. Biernacki, Celeux
    & Govaert (2000), Assessing a mixture model for clustering with the integrated completed
    likelihood, IEEE Transactions on Pattern Analysis and Machine Intelligence 22.

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.model_selection._select import select
    >>> X, y = load_tone(return_X_y=True)
    >>> chosen = select(X, y, n_experts=[1, 2])
    >>> chosen.best_params_["n_experts"]
    2
    """
    steps, template = Steps.of(MoERegressor() if estimator is None else estimator)
    template = checked_template(template)
    counts = checked_counts(n_experts)
    if criterion not in _CRITERIA:
        raise ValueError(f"criterion={criterion!r} is not known; choose one of {_CRITERIA}.")
    if cv is not None and criterion != "log_score":
        raise ValueError(
            f"cv={cv!r} has no meaning with criterion={criterion!r}, which needs no held-out rows; "
            "leave it out or use criterion='log_score'."
        )
    families = _families(template, experts, gates)
    lazy = is_dask(X, y, sample_weight, groups)
    if lazy:
        _check_lazy(steps, criterion, n_jobs, weight_kind, groups)
    sample_weight = counts_of(sample_weight, weight_kind)
    w = sample_weight
    if w is not None and not lazy:
        w = np.asarray(sample_weight, dtype=np.float64)
    labels = None if groups is None else np.asarray(groups)
    given, (steps, X) = X, steps.fit(X, y)
    tasks = [_Task(family, counts, X, y, w, labels) for family in families]
    fits = Parallel(n_jobs=n_jobs)(delayed(task.fits)() for task in tasks)
    rows = [_row(fit, X, y, w, labels) for path_ in fits for fit in path_]
    table = pd.DataFrame(rows)
    if criterion == "log_score":
        folds = _Folds(steps, given, 5 if cv is None else cv, n_jobs)
        table = _with_log_scores(table, tasks, folds)
    best = _best(table, criterion)
    sign = -1.0 if criterion == "log_score" else 1.0
    delta = sign * (table[criterion] - table[criterion][best])
    table.insert(table.columns.get_loc("start"), "delta", delta)
    chosen = [fit.estimator for path_ in fits for fit in path_][best]
    params = {name: getattr(chosen, name) for name in ("n_experts", "expert", "gate")}
    return Selection(table, best, steps.whole(chosen), params, criterion)


def _check_lazy(steps: Steps, criterion: str, n_jobs: Any, weight_kind: str, groups: Any) -> None:
    """Raise, before any pass, where rows in Dask's partitions are not enough."""
    reasons = {
        "criterion='log_score' holds rows out, which need to be in memory; use 'bic'": (
            criterion == "log_score"
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


def _families(template: Any, experts: Any, gates: Any) -> list[Any]:
    """A template for every pair of expert and gate."""
    families = []
    for expert in _listed("experts", experts, template.expert):
        if isinstance(expert, (list, tuple)):
            raise ValueError(
                f"expert={expert!r} lists unlike experts, whose number is not free; name one "
                "family, such as 'gaussian'."
            )
        families += [
            clone(template).set_params(expert=expert, gate=gate)
            for gate in _listed("gates", gates, template.gate)
        ]
    return families


def _listed(name: str, values: Any, default: Any) -> list[Any]:
    """Components to compare."""
    if values is None:
        return [default]
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name}={values!r} must be a sequence, such as [{values!r}].")
    components = list(values)
    titles = [_title(v) for v in components]
    if not components or len(set(titles)) < len(titles):
        raise ValueError(f"{name}={values!r} must name at least one component, none of them twice.")
    return components


def _title(component: Any) -> str:
    """What a component is called in the table."""
    return component if isinstance(component, str) else " ".join(repr(component).split())


def _row(
    fit: PathFit, X: Any, y: Any, w: Floats | None, groups: np.ndarray | None
) -> dict[str, Any]:
    """Row of the table."""
    estimator = fit.estimator
    return {
        "expert": _title(estimator.expert),
        "gate": _title(estimator.gate),
        "n_experts": estimator.n_experts,
        "n_parameters": estimator.n_parameters_,
        "log_likelihood": estimator.log_likelihood_,
        "objective": fit.objective,
        "aic": estimator.aic(X, y, w, groups=groups),
        "bic": estimator.bic(X, y, w, groups=groups),
        "icl": estimator.icl(X, y, w, groups=groups),
        "start": fit.start,
        "converged": estimator.converged_,
        "degenerate_experts": fit.degenerate,
    }


def _best(table: pd.DataFrame, criterion: str) -> int:
    """Row with the best criterion; of equals, the one with fewest parameters."""
    sound = table[table.degenerate_experts == 0]
    if sound.empty:
        warnings.warn(
            "In every model some experts interpolate their rows, so that likelihoods depend on "
            "min_scale. Raise min_scale, use fewer experts, or look for repeated rows.",
            UserWarning,
            stacklevel=3,
        )
        sound = table
    values = sound[criterion] * (-1.0 if criterion == "log_score" else 1.0)
    near = sound[values <= values.min() + 1e-9 * abs(values.min())]
    return int(near.n_parameters.idxmin())


def _weights(w: Floats | None, groups: np.ndarray | None, test: Ints) -> Floats:
    """Weights of held-out rows, or groups in the order of their labels."""
    own = np.ones(len(test)) if w is None else w[test]
    if groups is None:
        return own
    return subject_weights(*numbered_subjects(groups[test], len(test)), own)


@dataclass(frozen=True)
class _Folds:
    """How rows are held out: steps before the model are fitted to the others alone."""

    steps: Steps
    X: Any
    cv: Any
    n_jobs: int | None

    def folds(self, y: Any, groups: np.ndarray | None, *, classifier: bool) -> list[Any]:
        """Rows to fit to and rows to hold out, of whole groups where there are any."""
        grouped = isinstance(self.cv, int) and groups is not None
        cv = GroupKFold(self.cv) if grouped else check_cv(self.cv, y, classifier=classifier)
        return list(cv.split(self.X, y, groups))

    def split(self, train: Any, test: Any, y: Any) -> tuple[Any, Any]:
        """Rows of a fold as the model sees them."""
        steps, rows = self.steps.fit(_safe_indexing(self.X, train), _safe_indexing(y, train))
        return rows, steps.rows(_safe_indexing(self.X, test))


def _with_log_scores(table: pd.DataFrame, tasks: list[_Task], held_out: _Folds) -> pd.DataFrame:
    """The table with the mean log density of held-out rows."""
    first, n_jobs = tasks[0], held_out.n_jobs
    y, w, groups = first.y, first.w, first.groups
    folds = held_out.folds(y, groups, classifier=is_classifier(first.template))
    parts = [held_out.split(train, test, y) for train, test in folds]
    jobs = []
    for task in tasks:
        for (train, test), (seen, unseen) in zip(folds, parts, strict=True):
            part = _Task(
                task.template,
                task.counts,
                seen,
                _safe_indexing(y, train),
                None if w is None else w[train],
                None if groups is None else groups[train],
            )
            labels = None if groups is None else groups[test]
            jobs.append((part, (unseen, _safe_indexing(y, test), labels)))
    scores = Parallel(n_jobs=n_jobs)(delayed(part.scores)(*test) for part, test in jobs)
    weights = np.concatenate([_weights(w, groups, test) for _, test in folds])
    means, errors = [], []
    for i in range(len(tasks)):
        rows = np.concatenate(scores[i * len(folds) : (i + 1) * len(folds)], axis=1)
        mean = rows @ weights / weights.sum()
        spread = np.sqrt(np.square(weights * (rows - mean[:, None])).sum(axis=1)) / weights.sum()
        means.append(mean)
        errors.append(spread)
    at = table.columns.get_loc("start")
    table.insert(at, "log_score", np.concatenate(means))
    table.insert(at + 1, "log_score_std_error", np.concatenate(errors))
    return table
