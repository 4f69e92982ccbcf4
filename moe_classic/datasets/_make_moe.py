"""Rows drawn from a mixture of experts whose parameters are known.

Parameters are drawn before rows and from a stream of their own, so that a seed names one truth,
however many rows are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.cluster.vq import kmeans2
from sklearn.utils import check_random_state

from moe_classic._blocks import Block, Design
from moe_classic._model import MoEParams
from moe_classic._stats import Summary
from moe_classic._typing import Floats, Ints
from moe_classic.estimators._data import RawData
from moe_classic.estimators._resolve import Plan, bind, by_name, resolve_experts, resolve_gate
from moe_classic.estimators._views import (
    FittedExpert,
    FittedGate,
    summary_table,
    view_experts,
    view_gate,
)
from moe_classic.experts import EXPERTS, Expert
from moe_classic.experts._base import LinearExpert
from moe_classic.gates import ConstantGate, GaussianGate, SoftmaxGate
from moe_classic.predictive import choose

from ._generate import check_count, check_number

#: Rows an expert on which regions are laid out, so that the truth depends on the seed alone.
_PILOT_ROWS = 200
#: Variance of a feature that is uniform on (-1, 1).
_VARIANCE = 1.0 / 3.0
_DEFAULT_SHARPNESS = 5.0
_DEFAULT_NOISE = 0.3
#: Distance of the experts: units of y, or logits between classes.
_DEFAULT_SEPARATION = {"real": 2.0, "class": 8.0}


@dataclass(frozen=True)
class MoETruth:
    """The mixture of experts from which rows were drawn, written as a fitted one.

    Attributes
    ----------
    experts_ : list of FittedExpert
        With ``coef_``, ``intercept_``, ``scale_`` ... on the original scale, as an estimator's
        ``experts_``; ``weight_`` is the share of the rows drawn from the expert.
    gate_ : FittedGate
        With its parameters on the original scale, as an estimator's ``gate_``.
    z : ndarray of int of shape (n_samples,)
        The expert from which each row was drawn.
    gate_proba : ndarray of shape (n_samples, n_experts)
        True probabilities of the experts at each row, before its target is seen.
    log_density : ndarray of shape (n_samples,)
        True log density (log probability for classes) of each target given its row: the score
        that no model beats in the long run, in nats.
    """

    experts_: list[FittedExpert]
    gate_: FittedGate
    z: Ints
    gate_proba: Floats
    log_density: Floats
    outputs: tuple[str, ...]

    def summary(self) -> pd.DataFrame:
        """Parameters as an estimator's ``summary()`` shows them: one column an expert."""
        return summary_table(self.experts_, self.gate_, list(self.outputs))


def make_moe(
    n_samples: int = 500,
    *,
    n_experts: int = 2,
    n_features: int = 1,
    expert: Any = "gaussian",
    gate: Any = "softmax",
    n_outputs: int | None = None,
    n_classes: int | None = None,
    separation: float | None = None,
    sharpness: float | None = None,
    noise: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
    return_params: bool = False,
) -> tuple[Floats, np.ndarray] | tuple[Floats, np.ndarray, MoETruth]:
    """Draw rows from a random mixture of experts.

    ::

        z ~ g(x),   y ~ p_z(y | x)

    Features are uniform on (-1, 1); with a Gaussian gate the expert is drawn first and its features
    from its normal density. Each expert is linear: slopes common to all experts plus a part of its
    own.

    Parameters
    ----------
    n_samples : int, default=500
        Number of rows.
    n_experts : int, default=2
        Number of experts K.
    n_features : int, default=1
        Number of features.
    expert : str, expert, or list of (name, expert), default="gaussian"
        As for :class:`~moe_classic.MoERegressor` and :class:`~moe_classic.MoEClassifier`; a
        registered name, a linear expert with its hyper-parameters (``features``, ``df``, ``tied``,
        ``covariance_type`` ...), or K named unlike experts. It decides whether y is real or a
        class. Degrees of freedom that the expert leaves open are 4.
    gate : str or gate, default="softmax"
        ``"softmax"``, ``"gaussian"`` or ``"constant"``, or an instance.
    n_outputs : int, default=None
        Outputs of a real target; None means 1, with y of shape (n_samples,).
    n_classes : int, default=None
        Classes of a class target; None means 2.
    separation : float >= 0, default=None
        How far apart the experts are: root mean square, over features and pairs of experts, of
        the difference of their locations (in units of y), or of their logits for classes. 0 makes
        them equal. None means 2, or 8 logits. Only with several experts.
    sharpness : float >= 0, default=None
        How clearly the gate tells its regions apart: log odds of an expert against its nearest
        neighbour at the centre of its region. 0 leaves the features without influence (a Gaussian
        gate needs more than 0; its log odds are about this). None means 5. Only with several
        experts and a gate that sees the features.
    noise : float > 0 or array-like of shape (n_experts,), default=None
        Scale of the noise of all experts or of each: standard deviation, ``b`` of a Laplace, scale
        of a Student-t expert. None means 0.3. Only for a real target.
    weights : array-like of shape (n_experts,), default=None
        Relative weights > 0 of the experts: proportions of a constant or Gaussian gate; a softmax
        gate adds their logarithms to its intercepts. None means equal.
    random_state : int, RandomState instance or None, default=None
        Seed of parameters and rows. The same seed with another `n_samples` draws from the same
        mixture.
    return_params : bool, default=False
        Whether to return the true parameters too.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Features.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The target; classes are 0, 1, ...
    truth : MoETruth
        True parameters, experts and log densities. Only with ``return_params=True``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or has no meaning for the expert or the gate.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6, section 2: the probability model. Xu, Jordan & Hinton (1995), An alternative
    model for mixtures of experts, NIPS 7: features from Gaussian gates.

    Examples
    --------
    >>> from moe_classic.datasets import make_moe
    >>> X, y, truth = make_moe(200, n_experts=3, random_state=0, return_params=True)
    >>> X.shape, y.shape, [expert.scale_ for expert in truth.experts_]
    ((200, 1), (200,), [0.3, 0.3, 0.3])
    """
    check_count(n_samples, "n_samples")
    check_count(n_experts, "n_experts")
    check_count(n_features, "n_features")
    target, gate = _target(expert), resolve_gate(gate)
    groups = resolve_experts(expert, n_experts, target)
    summary = _unit_summary(target, n_outputs, n_classes)
    controls = _Controls(
        _separation(separation, n_experts, target),
        sharpness,
        _noise(noise, n_experts, target),
        _weights(weights, n_experts),
    )
    seed = check_random_state(random_state).randint(2**31 - 1)
    truth_rng, row_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    pilot = truth_rng.uniform(-1.0, 1.0, (_PILOT_ROWS * n_experts, n_features))
    plan = _bound(groups, gate, pilot, summary)
    gate_params = _gate_params(plan, pilot, controls, truth_rng)
    params = MoEParams(gate_params, _expert_params(plan, pilot, controls, summary, truth_rng))
    block, X, z = _rows(plan, params, n_samples, n_features, row_rng)
    y = X_y_target(block.y)
    return (X, y, _truth(plan, params, block, z)) if return_params else (X, y)
