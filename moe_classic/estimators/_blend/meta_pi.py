"""MetaPiRegressor and MetaPiClassifier: experts of several sources, blended by a gate.

::

    f(x) = sum_k p_k(x) o_k(x),   E = 1/N sum_n ||y_n - f(x_n)||^2
    dE/do_k = -2/N p_k (y - f),   dE/ds_k = -2/N p_k (y - f)'(o_k - f)   for softmax weights

Hampshire & Waibel (1992), The Meta-Pi network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.utils import get_tags

from moe_classic._adapters import outputs_of, proba_of
from moe_classic._sklearn import ClassifierMixin, RegressorMixin
from moe_classic._targets import ClassTarget, RealTarget
from moe_classic._typing import Floats, same_as
from moe_classic.estimators import _probabilities

from .base import MetaPi
from .sources import all_experts


class MetaPiRegressor(RegressorMixin, MetaPi):
    """Regressors of several sources, blended by a gate that is not told the source.

    ::

        f(x) = sum_k p_k(x) o_k(x)

    Every expert ``o_k`` learns from its own source alone. Then the gate ``p`` learns, on all rows
    and without the sources' labels, from the squared error of the *blend*: unlike in a mixture
    fitted by maximum likelihood, experts are to complete each other, and a row may need several.
    A source without an expert of its own is served by those of others.

    Parameters
    ----------
    experts : estimator, list of estimators, or list of (name, estimator)
        One regressor is cloned for every source. Of a list, each learns from the source of its
        name, or else from the one in its place when labels are sorted; with one source, all learn
        from all rows. Prefit ones inside :class:`~sklearn.frozen.FrozenEstimator` do not learn; if
        all are prefit, sources may be any.
    gate : {"softmax", "sigmoid", "constant"}, default="softmax"
        How the outputs of the gate become weights that sum to one: by exponentials; by logistic
        functions divided by their sum, as in the paper; or weights that do not depend on x, which
        are then the exact solution of least squares on the simplex (stacking).
    hidden_units : int, default=0
        Units of a hidden layer of tanh; with 0 the outputs are linear in x.
    gate_features : None, list of column names or indices, or transformer, default=None
        What the gate sees of X. None: all columns; a transformer is cloned and fitted inside.
    alpha : float, default=1e-6
        L2 penalty on the slopes of the gate, in standardised units, per unit of the target's
        variance.
    joint : bool, default=False
        Whether gate and experts are trained further together, on the same loss. Experts must be
        linear regressions, MLPs, or pipelines that end in one; their own penalties play no part.
    max_iter : int, default=500
        Largest number of L-BFGS steps of the gate, and again of the joint training.
    tol : float, default=1e-7
        Training ends when a step lowers the loss by less than this share.
    n_jobs : int or None, default=None
        How many experts are fitted at a time, in threads unless a joblib context says otherwise.
    random_state : int, RandomState or None, default=None
        Seed of the hidden units, and of experts whose own ``random_state`` is None.

    Attributes
    ----------
    experts_ : list of fitted estimators
    expert_names_ : list of str
        Names given, or labels of the sources.
    gate_ : fitted gate
        With ``coef_`` (n_experts, n_features) and ``intercept_`` (n_experts,) on the original
        scale, ``hidden_coef_`` and ``hidden_intercept_``, or ``weights_`` if constant.
    sources_ : ndarray
        Labels of the sources.
    source_table_ : DataFrame
        Mean weight of every expert (columns) in every source (rows).
    loss_ : float
        Mean squared error of the blend on the training rows, summed over outputs.
    trace_ : ndarray
        Loss and penalty over the target's variance, after every step; falls.
    n_iter_ : int
        Number of steps.
    converged_ : bool
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X had names.

    See Also
    --------
    MetaPiClassifier : the same for classes.
    MoERegressor : experts that compete, fitted by maximum likelihood.

    Notes
    -----
    The error of the blend is that of its experts less their disagreement, see :meth:`ambiguity`.
    The loss is not convex in the gate unless it is constant. Experts that fit their own rows too
    well mislead a gate that is trained on the same rows.

    References
    ----------
    Hampshire & Waibel (1992), The Meta-Pi network: building distributed knowledge representations
    for robust multisource pattern recognition, IEEE Transactions on Pattern Analysis and Machine
    Intelligence 14. Krogh & Vedelsby (1995), Neural network ensembles, cross validation, and active
    learning, NIPS 7.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from moe_classic import MetaPiRegressor
    >>> X = np.linspace(-3, 3, 60)[:, None]
    >>> y = np.abs(X[:, 0])
    >>> blend = MetaPiRegressor(LinearRegression()).fit(X, y, sources=X[:, 0] > 0)
    >>> blend.score(X, y) > 0.99
    True
    """

    _target = RealTarget
    _output_kind = "mean"

    def __sklearn_tags__(self) -> Any:
        """Tags; several outputs where every expert describes them."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self._describes_outputs()
        return tags

    def _describes_outputs(self) -> bool:
        """Whether every expert describes several outputs."""
        several = [get_tags(e).target_tags.multi_output for e in all_experts(self.experts)]
        return bool(several) and all(several)

    @staticmethod
    def _output_of(fitted: Any, X: np.ndarray, target: Any) -> Floats:
        """Predictions of an expert, (d, n)."""
        return outputs_of(fitted, X)

    def _fallback(self) -> DummyRegressor:
        """The mean."""
        return DummyRegressor()

    def predict(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Blend of the experts' predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults, those of highest weight, their weights scaled to sum
            to one; None consults all. An expert is evaluated on the rows that consult it and on
            no others.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._blend.target.from_model(self._blended(X, top_k))

    def expert_predictions(self, X: Any) -> Floats:
        """What each expert predicts by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples, n_experts) or (n_samples, n_experts, n_outputs)
        """
        outputs = self._own_outputs(X)
        return self._blend.target.from_model(outputs)


class MetaPiClassifier(ClassifierMixin, MetaPi):
    """Classifiers of several sources, blended by a gate that is not told the source.

    ::

        P(y = c | x) = sum_k p_k(x) P_k(c | x)

    As :class:`MetaPiRegressor`, with the experts' class probabilities for outputs and the classes,
    one of each row being 1 and all others 0, for target.

    Parameters
    ----------
    experts : estimator, list of estimators, or list of (name, estimator)
        Classifiers with ``predict_proba``; see :class:`MetaPiRegressor`.
    gate, hidden_units, gate_features, alpha, max_iter, tol, n_jobs, random_state
        As for :class:`MetaPiRegressor`.
    joint : bool, default=False
        Whether gate and experts are trained further together, on the same loss. Experts must be
        :class:`~sklearn.linear_model.LogisticRegression`, MLPs, or pipelines that end in one;
        their own penalties play no part.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    experts_, expert_names_, gate_, sources_, source_table_, loss_, trace_, n_iter_, converged_,
    n_features_in_, feature_names_in_
        As for :class:`MetaPiRegressor`; the loss is Brier's score.

    References
    ----------
    Hampshire & Waibel (1992), The Meta-Pi network: building distributed knowledge representations
    for robust multisource pattern recognition, IEEE Transactions on Pattern Analysis and Machine
    Intelligence 14.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from moe_classic import MetaPiClassifier
    >>> from moe_classic.datasets import make_speakers
    >>> X, y, speaker = make_speakers(900, random_state=0)
    >>> blend = MetaPiClassifier(LogisticRegression()).fit(X, y, sources=speaker)
    >>> blend.score(X, y) > LogisticRegression().fit(X, y).score(X, y)
    True
    """

    _target = ClassTarget
    _output_kind = "log odds"

    classes_: np.ndarray

    @staticmethod
    def _output_of(fitted: Any, X: np.ndarray, target: Any) -> Floats:
        """Class probabilities of an expert, (C, n)."""
        return proba_of(fitted, X, target.classes)

    def _fallback(self) -> DummyClassifier:
        """The class shares."""
        return DummyClassifier(strategy="prior")

    def predict_proba(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Class probabilities, the experts' blended by the gate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults; see :meth:`predict`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
        """
        proba = self._blended(X, top_k).T
        return proba / proba.sum(axis=1, keepdims=True)

    @same_as(_probabilities.predict)
    def predict(self) -> Any: ...

    @same_as(_probabilities.score)
    def score(self) -> Any: ...

    @same_as(_probabilities.predict_log_proba)
    def predict_log_proba(self) -> Any: ...

    def expert_predictions(self, X: Any) -> Floats:
        """Class probabilities of each expert by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_experts, n_classes)
        """
        return self._own_outputs(X).transpose(2, 0, 1)
