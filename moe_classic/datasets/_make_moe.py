"""Rows drawn from a mixture of experts whose parameters are known.

Parameters are drawn before rows and from a stream of their own, so that a seed names one truth,
however many rows are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from moe_classic._arguments import check_integer, check_real
from moe_classic._components import TARGETS, require
from moe_classic._data import Block, Design, RawData, Summary, slices_of
from moe_classic._model import MoEParams
from moe_classic._results import AnyExpert, FittedGate, summary_table, view_experts, view_gate
from moe_classic._training import (
    BoundModel,
    bind,
    by_name,
    components,
    resolve_experts,
    resolve_gate,
)
from moe_classic._typing import Floats, Ints
from moe_classic.experts import EXPERTS, Description
from moe_classic.gates import GATES, Gate

from ._draw_params import draw_experts, draw_gate

#: Rows an expert on which regions are laid out, so that the truth depends on the seed alone.
_PILOT_ROWS = 200


@dataclass(frozen=True)
class MoETruth:
    """The mixture of experts from which rows were drawn, written as a fitted one.

    Attributes
    ----------
    experts_ : list of FittedExpert
        With ``coef_``, ``intercept_``, ``scale_`` ... on the original scale, as an estimator's
        ``experts_``; ``weight_`` is the share of the rows that the expert drew.
    gate_ : FittedGate
        With its parameters on the original scale, as an estimator's ``gate_``.
    z : ndarray of int of shape (n_samples,)
        The expert that drew each row, from 0.
    gate_proba : ndarray of shape (n_samples, n_experts)
        True probabilities of the experts at each row, before its target is seen.
    log_density : ndarray of shape (n_samples,)
        True log density (log probability for classes) of each target given its row, in nats: the
        score that no model beats in the long run.
    """

    experts_: list[AnyExpert]
    gate_: FittedGate
    z: Ints
    gate_proba: Floats
    log_density: Floats

    def summary(self) -> pd.DataFrame:
        """Parameters as an estimator's ``summary()`` shows them: one column an expert."""
        prefix = "" if self.experts_[0].link == "logit" else "y"
        outputs = [f"{prefix}{j}" for j in range(np.size(self.experts_[0].intercept_))]
        return summary_table(self.experts_, self.gate_, outputs)


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
    """Draw rows from a random mixture of linear experts.

    ::

        z ~ g(x),   y ~ p_z(y | x)

    Features are uniform on (-1, 1), except those that a Gaussian gate sees: there the expert comes
    first and its normal density draws them.

    Parameters
    ----------
    n_samples : int, default=500
        Number of rows.
    n_experts : int, default=2
        Number of experts K.
    n_features : int, default=1
        Number of features.
    expert : str, expert, or list of (name, expert), default="gaussian"
        As for :class:`~moe_classic.MoERegressor` and :class:`~moe_classic.MoEClassifier`: a
        registered name, a linear expert with its hyper-parameters (``features``, ``tied``, ``df``
        ...), or K named unlike experts. It decides whether y is real or a class. Degrees of
        freedom that an expert leaves open are 4, or the nearest that it allows.
    gate : str or gate, default="softmax"
        ``"softmax"``, ``"gaussian"`` or ``"constant"``, or an instance. A transformer in
        ``features`` of an expert or a gate is fitted on features uniform on (-1, 1).
    n_outputs : int, default=None
        Outputs of a real target. None means 1.
    n_classes : int, default=None
        Classes of a class target. None means 2.
    separation : float, default=None
        How far apart the experts are: root mean square, over features and pairs of experts, of
        the difference of their locations in units of y, or of their logits. 0 makes them equal.
        None means 2, or 8 logits. Only with several experts.
    sharpness : float, default=None
        How clearly the gate tells its regions apart: log odds of an expert against its nearest
        neighbour at the centre of its region. 0 takes all influence from the features; a Gaussian
        gate needs more, and its odds depend on its covariances a little. None means 5. Only with
        several experts and a gate that sees the features.
    noise : float or array-like of shape (n_experts,), default=None
        Scale > 0 of the noise of all experts, or of each. None means 0.3. Only for a real target.
    weights : array-like of shape (n_experts,), default=None
        Relative weights > 0 of the experts: the proportions of a constant or Gaussian gate; a
        softmax gate adds their logarithms to its intercepts. None means equal.
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
        If an argument is out of range, or has no meaning for the expert or the gate.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Xu, Jordan & Hinton (1995), An alternative model for mixtures of experts, NIPS 7.

    Examples
    --------
    >>> from moe_classic.datasets import make_moe
    >>> X, y, truth = make_moe(200, n_experts=3, random_state=0, return_params=True)
    >>> X.shape, y.shape, [expert.scale_ for expert in truth.experts_]
    ((200, 1), (200,), [0.3, 0.3, 0.3])
    """
    sizes = {"n_samples": n_samples, "n_experts": n_experts, "n_features": n_features}
    for name, value in sizes.items():
        check_integer(name, value, 1, "rows, experts or columns to draw")
    target, gate = _target_of(expert), _known_gate(gate)
    groups = resolve_experts(expert, n_experts, target)
    summary = _unit_summary(target, n_outputs, n_classes)
    apart = _checked_separation(separation, n_experts, target)
    scales = _checked_noise(noise, n_experts, target)
    shares = _checked_weights(weights, n_experts)

    seed = check_random_state(random_state).randint(2**31 - 1)
    truth_rng, row_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    pilot = truth_rng.uniform(-1.0, 1.0, (_PILOT_ROWS * n_experts, n_features))
    plan = _bound(groups, gate, pilot, summary)
    sharp = _checked_sharpness(sharpness, plan)
    gate_params = draw_gate(plan, pilot, summary, truth_rng, sharpness=sharp, shares=shares)
    options = {"gate_params": gate_params, "separation": apart, "noise": scales}
    params = MoEParams(gate_params, draw_experts(plan, pilot, summary, truth_rng, **options))
    X, y, z = _rows(plan, params, n_samples, n_features, row_rng)
    given = y if y.ndim == 1 else (y[0] if len(y) == 1 else y.T.copy())
    return (X, given, _truth(plan, params, X, y, z)) if return_params else (X, given)


# ------------------------------------------------------------------------- arguments


def _target_of(expert: Any) -> str:
    """``"real"`` or ``"class"``: what the experts describe; all must be linear and agree."""
    resolved = [by_name("expert", item, EXPERTS, Description) for item in components(expert)]
    instead = f"Use one of {sorted(EXPERTS)}."
    require(resolved, ("draw", "lines"), who="make_moe", instead=instead)
    targets = {e.target for e in resolved}
    if len(targets) != 1:
        raise ValueError(f"expert={expert!r} must name experts for one kind of target.")
    return targets.pop()


def _known_gate(gate: Any) -> Gate:
    """A gate whose parameters can be drawn."""
    gate = resolve_gate(gate)
    require([gate], ("draw",), who="make_moe", instead=f"Use one of {sorted(GATES)}.")
    return gate


def _unit_summary(target: str, n_outputs: int | None, n_classes: int | None) -> Summary:
    """Moments of a standard target of the asked kind and size."""
    for value, name, kind in ((n_outputs, "n_outputs", "real"), (n_classes, "n_classes", "class")):
        if value is not None and TARGETS[kind].classes != TARGETS[target].classes:
            raise ValueError(
                f"{name}={value!r} has no meaning for experts of a {target} target; leave it out."
            )
    if not TARGETS[target].classes:
        d = 1 if n_outputs is None else n_outputs
        check_integer("n_outputs", d, 1, "columns of y")
        low, high = TARGETS[target].low, TARGETS[target].high
        middle = 0.5 * high if np.isfinite(high) else float(low == 0.0)
        return Summary(1.0, np.full(d, middle), np.ones(d))
    count = 2 if n_classes is None else n_classes
    check_integer("n_classes", count, 2, "classes of y")
    share = np.full(count, 1.0 / count)
    return Summary(1.0, share, share * (1.0 - share), count)


def _checked_separation(value: float | None, n_experts: int, target: str) -> float:
    """Root mean square distance between experts."""
    if value is None:
        return 8.0 if TARGETS[target].classes else 2.0
    check_real("separation", value, 0.0, "distance between experts")
    if n_experts == 1:
        raise ValueError(f"separation={value} has no meaning with n_experts=1; leave it out.")
    return float(value)


def _checked_noise(value: ArrayLike | None, n_experts: int, target: str) -> Floats:
    """Scale of each expert, (K,)."""
    if value is not None and TARGETS[target].discrete:
        what = "classes" if TARGETS[target].classes else f"a {target} target"
        raise ValueError(
            f"noise={value!r} has no meaning for {what}, drawn from "
            "probabilities; leave it out, and use separation."
        )
    return _positive(0.3 if value is None else value, "noise", n_experts, scalar=True)


def _checked_weights(value: ArrayLike | None, n_experts: int) -> Floats:
    """Shares of the experts, (K,)."""
    if value is None:
        return np.full(n_experts, 1.0 / n_experts)
    weights = _positive(value, "weights", n_experts, scalar=False)
    return weights / weights.sum()


def _positive(value: ArrayLike, name: str, n_experts: int, *, scalar: bool) -> Floats:
    """Numbers > 0, one an expert."""
    array = np.asarray(value, dtype=np.float64)
    if array.shape != (n_experts,) and not (scalar and array.ndim == 0):
        raise ValueError(
            f"{name} must be {'a number or ' if scalar else ''}one number for each of the "
            f"n_experts={n_experts} experts, got shape {array.shape}."
        )
    if not (np.isfinite(array).all() and (array > 0.0).all()):
        raise ValueError(f"{name} must be finite and > 0, got {value!r}.")
    return np.broadcast_to(array, (n_experts,))


def _checked_sharpness(value: float | None, plan: BoundModel) -> float:
    """Log odds at the centres of the regions."""
    if value is None:
        return 5.0
    gate, n_experts = plan.model.gate, plan.model.n_experts
    check_real("sharpness", value, 0.0, "steepness of the gate")
    if n_experts == 1 or plan.widths[plan.model.gate_design] == 1:
        raise ValueError(
            f"sharpness={value} has no meaning with n_experts={n_experts} and gate={gate!r}: no "
            "gate depends on the features. Leave it out."
        )
    if gate.generative and value == 0.0:
        raise ValueError("sharpness=0 has no Gaussian gate: its normal densities would be flat.")
    return float(value)


# ------------------------------------------------------------------------- model and rows


def _bound(groups: list[Any], gate: Any, pilot: Floats, summary: Summary) -> BoundModel:
    """The model and its designs, on the original scale of the features."""
    w = np.ones(len(pilot))
    kinds = [expert.kind for _, expert, _ in groups]
    # Ones are values of every kind of target but of shares between the ends.
    value = 1.0 if all(kind.allowed(np.ones(1)).all() for kind in kinds) else 0.5
    raw = RawData(pilot, np.full((1, w.size), value), w, w > 0.0)
    rows = slices_of(pilot, w)
    plan = bind(groups, gate, rows, raw=raw, summary=summary, names_in=None, standardize=False)
    if gate.generative and plan.maps[plan.model.gate_design].transformer is not None:
        raise ValueError(
            "gate: features are drawn from the normal densities of a GaussianGate, so its "
            f"features must be None or columns, got {gate.features!r}."
        )
    return plan


def _rows(
    plan: BoundModel, params: MoEParams, n: int, n_features: int, rng: np.random.Generator
) -> tuple[Floats, np.ndarray, Ints]:
    """Features (n, p), target (d, n) or codes (n,), and the expert of every row (n,)."""
    model, X = plan.model, rng.uniform(-1.0, 1.0, (n, n_features))
    if model.gate.generative:
        z, drawn = model.gate.sample_rows(params.gate, n, rng)
        seen = plan.maps[model.gate_design]
        X[:, slice(None) if seen.columns is None else seen.columns] = seen.centre + drawn
    designs = tuple(Design(m(X)) for m in plan.maps)
    if not model.gate.generative:
        z = model.gate.sample(params.gate, designs[model.gate_design], rng)
    draws = np.concatenate(
        [
            g.expert.sample(p, designs[g.design], rng)
            for g, p in zip(model.groups, params.experts, strict=True)
        ]
    )
    return X, draws[z, ..., np.arange(n)].T, z


def _truth(plan: BoundModel, params: MoEParams, X: Floats, y: np.ndarray, z: Ints) -> MoETruth:
    """The parameters as users see them."""
    model, block = plan.model, Block(tuple(Design(m(X)) for m in plan.maps), y, np.ones(len(X)))
    shares = np.bincount(z, minlength=model.n_experts) / len(z)
    return MoETruth(
        view_experts(model, params, plan.maps, shares),
        cast(FittedGate, view_gate(model, params, plan.maps[model.gate_design])),
        z,
        np.exp(model.log_gate(params, block)).T,
        model.log_likelihood(params, block),
    )
