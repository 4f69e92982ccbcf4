"""One sweep of variational Bayes over a mixture of experts, and the bound that it climbs.

::

    log p(y | X) >= sum_n w_n log sum_k exp(E log g_k(x_n) + E log p_k(y_n | x_n)) - divergences

in which expectations are over q, the product of the posteriors of the gate and of each expert, and
the divergences are theirs from the priors. Every step, of responsibilities, of experts, of the gate
and of the precisions of either, is the best of its factor given the others or climbs towards it, so
that the bound never falls. Waterhouse, MacKay & Robinson (1996), Bayesian methods for mixtures of
experts, NIPS 8; Baldacchino, Cross, Worden & Rowson (2016), Variational Bayesian mixture of experts
models and sensitivity analysis for nonlinear dynamical systems, Mechanical Systems and Signal
Processing 66-67.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import gammaln

from moe_classic._data import Design
from moe_classic._numerics import log_normalised, log_sum_exp
from moe_classic._typing import Floats, Ints

from .draws import KEPT, normal_cloud
from .joint import Joint
from .logits import BayesianLogits, LogitPosterior, laplace_covariance
from .logits import slack as gate_slack
from .missing import Scores, blocks, with_missing_labels

#: Sweeps under fixed responsibilities with which a start begins.
_WARM_SWEEPS = 3
#: Sweeps after which a mixture with one expert less is asked for its evidence.
_AT_ONCE = 5


class Posterior(Protocol):
    """What is known of K experts."""

    def take(self, order: Ints) -> Any:
        """Some experts, in an order."""


class Family(Protocol):
    """Experts with priors."""

    def start(self, n_experts: int, width: int) -> Any:
        """Experts before any data."""

    def update(self, last: Any, design: Design, y: np.ndarray, S: Floats) -> Any:
        """A better posterior for row weights ``S`` (K, n)."""

    def expected_log_density(self, q: Any, design: Design, y: np.ndarray) -> Floats:
        """Averages over the posterior, or lower bounds on them, (K, n)."""

    def divergence(self, q: Any) -> Floats:
        """What the bound pays for each expert, (K,)."""

    def slack(self, q: Any, design: Design, S: Floats) -> float:
        """What bounds on the densities give away of the evidence, about."""

    def scores(self, q: Any, design: Design, y: np.ndarray, S: Floats) -> list[Scores]:
        """Scores of the rows under each expert, with covariances if labels were known."""

    def widened(self, q: Any, covs: Sequence[Floats]) -> Any:
        """What is told: means, with covariances as given, in the order of :meth:`scores`."""

    @property
    def outputs(self) -> int:
        """Numbers that a density of a row is made from."""

    @property
    def conjugate(self) -> bool:
        """Whether the posterior of a single expert is as good as exact."""

    def basis(self, width: int) -> Floats:
        """From free parameters of an expert to all P of them, orthonormal columns."""

    def centre(self, q: Any) -> Floats:
        """Means (K, P) of the parameters, in the order of :meth:`scores`."""

    def log_prior(self, own: Floats) -> Floats:
        """Log prior density of parameters (S, K, P), precisions integrated out, (S,)."""

    def log_density(self, own: Floats, design: Design, y: np.ndarray) -> Floats:
        """Log densities of the rows for parameters (S, K, P), (S, K, n)."""

    def projected(self, q: Any, own: Floats, w: Floats, kept: Floats) -> Any:
        """What is told after draws (S, K, P) of weights ``w``, of which some stand for all."""


@dataclass(frozen=True)
class State:
    """Posteriors, and the rows under them.

    Attributes
    ----------
    experts, gate : posteriors
    log_gate, log_density : (K, n), expectations
    R : (K, n), responsibilities
    bound : lower bound on the log evidence, in nats
    """

    experts: Any
    gate: LogitPosterior
    log_gate: Floats
    log_density: Floats
    R: Floats
    bound: float

    @property
    def n_experts(self) -> int:
        """Number of experts."""
        return len(self.R)


@dataclass(frozen=True)
class BayesianMixture:
    """A gate and experts with priors, and the rows of a fit.

    Attributes
    ----------
    family, gate : experts and gate
    expert_design, gate_design : Design
    y : (d, n) standardised target, or (n,) class codes
    w : (n,)
    """

    family: Family
    gate: BayesianLogits
    expert_design: Design
    gate_design: Design
    y: np.ndarray
    w: Floats

    def from_responsibilities(self, R: Floats) -> State:
        """Posteriors after a few updates under fixed responsibilities (K, n)."""
        K = len(R)
        experts = self.family.start(K, self.expert_design.width)
        gate = self.gate.start(1, K, self.gate_design.width)
        for _ in range(_WARM_SWEEPS):
            experts, gate = self._updated(experts, gate, R)
        return self.seen(experts, gate)

    def seen(self, experts: Any, gate: LogitPosterior) -> State:
        """Best responsibilities under the posteriors, and the bound."""
        log_gate = self.gate.expected_log_proba(gate, self.gate_design)[0]
        log_density = self.family.expected_log_density(experts, self.expert_design, self.y)
        joint = log_gate + log_density
        total = log_sum_exp(joint)
        R = np.exp(log_normalised(joint))
        paid = self.family.divergence(experts).sum() + self.gate.divergence(gate).sum()
        return State(experts, gate, log_gate, log_density, R, float(total @ self.w - paid))

    def sweep(self, state: State) -> State:
        """Every factor once."""
        return self.seen(*self._updated(state.experts, state.gate, state.R))

    def _updated(self, experts: Any, gate: LogitPosterior, R: Floats) -> tuple[Any, LogitPosterior]:
        """Better posteriors for responsibilities ``R``."""
        experts = self.family.update(experts, self.expert_design, self.y, self.w * R)
        return experts, self.gate.update(gate, self.gate_design, R[None], self.w[None])

    def evidence(self, state: State) -> float:
        """Estimate of the log evidence, by which numbers of experts are compared.

        The bound, with the curvatures at the means in place of those of Bohning, which give away
        more the sharper a gate is, and with one like it for every order of the experts.
        """
        S = self.w * state.R
        slack = self.family.slack(state.experts, self.expert_design, S)
        slack += float(gate_slack(state.gate, self.gate_design, self.w[None])[0])
        return state.bound + slack + float(gammaln(state.n_experts + 1.0))

    def told(self, state: State) -> tuple[Any, Floats]:
        """Posterior of the experts, and draws (D, K, q) of the gate, as they are told.

        From draws of all parameters together where these are few enough; else from the normal with
        the bound's means, the curvature at them, and what is not known of the labels. Draws begin
        with that normal.
        """
        parts = self._scores(state)
        cov = with_missing_labels(parts, state.R, self.w)
        K, q = state.gate.mean.shape[1:]
        mean = np.concatenate([state.gate.mean[0], self.family.centre(state.experts)], axis=1)
        exact = K == 1 and self.family.conjugate
        found = None if exact else self._joint(K).draws(mean, cov)
        if found is not None:
            own = found.points.reshape(len(found.points), K, -1)[..., q:]
            kept = found.resampled(KEPT).reshape(KEPT, K, -1)
            told = self.family.projected(state.experts, own, found.weights, kept[..., q:])
            return told, kept[..., :q]
        gate, *experts = blocks(cov, parts)
        cloud = normal_cloud(state.gate.mean.ravel(), gate.reshape(K * q, K * q), KEPT)
        return self.family.widened(state.experts, experts), cloud.reshape(KEPT, K, q)

    def _scores(self, state: State) -> list[Scores]:
        """Scores of the rows for the gate and for the experts."""
        gate = laplace_covariance(state.gate, self.gate_design, self.w[None])[0]
        own = Scores(np.ones((state.n_experts, 1, self.w.size)), self.gate_design.Z, gate)
        S = self.w * state.R
        return [own, *self.family.scores(state.experts, self.expert_design, self.y, S)]

    def _joint(self, n_experts: int) -> Joint:
        """The posterior that no product of factors approximates."""
        return Joint(
            self.family,
            self.gate,
            self.expert_design,
            self.gate_design,
            self.y,
            self.w,
            n_experts,
        )

    # -------------------------------------------------------------------- fewer experts

    def without(self, state: State, k: int) -> State:
        """The mixture without expert ``k``, whose rows go to the others."""
        others = np.delete(np.arange(state.n_experts), k)
        left = state.gate.without(k)
        gate = self.gate.with_precisions(left.mean, left.cov)
        return self.seen(state.experts.take(others), gate)

    def spared(self, state: State) -> Floats:
        """By how much the bound would about rise without each expert, (K,)."""
        paid = self.family.divergence(state.experts)
        joint = state.log_gate + state.log_density
        total = log_sum_exp(joint)
        rise = np.empty(state.n_experts)
        for k in range(state.n_experts):
            others = np.delete(np.arange(state.n_experts), k)
            share = log_sum_exp(state.log_gate[others]) - log_sum_exp(state.log_gate)
            left = log_sum_exp(joint[others]) - share
            rise[k] = paid[k] - float((total - left) @ self.w)
        return rise


@dataclass(frozen=True)
class Run:
    """A climb: where it ended, the bounds on the way, and whether nothing was left to gain."""

    state: State
    trace: list[float]
    converged: bool


def climb(mixture: BayesianMixture, state: State, *, max_iter: int, tol: float) -> Run:
    """Sweep until less than ``tol`` nats a unit of weight are left to gain.

    What is left is estimated by Aitken's method from the last two gains.
    """
    enough = tol * float(mixture.w.sum())
    trace, last_gain = [state.bound], np.inf
    for _ in range(max_iter):
        state = mixture.sweep(state)
        trace.append(state.bound)
        gain = trace[-1] - trace[-2]
        slowing = gain < last_gain
        left = gain * gain / (last_gain - gain) if slowing and np.isfinite(last_gain) else gain
        if gain <= enough and (not slowing or left <= enough):
            return Run(state, trace, converged=True)
        last_gain = gain
    return Run(state, trace, converged=False)


@dataclass(frozen=True)
class Step:
    """A mixture on the way from many experts to few: their number, bound and evidence."""

    n_experts: int
    bound: float
    evidence: float

    @classmethod
    def at(cls, mixture: BayesianMixture, state: State) -> Step:
        """Where a climb stands."""
        return cls(state.n_experts, state.bound, mixture.evidence(state))


def pruned(
    mixture: BayesianMixture, run: Run, *, max_iter: int, tol: float, tries: int
) -> tuple[Run, list[Step]]:
    """Drop experts one by one as long as the evidence rises.

    Those whose loss costs least by a first look are tried first, ``tries`` of them with
    ``max_iter`` sweeps each.

    Returns
    -------
    run : the climb from which no expert could be dropped
    path : every mixture on the way
    """
    path = [Step.at(mixture, run.state)]
    while run.state.n_experts > 1:
        best = path[-1].evidence
        better = _one_less(mixture, run.state, best, max_iter=max_iter, tol=tol, tries=tries)
        if better is None:
            return run, path
        run = better
        path.append(Step.at(mixture, run.state))
    return run, path


def _one_less(
    mixture: BayesianMixture, state: State, best: float, *, max_iter: int, tol: float, tries: int
) -> Run | None:
    """A climb with one expert less whose evidence ends higher than ``best``, if one is found."""
    for k in np.argsort(-mixture.spared(state), kind="stable")[:tries]:
        left, fewer = max_iter, mixture.without(state, int(k))
        while left > 0:
            run = climb(mixture, fewer, max_iter=min(_AT_ONCE, left), tol=tol)
            if mixture.evidence(run.state) > best:
                return run
            if run.converged:
                break
            left, fewer = left - _AT_ONCE, run.state
    return None
