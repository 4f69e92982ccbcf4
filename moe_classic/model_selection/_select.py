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
from sklearn.base import clone

from moe_classic._arguments import counts_of
from moe_classic._data import is_dask
from moe_classic._results import PrintedTable, Section, number
from moe_classic._typing import Floats
from moe_classic.estimators import MoERegressor

from ._partitions import check_partitioned
from ._path import PathFit, Steps, checked_counts, checked_template
from ._tasks import Folds, Task, with_log_scores
from ._templates import checked_grid, penalised_template

_CRITERIA = ("bic", "aic", "icl", "ebic", "log_score")


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
    alphas: Any = None,
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
    criterion : {"bic", "aic", "icl", "ebic", "log_score"}, default="bic"
        All but the last are lower for better models; ``"log_score"``, the mean log density of
        held-out rows, is higher. ``"ebic"`` is for paths of penalties, ``alphas=``.
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
    alphas : int or list of float, default=None
        With experts that have a lasso, elastic net or group lasso: each number of experts gets the
        best fit of a :func:`path` over these strengths, chosen by the criterion (by BIC for
        ``"icl"``, by EBIC, anew in every fold, for ``"log_score"``), without shrinkage on the
        slopes that were found. ``start`` tells the strength. None: strengths as they are.

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
    partitioned = is_dask(X, y, sample_weight, groups)
    if partitioned:
        check_partitioned(steps, criterion, n_jobs, weight_kind)
    alphas = _checked_alphas(alphas, criterion, families, groups)
    sample_weight = counts_of(sample_weight, weight_kind)
    w = sample_weight
    if w is not None and not partitioned:
        w = np.asarray(sample_weight, dtype=np.float64)
    labels = groups if groups is None or partitioned else np.asarray(groups)
    given, (steps, X) = X, steps.fit(X, y)
    tasks = [Task(family, counts, X, y, w, labels, criterion, alphas) for family in families]
    fits = Parallel(n_jobs=n_jobs)(delayed(task.fits)() for task in tasks)
    rows = [
        _row(fit, family, X, y, w, labels)
        for family, path_ in zip(families, fits, strict=True)
        for fit in path_
    ]
    table = pd.DataFrame(rows)
    if criterion == "log_score":
        folds = Folds(steps, given, 5 if cv is None else cv, n_jobs)
        table = with_log_scores(table, tasks, folds)
    best = _best(table, criterion)
    sign = -1.0 if criterion == "log_score" else 1.0
    delta = sign * (table[criterion] - table[criterion][best])
    table.insert(table.columns.get_loc("start"), "delta", delta)
    chosen = [fit for path_ in fits for fit in path_][best]
    params = {name: getattr(chosen.described, name) for name in ("n_experts", "expert", "gate")}
    return Selection(table, best, steps.whole(chosen.estimator), params, criterion)


def _checked_alphas(alphas: Any, criterion: str, families: list[Any], groups: Any) -> Any:
    """Strengths as paths take them; raises for combinations without a meaning."""
    if alphas is None and criterion == "ebic":
        raise ValueError(
            "criterion='ebic' counts slopes on a path of penalties; give alphas=, such as 20, or "
            "use criterion='bic'."
        )
    if alphas is None:
        return None
    if groups is not None:
        raise ValueError("alphas: paths of penalties take no groups; leave one of the two out.")
    for family in families:
        penalised_template("select", family, family.n_experts)
    return checked_grid("select", alphas)


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
    fit: PathFit, family: Any, X: Any, y: Any, w: Floats | None, groups: np.ndarray | None
) -> dict[str, Any]:
    """Row of the table."""
    estimator = fit.estimator
    own = {} if fit.asked is None else {"ebic": fit.ebic}
    return {
        "expert": _title(family.expert),
        "gate": _title(family.gate),
        "n_experts": estimator.n_experts,
        "n_parameters": estimator.n_parameters_,
        "log_likelihood": estimator.log_likelihood_,
        "objective": fit.objective,
        "aic": estimator.aic(X, y, w, groups=groups),
        "bic": estimator.bic(X, y, w, groups=groups),
        "icl": estimator.icl(X, y, w, groups=groups),
        **own,
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
