"""A fitted mixture and the rows that speak for it, in the units in which the model works."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moe_classic._arguments import counts_of
from moe_classic._components import require
from moe_classic._data import (
    ArraySource,
    Block,
    DesignMap,
    Source,
    Stats,
    Subjects,
    Summary,
    as_design,
    default_block_size,
    design_of,
)
from moe_classic._engine import SerialEngine, ThreadedEngine, make_engine
from moe_classic._model import (
    Model,
    MoEParams,
    ObservedModel,
    null_of_theta,
    row_scores,
    separated_theta,
)
from moe_classic._results import (
    FittedMixture,
    checked_pairs,
    fitted_mixture,
    gathered_subjects,
    require_groups,
)
from moe_classic._typing import Floats, Ints


@dataclass(frozen=True)
class Weighed(Stats):
    """Rows, their weight, how many weights are no whole numbers and how many are not 1."""

    rows: int
    weight: float
    fractions: int
    others: int


def weighed(w: Floats) -> Weighed:
    """What some rows weigh."""
    fractions = int((np.rint(w) != w).sum())
    return Weighed(w.size, float(w.sum()), fractions, int((w != 1.0).sum()))


@dataclass(frozen=True)
class FittedModel:
    """A fitted model with its rows.

    Attributes
    ----------
    fitted : what the fit left
    params : MoEParams for standardised features and target
    X : (n, p) raw features
    y : (d, n) standardised target, or (n,) class codes
    w : (n,) positive weights, read as counts of rows
    rows : (n,) places of these rows among the user's
    weight_unit : what a unit of the user's weight counts
    subjects : Subjects of the rows, or None; they then are what is independent
    """

    fitted: FittedMixture
    params: MoEParams
    X: np.ndarray
    y: np.ndarray
    w: Floats
    rows: Ints
    tol: float
    weight_unit: float
    engine: SerialEngine | ThreadedEngine
    subjects: Subjects | None = None

    @property
    def model(self) -> Model:
        """The model as bound by the fit."""
        return self.fitted.model

    @property
    def maps(self) -> tuple[DesignMap, ...]:
        """From rows of X to designs."""
        return self.fitted.maps

    @property
    def summary(self) -> Summary:
        """Moments of the training target as the model saw it."""
        summary = self.fitted.summary
        return replace(summary, weight=self.weight_unit * summary.weight)

    @property
    def shift(self) -> Floats:
        """(d,), the user's target is ``shift + factor * y``."""
        return self.fitted.target.shift

    @property
    def factor(self) -> Floats:
        """(d,), the user's target is ``shift + factor * y``."""
        return self.fitted.target.factor

    @property
    def labels(self) -> list[str]:
        """Names of the experts."""
        return self.fitted.labels

    @property
    def outputs(self) -> list[str]:
        """Names of the linear predictors of an expert."""
        return self.fitted.target.names

    @property
    def null(self) -> Floats:
        """Directions (D, R) of theta along which no linear predictor moves."""
        return null_of_theta(self.model, self.params, self.fitted.null)

    @property
    def open(self) -> Floats:
        """These, and those along which the data push separated coefficients to infinity."""
        separated = separated_theta(self.model, self.params, self.fitted.separated)
        return np.hstack([self.null, separated])

    @property
    def weighed(self) -> Weighed:
        """How many rows there are, and what they weigh."""
        return weighed(self.w)

    @property
    def group_weight(self) -> float | None:
        """Weight of the subjects; None where rows are independent."""
        return None if self.subjects is None else float(self.subjects.w.sum())

    def log_likelihood(self) -> float:
        """Weighted log-likelihood of the rows' y given their x, in the user's units."""
        blocks = cut_blocks(self.designs(), self.y, self.w, self.subjects)
        total = sum(float(self.model.log_likelihood(self.params, b) @ b.subject_w) for b in blocks)
        return total - float(np.log(self.factor).sum() * self.w.sum())

    def source(self) -> Source:
        """The rows, block by block."""
        return ArraySource(self.X, self.y, self.w, self.maps, subjects=self.subjects)

    def cluster_scores(self, model: Model, clusters: Ints) -> Floats:
        """Outer products (D, D) of the scores of clusters, whose numbers (G,) begin at 0."""
        sums = np.zeros((int(clusters.max()) + 1, self.model.pack(self.params).size))
        add_scores(sums, model, self.params, self.source(), clusters)
        return sums.T @ sums

    @property
    def subject_w(self) -> Floats:
        """Weights of the subjects, or of the rows, (G,)."""
        return self.w if self.subjects is None else self.subjects.w

    def designs(self) -> list[Floats]:
        """Design matrices (q, n) of all rows, of a gate of subjects (q, G)."""
        return [design_of(m, self.X, self.subjects) for m in self.maps]


def fitted_model(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    weight_kind: str = "frequency",
    groups: Any = None,
) -> FittedModel:
    """The case of a fitted estimator and validated rows; raises if it has no parameters.

    Rows of a group stand side by side.
    """
    fitted = fitted_mixture(estimator)
    require_groups(fitted, groups, "inference")
    X, columns = checked_pairs(estimator, X, y)
    check_parametric(fitted.model)
    given = checked_weights(sample_weight, len(X))
    w = np.asarray(counts_of(given, weight_kind))
    unit = 1.0 if weight_kind == "frequency" else float(w.sum()) / fitted.summary.weight
    used = w > 0.0
    rows, subjects = np.flatnonzero(used), None
    if groups is not None:
        order, subjects = gathered_subjects(groups, w, used, whole=True)
        rows = rows if order is None else rows[order]
    if rows.size < len(X) or subjects is not None:
        X, columns, w = X[rows], columns[:, rows], w[rows]
    return FittedModel(
        fitted,
        fitted.standard_params,
        X,
        fitted.target.to_model(columns),
        w,
        rows,
        estimator.tol,
        unit,
        # Its threads make designs, and run the transformers of the user's.
        make_engine(estimator.n_jobs),
        subjects,
    )


def check_parametric(model: Model) -> None:
    """Raise unless gate and experts have parameters with derivatives."""
    instead = (
        "Use linear experts and gate='softmax', 'gaussian' or 'constant', or compare scores on "
        "held-out rows."
    )
    parts = (model.gate, *(g.expert for g in model.groups))
    require(parts, ("derivatives", "terms"), who="inference", instead=instead)
    sparse = [type(part).__name__ for part in parts if part.sparse]
    if sparse:
        raise ValueError(
            f"inference has no standard errors for {sparse[0]} with a penalty that sets slopes to "
            "zero: they would take the choice of features as given. Choose features by "
            "model_selection.path, and fit them without a penalty to other rows."
        )


def checked_weights(sample_weight: Any, n: int) -> Floats:
    """Weights (n,), not all zero."""
    if sample_weight is None:
        return np.ones(n)
    w = np.asarray(sample_weight, dtype=np.float64)
    if w.shape != (n,):
        raise ValueError(f"sample_weight has shape {w.shape}, X has {n} rows; give one a row.")
    if not np.isfinite(w).all() or (w < 0.0).any() or not w.any():
        raise ValueError("sample_weight must be finite, >= 0, and positive for some row.")
    return w


# ------------------------------------------------------------------------- rows as blocks


def add_scores(
    sums: Floats, model: Model, params: MoEParams, blocks: Iterable[Block], clusters: Ints
) -> None:
    """Add the scores of rows, or subjects, to those (C, D) of their clusters."""
    stop = 0
    for block in blocks:
        start, stop = stop, stop + block.subject_w.size
        rows = row_scores(model, params, block) * block.subject_w
        np.add.at(sums, clusters[start:stop], rows.T)


def cut_blocks(
    designs: list[Floats], y: np.ndarray, w: Floats, subjects: Subjects | None = None
) -> list[Block]:
    """Blocks of designs (q, n), of a gate of subjects (q, G), that are kept from pass to pass."""
    step = default_block_size([Z.shape[0] for Z in designs])
    blocks = []
    for part, inside in _parts(w.size, step, subjects):
        cut = tuple(
            as_design(Z[:, part if Z.shape[1] == w.size else inside], keep=True) for Z in designs
        )
        mine = None if subjects is None else subjects.part(inside)
        blocks.append(Block(cut, y[..., part], w[part], mine))
    return blocks


def _parts(n: int, step: int, subjects: Subjects | None) -> list[tuple[slice, slice]]:
    """Slices of the rows, and of the subjects."""
    if subjects is not None:
        return list(subjects.cut(step))
    parts = [slice(start, start + step) for start in range(0, n, step)]
    return list(zip(parts, parts, strict=True))


# ------------------------------------------------------------------------- rows from the model


def check_simulable(case: FittedModel) -> None:
    """Raise unless whole rows can be drawn from the model."""
    if (np.rint(case.w) != case.w).any():
        raise ValueError(
            "sample_weight has fractions: a parametric bootstrap draws whole rows, so weights "
            "must be counts. Use kind='bootstrap', which resamples rows in proportion to weights."
        )
    design = case.maps[case.model.gate_design]
    if case.model.gate.generative and design.transformer is not None:
        raise ValueError(
            f"a {case.model.gate.name!r} gate draws what it sees of X, here the output of "
            f"{design.transformer!r}, which cannot be turned back into rows of X. Use "
            "kind='bootstrap'."
        )


def simulate(
    case: FittedModel, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Subjects | None]:
    """Rows from the fitted model: features (m, p) and standardised target (d, m) or codes (m,).

    Features stay as they are, those that a generative gate describes are drawn from it; what
    misses values does so in the same places. A row of
    weight 2 stands for two rows and gives two; so does a subject.
    """
    model, params = case.model, case.params
    times = np.repeat(np.arange(case.subject_w.size), np.rint(case.subject_w).astype(np.intp))
    subjects, experts = None, None
    X = case.X[times if case.subjects is None else case.subjects.rows_of(times)]
    if case.subjects is not None:
        subjects = case.subjects.taken(times, np.ones(times.size))
    missing = np.isnan(X) if isinstance(model, ObservedModel) else None
    if model.gate.generative:
        X, experts = _draw_features(case, X, rng, subjects)
    designs = tuple(as_design(design_of(m, X, subjects)) for m in case.maps)
    y = model.sample(params, designs, rng, experts, subjects)[0]
    if missing is not None:
        # What was missing is so again.
        X = np.where(missing, np.nan, X)
    return X, y, subjects


def _draw_features(
    case: FittedModel, X: np.ndarray, rng: np.random.Generator, subjects: Subjects | None
) -> tuple[Floats, Ints]:
    """Features (m, p) with those of the gate drawn from it, and the expert of every subject.

    A subject has its rows moved, so that their mean is what was drawn.
    """
    design = case.maps[case.model.gate_design]
    count = len(X) if subjects is None else subjects.count
    experts, standard = case.model.gate.sample_rows(case.params.gate, count, rng)
    X = X.astype(np.float64)
    columns = np.arange(standard.shape[1]) if design.columns is None else design.columns
    drawn = design.undone(standard)
    if subjects is None:
        X[:, columns] = drawn
    else:
        moved = drawn.T - subjects.means(X[:, columns].T)
        X[:, columns] += subjects.at_rows(moved).T
    return X, experts
