"""Which features matter to a fitted mixture: Sobol indices and main effects, with intervals.

Baldacchino, Cross, Worden & Rowson (2016), Variational Bayesian mixture of experts models and
sensitivity analysis for nonlinear dynamical systems, Mechanical Systems and Signal Processing
66-67; Sobol' (2001), Global sensitivity indices for nonlinear mathematical models, Mathematics and
Computers in Simulation 55.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from moe_classic._arguments import check_fraction, check_integer, check_one_of, generator
from moe_classic._results import FittedMixture, column_names, fitted_moe, inner_rows
from moe_classic._typing import Floats, Ints
from moe_classic.inference import inference

from ._projected import MOST_DIRECTIONS, ProjectedLines, believed
from ._sensitivity_tables import Answer, Question, Report, Sensitivity, record_of
from ._sobol import (
    MOST_INTEGRATED,
    Empirical,
    Frozen,
    Marginal,
    Normal,
    Uniform,
    WeightedLines,
    effect_rows,
    main_effects,
    sampling_errors,
    sobol_indices,
    sobol_rows,
)

#: Values (d, m) of what is looked into at rows (m, p).
Function = Callable[[Any], Floats]
#: A mixture whose indices are integrals of few dimensions.
Lines = WeightedLines | ProjectedLines


def sensitivity(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    inputs: Any = "uniform",
    method: str = "auto",
    n_samples: int = 4096,
    n_draws: int = 100,
    n_points: int = 25,
    coverage: float = 0.9,
    sample_weight: Any = None,
    random_state: Any = None,
) -> Sensitivity:
    """Main effects, first-order and total Sobol indices of the features of a fitted regressor.

    Features are taken as independent. A first-order index is the share of the variance of the
    prediction that a feature explains alone, a total index with all its interactions; what lies
    between is what it does together with others, such as choosing the expert.

    Parameters
    ----------
    estimator : fitted regressor
        Any of this package, a pipeline that ends in one, or a search over them.
    X : array-like of shape (n_samples, n_features)
        Rows that say where the features live.
    y : array-like, default=None
        With the target of the rows of the fit, indices get intervals by the delta method, from the
        observed information (mixtures fitted by maximum likelihood with linear experts). Bayesian
        mixtures have credible intervals without.
    inputs : {"uniform", "normal", "empirical"} or sequence of distributions, default="uniform"
        How features are distributed: evenly over their range in ``X``, normally with their mean and
        standard deviation, as they are in ``X``; or one frozen distribution of scipy.stats a
        feature.
    method : {"auto", "exact", "qmc"}, default="auto"
        ``"exact"``: features that the gate does not see in closed form, up to two others by Gauss's
        rules, for linear experts without transformers; for a single expert and a constant gate a
        formula; for two or three experts whose logits are lines of any number of normal features
        sums over two or three dimensions. ``"qmc"``: quasi-Monte Carlo. ``"auto"``: the first where
        possible, and where half as many points say the same.
    n_samples : int, default=4096
        Rows of quasi-Monte Carlo, a power of 2; the regressor is asked about ``p + 2`` times as
        many.
    n_draws : int, default=100
        Draws from a posterior.
    n_points : int, default=25
        Values of each feature at which main effects are computed: quantiles at even levels of
        ``inputs`` without the outermost per cent.
    coverage : float in (0, 1), default=0.9
        Of the intervals.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the fit, with ``y``.
    random_state : int, RandomState or None, default=None
        Seed of the scrambling and of draws.

    Returns
    -------
    result : Sensitivity

    Raises
    ------
    TypeError
        If the estimator is a classifier, has no predictions, or no parameters with errors for
        intervals.
    ValueError
        If an argument has no meaning here.

    References
    ----------
    Baldacchino, Cross, Worden & Rowson (2016), Variational Bayesian mixture of experts models and
    sensitivity analysis for nonlinear dynamical systems, Mechanical Systems and Signal Processing
    66-67. Saltelli et al. (2010), Variance based sensitivity analysis of model output, Computer
    Physics Communications 181.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import BayesianMoERegressor
    >>> from moe_classic.inspection import sensitivity
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> y = 2.0 * X[:, 0] + X[:, 1]
    >>> moe = BayesianMoERegressor(random_state=0).fit(X, y)
    >>> sensitivity(moe, X, inputs="normal").table.total.round(1).tolist()
    [0.8, 0.2, 0.0]
    """
    check_one_of("sensitivity", "method", method, ("auto", "exact", "qmc"))
    check_fraction("coverage", coverage)
    for name, value, low in (("n_draws", n_draws, 2), ("n_points", n_points, 2)):
        check_integer(name, value, low, "a number")
    check_integer("n_samples", n_samples, 2, "rows of quasi-Monte Carlo")
    if n_samples & (n_samples - 1):
        raise ValueError(f"n_samples={n_samples} must be a power of 2, such as 4096.")
    moe = fitted_moe(estimator, needs="predict", caller="sensitivity")
    if is_classifier(moe):
        raise TypeError(
            f"sensitivity needs a regressor, got {type(moe).__name__}, whose predictions are "
            "classes."
        )
    rng = generator(random_state)
    asked = _question(estimator, moe, X, inputs, n_points)
    drawn = hasattr(moe, "sample_posterior")
    if sample_weight is not None and y is None:
        raise ValueError("sample_weight has no meaning without y; leave it out.")
    if drawn and y is not None:
        raise ValueError(
            "y has no meaning for a Bayesian mixture, whose intervals are those of its posterior; "
            "leave it out."
        )
    found = _in_few_dimensions(asked, method)
    exact = found is not None
    if found is None:
        asked = replace(
            asked,
            rows=sobol_rows(asked.inputs, n_samples, rng),
            held=effect_rows(asked.inputs, asked.grids, rng),
        )
        found = _by_sampling(asked, lambda rows: asked.predicted(moe, rows))
    result = Report(asked, found, "exact" if exact else "qmc")
    if drawn:
        draws = list(_of_draws(asked, n_draws, rng, exact=exact))
        return result.with_draws(draws, coverage)
    if y is None:
        return result.plain()
    rows = inner_rows(estimator, X)
    return result.with_errors(
        _delta(asked, rows, y, sample_weight, coverage, exact=exact), coverage
    )


# ------------------------------------------------------------------------- what is asked


def _question(estimator: Any, moe: Any, X: Any, inputs: Any, n_points: int) -> Question:
    """Marginal distributions and values of the features of ``X``."""
    frame = isinstance(X, pd.DataFrame)
    values = np.asarray(X, dtype=np.float64)
    if values.ndim != 2 or not len(values) or not np.isfinite(values).all():
        raise ValueError("X must be a table of finite numbers, one row a sample.")
    outer = column_names(estimator) or [f"x{j}" for j in range(values.shape[1])]
    names = [str(c) for c in X.columns] if frame else outer
    marginals = _marginals(inputs, values)
    levels = np.linspace(0.01, 0.99, n_points)
    grids = np.stack([m.ppf(levels) for m in marginals])
    return Question(estimator, moe, marginals, names, frame, grids)


def _marginals(inputs: Any, X: Floats) -> list[Marginal]:
    """Distributions of the features."""
    if isinstance(inputs, str):
        check_one_of("sensitivity", "inputs", inputs, ("uniform", "normal", "empirical"))
        if inputs == "uniform":
            return [Uniform(float(c.min()), float(c.max())) for c in X.T]
        if inputs == "normal":
            return [Normal(float(c.mean()), float(c.std())) for c in X.T]
        return [Empirical(c) for c in X.T]
    if not isinstance(inputs, Sequence) or len(inputs) != X.shape[1]:
        raise ValueError(
            f"inputs={inputs!r} must be 'uniform', 'normal', 'empirical', or one distribution for "
            f"each of the {X.shape[1]} features."
        )
    for item in inputs:
        if not all(hasattr(item, name) for name in ("ppf", "mean", "var")):
            raise TypeError(
                f"inputs holds {item!r}; give frozen distributions of scipy.stats, such as "
                "scipy.stats.uniform(0, 1)."
            )
    return [Frozen(item) for item in inputs]


def _lines_of(asked: Question, record: Any = None) -> Lines | None:
    """The mixture as lines with weights of few features or directions, if it is that."""
    record = record_of(asked.moe) if record is None else record
    plain = isinstance(record, FittedMixture) and asked.estimator is asked.moe
    if not plain or any(m.transformer is not None for m in record.maps):
        return None
    group = record.model.groups[0]
    if len(record.model.groups) > 1 or not group.expert.has("lines"):
        return None
    if group.expert.link != "identity" or record.target.width != 1 or group.expert.carried:
        return None
    p = len(asked.names)
    columns = record.maps[record.model.gate_design].columns
    seen = np.arange(p) if columns is None else np.unique(columns)
    if record.model.n_experts == 1 or record.model.gate.name == "constant":
        seen = seen[:0]
    design = record.maps[group.design]
    slopes, intercepts = design.original(group.expert.lines(record.params.experts[0])[:, 0])

    def weights(rows: Floats) -> Floats:
        return record.gate_proba(record.block(rows))

    return _weighted(asked, weights, _placed(slopes, design.columns, p), intercepts, seen)


def _weighted(
    asked: Question,
    weights: Callable[[Floats], Floats],
    slopes: Floats,
    intercepts: Floats,
    seen: Ints,
) -> Lines | None:
    """Lines (K, p) with weights that see few features, or few directions of normal ones."""
    if seen.size <= MOST_INTEGRATED:
        return WeightedLines(weights, slopes, intercepts, seen)
    return ProjectedLines.of(weights, slopes, intercepts, asked.inputs)


def _placed(slopes: Floats, columns: Any, p: int) -> Floats:
    """Slopes (K, f) of some columns among all p."""
    if columns is None:
        return slopes
    every = np.zeros((len(slopes), p))
    for place, j in enumerate(columns):
        every[:, j] += slopes[:, place]
    return every


# ------------------------------------------------------------------------- answers


def _in_few_dimensions(asked: Question, method: str) -> Answer | None:
    """By formulas, rules and sums, where the mixture admits them and they are sure."""
    lines = None if method == "qmc" else _lines_of(asked)
    if method == "exact" and lines is None:
        raise ValueError(
            "method='exact' needs linear experts without transformers, inputs that are the "
            f"features of the mixture itself, and a gate that sees at most {MOST_INTEGRATED} of "
            f"them, or a softmax of up to {MOST_DIRECTIONS + 1} experts over inputs='normal'; use "
            "method='qmc'."
        )
    if lines is None:
        return None
    indices = lines.indices(asked.inputs)
    if method == "auto" and not believed(indices):
        return None
    return Answer(indices, lines.effects(asked.inputs, asked.grids))


def _by_sampling(asked: Question, function: Function) -> Answer:
    """By quasi-Monte Carlo."""
    p, m = asked.grids.shape
    values = function(asked.inner(asked.rows))
    return Answer(
        replace(sobol_indices(values, p), errors=sampling_errors(values, p)),
        main_effects(function(asked.inner(asked.held)), p, m),
    )


def _of_draws(
    asked: Question, n: int, rng: np.random.Generator, *, exact: bool
) -> Iterator[Answer]:
    """The same for draws from the posterior."""
    record = record_of(asked.moe)
    draws = record.drawn(n, rng)
    p, m = asked.grids.shape
    if exact:
        base: Any = _lines_of(asked)
        design, seen = record.expert_map, getattr(base, "seen", np.arange(p))
        for draw in draws:
            slopes, intercepts = design.original(draw.coef)
            placed = _placed(slopes, design.columns, p)
            lines: Any = _weighted(asked, draw.weights, placed, intercepts, seen)
            yield Answer(lines.indices(asked.inputs), lines.effects(asked.inputs, asked.grids))
        return
    rows, held = (record.both_designs(np.asarray(asked.inner(r))) for r in (asked.rows, asked.held))
    for draw in draws:
        yield Answer(
            sobol_indices(draw.means(*rows)[None], p), main_effects(draw.means(*held)[None], p, m)
        )


def _delta(
    asked: Question, X: Any, y: Any, sample_weight: Any, level: float, *, exact: bool
) -> pd.DataFrame:
    """Intervals of indices of a fit by maximum likelihood, first orders and then totals."""
    rows = None if exact else asked.inner(asked.rows)
    p = len(asked.names)

    def indices(moe: Any) -> Floats:
        if exact:
            lines: Any = _lines_of(asked, record_of(moe))
            found = lines.indices(asked.inputs)
        else:
            found = sobol_indices(asked.predicted(moe, rows), p)
        return np.concatenate([found.first.ravel(), found.total.ravel()])

    if not hasattr(asked.moe, "inference"):
        raise TypeError(
            f"y gives intervals from standard errors, and {type(asked.moe).__name__} has none; "
            "leave it out."
        )
    result = inference(asked.moe, X, y, sample_weight=sample_weight, level=level)
    return result.delta(indices, of="estimator")
