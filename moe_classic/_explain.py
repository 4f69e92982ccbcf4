"""Why a fitted mixture of experts predicts what it predicts, row by row."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from ._typing import Floats, Ints

#: Name of the line that adds the experts up.
BLEND = "blend"


def explain(estimator: Any, X: Any, *, min_weight: float = 0.0) -> pd.DataFrame:
    """For each row its experts with their weights, and the linear equation that applies.

    Every expert's equation is exact wherever the expert is, and the last line of a row, ``blend``,
    adds them up with the gate's weights: ``intercept + sum coef * feature`` is the prediction of
    the mixture at this very row. Elsewhere the weights are others.

    Parameters
    ----------
    estimator : fitted mixture of experts
    X : array-like of shape (n_samples, n_features)
    min_weight : float in [0, 1), default=0.0
        Experts with less weight are left out, except the first of a row; ``blend`` counts them.

    Returns
    -------
    table : DataFrame
        Indexed by row (the index of a DataFrame X, else from 0) and expert, experts by falling
        weight; by output too, where there are several, and for classes by class but the last.
        Columns, all on the original scales of the features:

        - ``weight``: gate probability, 1 for ``blend``;
        - ``prediction``: of this expert, or of the mixture; for classes, the probability of the
          class;
        - ``intercept`` and ``coef <feature>``: of the equation; for classes, of the log odds
          against the last class. NaN where there is no equation: of scikit-learn's estimators as
          experts, and of the blend of classes, whose probabilities are added, not their logarithms;
        - ``equation``: the same as text, with four digits.

    Raises
    ------
    ValueError
        If ``min_weight`` is out of range.
    """
    if not 0.0 <= min_weight < 1.0:
        raise ValueError(f"min_weight={min_weight!r} must be at least 0 and below 1.")
    gate, (features, coef, intercept) = estimator.gate_proba(X), _equations(estimator)
    own, mixed = _predictions(estimator, X)
    order = np.argsort(-gate, axis=1, kind="stable")
    shown = np.take_along_axis(gate, order, axis=1) >= min_weight
    shown[:, 0] = True
    rows, places = np.nonzero(shown)
    blend = _Lines(
        np.arange(len(gate)),
        np.full(len(gate), gate.shape[1]),
        np.ones(len(gate)),
        mixed,
        gate @ intercept,
        np.einsum("nk,kmf->nmf", gate, coef),
    )
    if hasattr(estimator, "classes_"):
        blend.intercept[:], blend.coef[:] = np.nan, np.nan
    k = order[rows, places]
    lines = _Lines(rows, k, gate[rows, k], own[rows, k], intercept[k], coef[k]).before(blend)
    return _table(estimator, X, features, lines)


@dataclass(frozen=True)
class _Lines:
    """Lines of the table: row (L,), expert (L,), weight (L,), and M equations each.

    ``prediction`` and ``intercept`` are (L, M), ``coef`` is (L, M, F); expert K is the blend.
    """

    row: Ints
    expert: Ints
    weight: Floats
    prediction: Floats
    intercept: Floats
    coef: Floats

    def before(self, last: _Lines) -> _Lines:
        """These lines row by row, those of ``last`` at the end of each row."""
        place = np.argsort(np.concatenate([self.row, last.row]), kind="stable")
        return _Lines(
            *(
                np.concatenate([getattr(self, f.name), getattr(last, f.name)])[place]
                for f in fields(self)
            )
        )


def _equations(estimator: Any) -> tuple[list[str], Floats, Floats]:
    """Names of F features, coefficients (K, M, F) and intercepts (K, M) of all experts."""
    views, M = estimator.experts_, len(estimator._output_names())
    features = list(dict.fromkeys(f for v in views for f in v.feature_names_))
    coef = np.zeros((len(views), M, len(features)))
    intercept = np.zeros((len(views), M))
    for k, view in enumerate(views):
        if hasattr(view, "estimator_"):
            coef[k], intercept[k] = np.nan, np.nan
            continue
        columns = [features.index(f) for f in view.feature_names_]
        coef[k][:, columns] = np.atleast_2d(view.coef_)
        intercept[k] = view.intercept_
    return features, coef, intercept


def _predictions(estimator: Any, X: Any) -> tuple[Floats, Floats]:
    """What experts (n, K, M) and mixture (n, M) predict for every line of the table."""
    own, M = estimator.expert_predictions(X), len(estimator._output_names())
    if hasattr(estimator, "classes_"):
        return own[:, :, :M], estimator.predict_proba(X)[:, :M]
    mixed = np.asarray(estimator.predict(X))
    return own.reshape(*own.shape[:2], M), mixed.reshape(len(mixed), M)


def _table(estimator: Any, X: Any, features: list[str], lines: _Lines) -> pd.DataFrame:
    """The long table, one line for each of M outputs or classes."""
    outputs, labels = estimator._output_names(), [*estimator._expert_labels(), BLEND]
    L, M = lines.prediction.shape
    index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(lines.row[-1] + 1)
    levels = [np.repeat(index.take(lines.row), M), np.repeat(np.take(labels, lines.expert), M)]
    names = ["row", "expert"]
    classes = hasattr(estimator, "classes_")
    if M > 1 or classes:
        levels.append(np.tile(outputs, L))
        names.append("class" if classes else "output")
    columns: dict[str, Any] = {
        "weight": np.repeat(lines.weight, M),
        "prediction": lines.prediction.ravel(),
        "intercept": lines.intercept.ravel(),
    }
    columns |= {f"coef {f}": lines.coef[:, :, i].ravel() for i, f in enumerate(features)}
    columns["equation"] = _texts(estimator, features, lines)
    return pd.DataFrame(columns, index=pd.MultiIndex.from_arrays(levels, names=names))


def _texts(estimator: Any, features: list[str], lines: _Lines) -> list[str]:
    """The equations as text, (L * M)."""
    outputs, labels = estimator._output_names(), estimator._expert_labels()
    left, blended = outputs, outputs
    if hasattr(estimator, "classes_"):
        left = [f"log P({c}) / P({estimator.classes_[-1]})" for c in outputs]
        blended = [f"P({c})" for c in outputs]
    shares: list[str] = []
    texts = []
    for k, weight, a, b in zip(
        lines.expert, lines.weight, lines.intercept, lines.coef, strict=True
    ):
        last = k == len(labels)
        if not last:
            shares.append(f"{weight:.4g} {labels[k]}")
        for m, name in enumerate(blended if last else left):
            if np.isfinite(a[m]):
                right = equation(a[m], dict(zip(features, b[m], strict=True)))
            else:
                right = " + ".join(shares) if last else _opaque(estimator.experts_[k])
            texts.append(f"{name} = {right}")
        if last:
            shares = []
    return texts


def _opaque(view: Any) -> str:
    """An estimator as an expert, as text."""
    return f"{type(view.estimator_).__name__}(x)"


def equation(intercept: float, coef: dict[str, float]) -> str:
    """Right side of a linear equation, with four digits; terms that are exactly 0 are left out."""
    text = f"{intercept:.4g}"
    for name, value in coef.items():
        if value != 0.0:
            text += f" {'-' if value < 0.0 else '+'} {abs(value):.4g} {name}"
    return text
