"""Why a fitted mixture of experts predicts what it predicts, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._typing import Floats, Ints

from .estimator import FittedEstimator
from .fitted import FittedBlend, FittedMixture
from .records import AnyExpert

#: Name of the line that adds the experts up.
BLEND = "blend"


@dataclass(frozen=True)
class Explanation:
    """What an estimator with K experts says about n rows, in M lines each, of F features.

    Attributes
    ----------
    index : Index of the rows
    labels : list of str
        Names of the experts.
    gate : ndarray of shape (n, K)
        Weights with which the experts are added up.
    features : list of str
        Names of the features of the equations.
    coef, intercept : ndarrays of shape (n, K, M, F) and (n, K, M)
        Of the equations; NaN where an expert has none. The first axis may be 1.
    expert_predictions, blend : ndarrays of shape (n, K, M) and (n, M)
        Predictions of the experts, and of all together.
    outputs : list of str
        Names of the lines.
    level : str
        Level of the index that the outputs go to; empty for none.
    left, blended : list of str
        Left sides of the equations of the experts, and of the blend.
    expert_names : list of str
        What stands on the right side where an expert has no equation.
    additive : bool
        Whether equations may be added up as predictions are. Log odds may not.
    carried : tuple of K str
        What stands at the end of the equation of an expert as it is, such as ``" + log years"``.
    """

    index: pd.Index
    labels: list[str]
    gate: Floats
    features: list[str]
    coef: Floats
    intercept: Floats
    expert_predictions: Floats
    blend: Floats
    outputs: list[str]
    level: str
    left: list[str]
    blended: list[str]
    expert_names: list[str]
    additive: bool = True
    carried: tuple[str, ...] = ()

    def lines(self, min_weight: float) -> _Lines:
        """Lines of the experts of at least ``min_weight``, and of the blend, row by row."""
        n, K = self.gate.shape
        coef = np.broadcast_to(self.coef, (n, *self.coef.shape[1:]))
        intercept = np.broadcast_to(self.intercept, (n, *self.intercept.shape[1:]))
        # Weights of a linear gate may be negative.
        size = np.abs(self.gate)
        order = np.argsort(-size, axis=1, kind="stable")
        shown = np.take_along_axis(size, order, axis=1) >= min_weight
        shown[:, 0] = True
        rows, places = np.nonzero(shown)
        alone = (np.arange(n), np.full(n, K), np.ones(n))
        blend = _Lines(*alone, self.blend, *self._added(intercept, coef))
        k = order[rows, places]
        experts = _Lines(
            rows,
            k,
            self.gate[rows, k],
            self.expert_predictions[rows, k],
            intercept[rows, k],
            coef[rows, k],
        )
        return experts.before(blend)

    def with_constant(self, label: str, value: float, weight: Floats) -> Explanation:
        """The same with one more expert, which predicts ``value`` everywhere; weight (n,)."""
        (n, _, M), F = self.expert_predictions.shape, len(self.features)
        one = len(self.coef)
        return replace(
            self,
            labels=[*self.labels, label],
            gate=np.column_stack([self.gate, weight]),
            coef=np.concatenate([self.coef, np.zeros((one, 1, M, F))], axis=1),
            intercept=np.concatenate([self.intercept, np.full((one, 1, M), value)], axis=1),
            expert_predictions=np.concatenate(
                [self.expert_predictions, np.full((n, 1, M), value)], axis=1
            ),
            expert_names=[*self.expert_names, label],
            carried=(*self.carried, ""),
        )

    def _added(self, intercept: Floats, coef: Floats) -> tuple[Floats, Floats]:
        """Equations times weights, (n, M) and (n, M, F); experts of weight 0 need not have any."""
        if not self.additive:
            return np.full_like(intercept[:, 0], np.nan), np.full_like(coef[:, 0], np.nan)
        idle = self.gate == 0.0
        if idle.any():
            intercept = np.where(idle[:, :, None], 0.0, intercept)
            coef = np.where(idle[:, :, None, None], 0.0, coef)
        return (
            np.einsum("nk,nkm->nm", self.gate, intercept),
            np.einsum("nk,nkmf->nmf", self.gate, coef),
        )


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


def explain(explanation: Explanation, *, min_weight: float = 0.0) -> pd.DataFrame:
    """For each row its experts with their weights, and the linear equation that applies.

    Every expert's equation is exact wherever the expert is, and the last line of a row, ``blend``,
    adds them up with the weights: ``intercept + sum coef * feature`` is the prediction of the
    mixture at this very row. Elsewhere the weights are others.

    Parameters
    ----------
    explanation : Explanation
        What an estimator says about the rows.
    min_weight : float in [0, 1), default=0.0
        Experts with less weight are left out, except the first of a row; ``blend`` counts them.

    Returns
    -------
    table : DataFrame
        Indexed by row (the index of a DataFrame X, else from 0) and expert, experts by falling
        size of their weight; by output too, where there are several, and for classes by class but
        the last. Columns, all on the original scales of the features:

        - ``weight``: gate probability, 1 for ``blend``;
        - ``prediction``: of this expert, or of all together; for classes, the probability of the
          class, or its margin where margins are blended;
        - ``intercept`` and ``coef <feature>``: of the equation; for classes, of the log odds
          against the last class, or of the margin. NaN where there is no equation: of estimators
          that are not linear, of blends with a share of them, and of the blend of classes, whose
          probabilities are added, not their logarithms;
        - ``equation``: the same as text, with four digits; the name of the estimator where there
          is no equation.

    Notes
    -----
    The equation of a ``blend`` gives its prediction, not what a change of a feature would do to it:
    for that the weights change too.

    Estimators of scikit-learn have an equation if they are linear in x: linear models, a support
    vector machine with a linear kernel, and pipelines that end in one behind transformers that
    shift, scale, select or rotate. It is checked against the estimator's own predictions.
    """
    return _table(explanation, explanation.lines(min_weight))


def check_min_weight(min_weight: Any) -> None:
    """Raise unless experts of less weight than this can be left out."""
    if not 0.0 <= min_weight < 1.0:
        raise ValueError(f"min_weight={min_weight!r} must be at least 0 and below 1.")


def _table(explanation: Explanation, lines: _Lines) -> pd.DataFrame:
    """The long table, one line for each of M outputs or classes."""
    L, M = lines.prediction.shape
    labels = [*explanation.labels, BLEND]
    levels = [
        np.repeat(explanation.index.take(lines.row), M),
        np.repeat(np.take(labels, lines.expert), M),
    ]
    names = ["row", "expert"]
    if explanation.level:
        levels.append(np.tile(explanation.outputs, L))
        names.append(explanation.level)
    columns: dict[str, Any] = {
        "weight": np.repeat(lines.weight, M),
        "prediction": lines.prediction.ravel(),
        "intercept": lines.intercept.ravel(),
    }
    columns |= {
        f"coef {f}": lines.coef[:, :, i].ravel() for i, f in enumerate(explanation.features)
    }
    columns["equation"] = _texts(explanation, lines)
    return pd.DataFrame(columns, index=pd.MultiIndex.from_arrays(levels, names=names))


def _texts(explanation: Explanation, lines: _Lines) -> list[str]:
    """The equations as text, (L * M)."""
    K, M = len(explanation.labels), len(explanation.left)
    texts = _equations(explanation, lines)
    shares: list[tuple[str, float]] = []
    for line, (k, weight) in enumerate(zip(lines.expert, lines.weight, strict=True)):
        last = k == K
        if not last:
            shares.append((explanation.labels[k], weight))
        for m, name in enumerate(explanation.blended if last else explanation.left):
            right = texts[line * M + m]
            if right and not last and explanation.carried:
                right += explanation.carried[k]
            if not right:
                right = _terms(shares).removeprefix("+ ") if last else explanation.expert_names[k]
            texts[line * M + m] = f"{name} = {right}"
        if last:
            shares = []
    return texts


def _equations(explanation: Explanation, lines: _Lines) -> list[str]:
    """Right sides of the equations, (L * M); empty where there is none.

    Those of an expert are mostly the same at all rows: equal ones are written once.
    """
    M, F = lines.prediction.shape[1], len(explanation.features)
    numbers = np.column_stack([lines.intercept.ravel(), lines.coef.reshape(-1, F)])
    texts = np.empty(len(numbers), dtype=object)
    blend = np.repeat(lines.expert == len(explanation.labels), M)
    owner = np.repeat(lines.expert, M) * M + np.tile(np.arange(M), len(lines.expert))
    rest = np.flatnonzero(blend)
    for code in np.unique(owner[~blend]):
        mine = np.flatnonzero(owner == code)
        same = (numbers[mine] == numbers[mine[0]]).all(axis=1) | np.isnan(numbers[mine[0], 0])
        texts[mine[same]] = _written(numbers[mine[:1]], explanation.features)[0]
        rest = np.concatenate([rest, mine[~same]])
    texts[rest] = _written(numbers[rest], explanation.features)
    return texts.tolist()


def _written(numbers: Floats, features: Sequence[str]) -> list[str]:
    """Equations from rows (intercept, slopes) as text; empty where the intercept is NaN."""
    names = [name.replace("%", "%%") for name in features]
    template = "%.4g" + "".join(f" %s %.4g {name}" for name in names)
    parts: list[Any] = [numbers[:, 0].tolist()]
    for column in numbers[:, 1:].T:
        parts += [np.where(column < 0.0, "-", "+").tolist(), np.abs(column).tolist()]
    plain = np.isfinite(numbers[:, 0]) & (numbers[:, 1:] != 0.0).all(axis=1)
    return [
        template % values if simple else _one_written(row, features)
        for values, simple, row in zip(zip(*parts, strict=True), plain, numbers, strict=True)
    ]


def _one_written(row: Floats, features: Sequence[str]) -> str:
    """One equation, some of whose slopes are 0, or none."""
    if not np.isfinite(row[0]):
        return ""
    return equation(row[0], list(zip(features, row[1:].tolist(), strict=True)))


def _terms(terms: Iterable[tuple[str, float]]) -> str:
    """Named terms with their signs, as text."""
    return " ".join(f"{'-' if v < 0.0 else '+'} {abs(v):.4g} {name}" for name, v in terms)


def equation(intercept: float, coef: Iterable[tuple[str, float]]) -> str:
    """Right side of a linear equation, with four digits; terms that are exactly 0 are left out."""
    slopes = _terms((name, value) for name, value in coef if value != 0.0)
    return f"{intercept:.4g} {slopes}".rstrip()


def explain_rows(estimator: Any, record: FittedMixture | FittedBlend, X: Any) -> Explanation:
    """Equations of the experts, with the gate's probabilities and what is predicted.

    Parameters
    ----------
    estimator : fitted estimator
        With ``gate_proba``, ``expert_predictions``, and ``predict_proba`` if it tells classes.
    record : what its fit left
    X : array-like of shape (n_samples, n_features)
    """
    target, M = record.target, len(record.target.names)
    classes = target.kind == "class"
    alone = estimator.expert_predictions(X)
    if classes:
        alone, blend = alone[:, :, :M], estimator.predict_proba(X)[:, :M]
    else:
        alone, blend = alone.reshape(*alone.shape[:2], M), np.asarray(estimator.predict(X))
    explanation = _explained(estimator, record, X, alone, blend.reshape(-1, M))
    if not classes:
        link = link_of(record.experts)
        return replace(
            explanation,
            level="output" if M > 1 else "",
            left=[f"{link} {name}".strip() for name in target.names],
            additive=not link,
        )
    return replace(
        explanation,
        level="class",
        left=target.equations,
        blended=[f"P({c})" for c in target.names],
        additive=False,
    )


def _explained(
    estimator: Any,
    record: FittedMixture | FittedBlend,
    X: Any,
    expert_predictions: Floats,
    blend: Floats,
) -> Explanation:
    """Predictions (n, K, M) and (n, M) with the gate and the equations of the experts."""
    names = record.target.names
    features, coef, intercept = equations(record.experts, len(names))
    return Explanation(
        index=rows_of(X, len(blend)),
        labels=record.labels,
        gate=estimator.gate_proba(X),
        features=features,
        coef=coef[None],
        intercept=intercept[None],
        expert_predictions=expert_predictions,
        blend=blend,
        outputs=names,
        level="",
        left=names,
        blended=names,
        expert_names=[kind(view) for view in record.experts],
        carried=tuple("".join(f" + {name}" for name in _carried(v)) for v in record.experts),
    )


def _carried(view: AnyExpert) -> tuple[str, ...]:
    """What is added to the equations of an expert with a coefficient of 1."""
    return () if isinstance(view, FittedEstimator) else view.carried_


def link_of(views: Sequence[AnyExpert]) -> str:
    """Name of the function of y that the equations of all experts give; empty for y itself."""
    links = {view.link for view in views}
    if links <= {"identity", "logit"}:
        return ""
    return links.pop() if len(links) == 1 else "predictor of"


def equations(views: Sequence[AnyExpert], M: int) -> tuple[list[str], Floats, Floats]:
    """Names of F features, coefficients (K, M, F) and intercepts (K, M) of all experts."""
    features = list(dict.fromkeys(f for v in views for f in v.feature_names_))
    coef = np.zeros((len(views), M, len(features)))
    intercept = np.zeros((len(views), M))
    for k, view in enumerate(views):
        columns = [features.index(f) for f in view.feature_names_]
        if not isinstance(view, FittedEstimator):
            coef[k][:, columns] = np.atleast_2d(view.coef_)
            intercept[k] = view.intercept_
            continue
        form = view.form(M)
        if form is None:
            coef[k], intercept[k] = np.nan, np.nan
        else:
            coef[k][:, columns], intercept[k] = form.coef, form.intercept
    return features, coef, intercept


def rows_of(X: Any, n: int) -> pd.Index:
    """Index of the rows of X."""
    return X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(n)


def kind(view: AnyExpert) -> str:
    """An expert as a function of x: ``SVR(StandardScaler(x))``."""
    text = "x"
    for step in view.steps if isinstance(view, FittedEstimator) else [view.name]:
        text = f"{step}({text})"
    return text


def explain_margins(estimator: Any, record: FittedBlend, X: Any) -> Explanation:
    """The same of experts whose margins are blended.

    Of more than two classes the zero of a margin is half way between the two highest decision
    values of a row, so that equations differ from row to row.
    """
    M = len(record.target.names)
    alone, blend = estimator.expert_predictions(X), estimator.decision_function(X)
    alone = alone.reshape(*alone.shape[:2], M)
    explanation = _explained(estimator, record, X, alone, blend.reshape(-1, M))
    coef, intercept = explanation.coef, explanation.intercept
    if M > 1:
        # Margins are decision values less a number a row: their order is the same.
        highest = np.argsort(alone, axis=2)[:, :, -2:, None]
        middle = 0.5 * (
            np.take_along_axis(intercept[..., None], highest, axis=2)[..., 0].sum(
                axis=2, keepdims=True
            )
        )
        intercept = intercept - middle
        coef = coef - 0.5 * np.take_along_axis(coef, highest, axis=2).sum(axis=2, keepdims=True)
    margins = [f"margin of {c}" for c in record.target.names]
    return replace(
        explanation, coef=coef, intercept=intercept, level="class", left=margins, blended=margins
    )
