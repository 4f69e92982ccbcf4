"""HardMoERegressor and HardMoEClassifier: experts that share out the rows among themselves.

::

    f(x) = h( sum_k w_k(x) s_k(x) ),   E = sum_n w_n (f(x_n) - y_n)^2

1. deal the rows at random into K equal shares; 2. fit each expert on its share alone; 3. train the
gate w on E over all rows; 4. deal the rows anew, each to the expert that the gate prefers and that
has room; 5. repeat. Collobert, Bengio & Bengio (2002), A parallel mixture of SVMs for very large
scale problems.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from moe_classic._adapters import outputs_of
from moe_classic._results import Explanation, explain_margins
from moe_classic._sklearn import ClassifierMixin, RegressorMixin
from moe_classic._targets import ClassTarget, RealTarget
from moe_classic._typing import Floats, same_as
from moe_classic.estimators import _probabilities
from moe_classic.estimators._blend import all_experts

from .base import HardMoE
from .margins import MarginTarget, margins_of, proba_from


class HardMoERegressor(RegressorMixin, HardMoE):
    """Hard mixture of regressors, for experts whose cost grows faster than the number of rows.

    ::

        f(x) = m + sum_k w_k(x) (s_k(x) - m),   m the mean of y

    Every expert learns from its own share of the rows, so that K experts of cost n^2 cost n^2 / K
    together, and less in parallel. A gate learns from all rows which expert to trust where; then
    the rows are dealt anew by what it learned, and so on for a few rounds. The best round on rows
    held out is kept.

    Parameters
    ----------
    n_experts : int, default=2
        Number of experts K.
    expert : None, estimator, list of estimators, or list of (name, estimator), default=None
        What is fitted on a share. None: a support vector machine with a radial kernel, features and
        target standardised. A list gives one for each expert.
    gate : {"linear", "softmax", "sigmoid"}, default="linear"
        How the outputs of the gate become weights: not at all, as in the paper, so that a weight
        may be negative; by exponentials, or by logistic functions, divided by their sum.
    hidden_units : int, default=20
        Units of the gate's hidden layer of tanh; with 0 its outputs are linear in x.
    gate_features : None, list of column names or indices, or transformer, default=None
        What the gate sees of X. None: all columns; a transformer is cloned and fitted inside.
    alpha : float, default=1e-5
        L2 penalty on the slopes of the gate, in standardised units, per unit of the target's
        variance.
    max_iter : int, default=5
        Largest number of rounds. They end when no row changes hands.
    gate_iter : int, default=100
        Largest number of L-BFGS steps of the gate in a round; the next round goes on from there.
    gate_rows : int or None, default=None
        Most rows, drawn at random, that the gate learns from; None takes all, as in the paper.
        Every expert is evaluated on each of them.
    tol : float, default=1e-6
        The gate's training ends when a step lowers the loss by less than this share.
    assignment : {"greedy", "balanced"}, default="greedy"
        How rows are dealt: in random order, each to the expert of highest weight that has room, as
        in the paper; or so that the total weight is as high as the capacity allows.
    capacity : None, int or float, default=None
        Most rows a share may have: rows if an integer, a multiple of an even share if a float, one
        more than an even share if None.
    validation_fraction : float, default=0.1
        Share of the rows held out to choose the round; with 0 the training loss chooses.
    n_jobs : int or None, default=None
        How many experts are fitted at a time, in threads unless a joblib context says otherwise.
    random_state : int, RandomState or None, default=None
        Seed of the partition, the rows held out, the hidden units, and of experts whose own
        ``random_state`` is None.

    Attributes
    ----------
    experts_ : list of fitted estimators
    gate_ : fitted gate
        With ``coef_``, ``intercept_``, ``hidden_coef_`` and ``hidden_intercept_``.
    partition_ : ndarray of int of shape (n_samples,)
        Expert in whose share each row was in the best round; -1 for rows held out or of no weight.
    history_ : DataFrame
        Losses, rows moved, sizes of shares and seconds of every round.
    best_round_ : int
        The round kept, from 1.
    loss_ : float
        Mean squared error of the blend on the rows held out, or on all if there are none.
    n_iter_ : int
        Number of rounds.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X had names.

    See Also
    --------
    HardMoEClassifier : the same for classes.
    MetaPiRegressor : experts whose shares are given.

    Notes
    -----
    Nothing makes the loss fall from round to round, which is why the best is kept.

    Under a linear gate experts complete each other: the blend has a lower error than under weights
    that sum to one, but an expert by itself says little. Share of the variance of new rows that is
    not explained, 2000 rows, means of two data sets, in brackets with ``top_k=1``:

    ====================================  ============  ===========  ===========
    problem and experts                   linear        softmax      sigmoid
    ====================================  ============  ===========  ===========
    sin(2a) b + abs(c), 12 lines          .014 (.84)    .20 (.29)    .11 (.21)
    the same, 8 trees of depth 5          .072 (.53)    .22 (.28)    .16 (.27)
    friedman1, 8 lines                    .047 (.28)    .092 (.11)   .096 (.12)
    ====================================  ============  ===========  ===========

    Choose ``gate="softmax"`` where rows are to consult few experts.

    References
    ----------
    Collobert, Bengio & Bengio (2002), A parallel mixture of SVMs for very large scale problems,
    Neural Computation 14.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from moe_classic import HardMoERegressor
    >>> X = np.linspace(-3, 3, 200)[:, None]
    >>> y = np.abs(X[:, 0])
    >>> moe = HardMoERegressor(2, expert=LinearRegression(), random_state=0).fit(X, y)
    >>> moe.score(X, y) > LinearRegression().fit(X, y).score(X, y)
    True
    """

    _target = RealTarget
    _tanh = False
    _output_kind = "mean"

    def _default_expert(self) -> Any:
        """A support vector machine with a radial kernel, target standardised."""
        machine = make_pipeline(StandardScaler(), SVR())
        return TransformedTargetRegressor(
            machine, transformer=StandardScaler(), check_inverse=False
        )

    def _check_kind(self, experts: Any) -> None:
        """Every regressor will do."""

    def _target_of(self, y: np.ndarray, w: Floats) -> RealTarget:
        """The target around its mean."""
        mean = np.average(y, weights=w)
        return replace(RealTarget.learn(y), shift=np.array([mean]))

    def _fallback(self) -> DummyRegressor:
        """The mean."""
        return DummyRegressor()

    @staticmethod
    def _output_of(fitted: Any, X: np.ndarray, target: Any) -> Floats:
        """Predictions of an expert around the mean of y, (1, n).

        The weights of a linear gate need not sum to one: around zero, they would have to where y
        is far from it.
        """
        return outputs_of(fitted, X) - target.shift[:, None]

    def _explanation(self, X: Any) -> Explanation:
        """What experts and gate say; the mean of y has what the weights leave of one."""
        explanation = super()._explanation(X)
        if self.gate_.output != "linear":
            return explanation
        mean, left = float(self._blend.target.shift[0]), 1.0 - explanation.gate.sum(axis=1)
        return explanation.with_constant("mean", mean, left)

    def predict(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Blend of the experts' predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults, those of highest weight, their weights scaled to sum
            to one unless the gate is linear; None consults all. An expert is evaluated on the rows
            that consult it and on no others.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self._blend.target.from_model(self._blended(X, top_k))

    def expert_predictions(self, X: Any) -> Floats:
        """What each expert predicts by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples, n_experts)
        """
        outputs = self._own_outputs(X)
        return self._blend.target.from_model(outputs)


class HardMoEClassifier(ClassifierMixin, HardMoE):
    """Hard mixture of classifiers, such as SVMs on more rows than one SVM can take.

    ::

        f(x) = tanh( sum_k w_k(x) s_k(x) )

    ``s_k`` is the margin of an expert: its decision value, or half the log odds of its
    probability; for more than two classes, one margin a class. The blend is trained on 1 and -1 by
    squared error. For the rest see :class:`HardMoERegressor`.

    Parameters
    ----------
    n_experts : int, default=2
        Number of experts K.
    expert : None, estimator, list of estimators, or list of (name, estimator), default=None
        What is fitted on a share: a classifier with ``decision_function`` or ``predict_proba``.
        None: a support vector machine with a radial kernel, features standardised.
    gate, hidden_units, gate_features, alpha, max_iter, gate_iter, gate_rows, tol, assignment,
    capacity, validation_fraction, n_jobs, random_state
        As for :class:`HardMoERegressor`. The first shares, and the rows held out, have all classes
        in proportion.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    experts_, gate_, partition_, history_, best_round_, loss_, n_iter_, n_features_in_,
    feature_names_in_
        As for :class:`HardMoERegressor`.

    References
    ----------
    Collobert, Bengio & Bengio (2002), A parallel mixture of SVMs for very large scale problems,
    Neural Computation 14.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import HardMoEClassifier
    >>> X = np.random.default_rng(0).uniform(-2, 2, (400, 2))
    >>> y = np.where(np.floor(X).sum(axis=1) % 2 == 0, "even", "odd")
    >>> HardMoEClassifier(4, random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    _target = ClassTarget
    _tanh = True
    _output_kind = "margin"
    classes_: np.ndarray

    def _default_expert(self) -> Any:
        """A support vector machine with a radial kernel."""
        return make_pipeline(StandardScaler(), SVC())

    def _check_kind(self, experts: Any) -> None:
        """Raise unless every expert has margins, one a class."""
        for expert in all_experts(experts):
            if not (hasattr(expert, "decision_function") or hasattr(expert, "predict_proba")):
                raise TypeError(
                    f"expert: {expert!r} has neither decision_function nor predict_proba; wrap it "
                    "in sklearn.calibration.CalibratedClassifierCV, which adds probabilities."
                )
            shapes = [
                v for k, v in expert.get_params().items() if k.endswith("decision_function_shape")
            ]
            if "ovo" in shapes:
                raise ValueError(
                    f"expert: {expert!r} gives a margin for every pair of classes; set "
                    "decision_function_shape='ovr'."
                )

    def _target_of(self, y: np.ndarray, w: Floats) -> MarginTarget:
        """The classes, as margins tell them apart."""
        return MarginTarget.learn(y)

    def _fallback(self) -> DummyClassifier:
        """The class shares."""
        return DummyClassifier(strategy="prior")

    @staticmethod
    def _output_of(fitted: Any, X: np.ndarray, target: Any) -> Floats:
        """Margins of an expert, (1 or C, n)."""
        return margins_of(fitted, X, target.classes)

    def _explanation(self, X: Any) -> Explanation:
        """What experts and gate say about the rows of ``X``."""
        return explain_margins(self, self._blend, X)

    # -------------------------------------------------------------------- predictions

    @same_as(_probabilities.predict_log_proba)
    def predict_log_proba(self) -> Any: ...

    @same_as(_probabilities.score)
    def score(self) -> Any: ...

    def decision_function(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Blend of the experts' margins, before the tanh.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults; see :meth:`predict`.

        Returns
        -------
        margin : ndarray of shape (n_samples,), or (n_samples, n_classes) for more than two
        """
        return self._blend.target.shaped(self._blended(X, top_k))

    def predict_proba(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Class probabilities: the tanh of the blend, moved from (-1, 1) to (0, 1).

        Squared error on 1 and -1 has its minimum there; for more than two classes the classes'
        probabilities are divided by their sum.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults; see :meth:`predict`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
        """
        return proba_from(self._blended(X, top_k))

    def predict(self, X: Any, *, top_k: int | None = None) -> np.ndarray:
        """Class of the largest blended margin.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults, those of highest weight, their weights scaled to sum
            to one unless the gate is linear; None consults all. An expert is evaluated on the rows
            that consult it and on no others.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        blend = self._blended(X, top_k)
        best = (blend[0] > 0.0).astype(np.intp) if len(blend) == 1 else blend.argmax(axis=0)
        return self.classes_[best]

    def expert_predictions(self, X: Any) -> Floats:
        """Margins of each expert by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        margin : ndarray of shape (n_samples, n_experts), or (n_samples, n_experts, n_classes) for
            more than two classes
        """
        outputs = self._own_outputs(X)
        return self._blend.target.shaped(outputs)
