"""Beta experts for shares strictly between 0 and 1.

::

    log p(y | x) = log Gamma(f) - log Gamma(m f) - log Gamma((1 - m) f)
                   + (m f - 1) log y + ((1 - m) f - 1) log(1 - y),   m = 1 / (1 + exp(-eta))

with concentration f, so that the variance is ``m (1 - m) / (1 + f)``. Link: logit. Step: Fisher
scoring in the coefficients, joined to Newton's in log f. Ferrari & Cribari-Neto (2004), Beta
regression for modelling rates and proportions, Journal of Applied Statistics 31.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import betainc, betaincinv, digamma, expit, gammaln, logit, polygamma

from moe_classic._components import Forward
from moe_classic._data import Design, Summary
from moe_classic._numerics import empty, gamma_functions
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearParams
from moe_classic.penalties import Penalty

from .joint import ConcentrationParams, JointExpert, JointStats, known_parameter

#: Predictors beyond this are taken as this: both shares stay positive.
_FARTHEST = 30.0


class BetaExpert(JointExpert):
    """Beta regressions for shares strictly between 0 and 1, with the logit as link.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`PoissonExpert`.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    concentration : float, default=None
        The f of the variance ``m (1 - m) / (1 + f)``, known as the precision too.
        None estimates one of every expert, of 1e6 at most.
    offset : str or int, default=None
        Column of X, by name or index, that is added to the linear predictor.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common; see :class:`GaussianExpert`.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero.

    References
    ----------
    Ferrari & Cribari-Neto (2004), Beta regression for modelling rates and proportions, Journal of
    Applied Statistics 31.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import BetaExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(800, 1))
    >>> mean = 1.0 / (1.0 + np.exp(-x[:, 0]))
    >>> share = rng.beta(10.0 * mean, 10.0 * (1.0 - mean))
    >>> moe = MoERegressor(1, expert=BetaExpert()).fit(x, share)
    >>> round(moe.experts_[0].concentration_)
    10
    """

    name: ClassVar[str] = "beta"
    target: ClassVar[str] = "share"
    link: ClassVar[str] = "logit"
    nuisances: ClassVar[dict[str, Any]] = {"concentration": "positive"}
    floored: ClassVar[frozenset[str]] = frozenset({"concentration"})
    limits: ClassVar[tuple[float, float]] = (1e-3, 1e6)
    unbounded_at: ClassVar[int | None] = 1
    record: ClassVar[type[LinearParams]] = ConcentrationParams

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        concentration: float | None = None,
        offset: str | int | None = None,
        shared: Any = None,
        penalty: Penalty | None = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.penalty = penalty
        self.offset = offset
        self.concentration = concentration
        self.shared = shared

    def link_of(self, mean: Floats) -> Floats:
        """The logit."""
        return np.asarray(logit(mean), dtype=np.float64)

    def predictor(self, params: Any, design: Any) -> Floats:
        """Linear predictors, (K, 1, n)."""
        return np.clip(design.linear(params.coef), -_FARTHEST, _FARTHEST)

    def first_value(self, summary: Summary) -> float:
        """From the variance that the mean allows at most."""
        mean = float(np.clip(summary.y_mean[0], 1e-6, 1.0 - 1e-6))
        return mean * (1.0 - mean) / max(float(summary.y_var[0]), 1e-12) - 1.0

    def parts(self, eta: Floats, y: Floats, phi: Floats) -> tuple[Floats, Any]:
        """Log density; the two shares of the concentration, slopes in them, and curvatures."""
        a, b = np.exp(eta, out=empty(eta.shape)), empty(eta.shape)
        np.divide(phi, np.add(a, 1.0, out=b), out=b)
        a *= b
        up, down = np.log(y), np.log1p(-y)
        (log_a, left, bend_a), (log_b, right, bend_b) = gamma_functions(a), gamma_functions(b)
        # (a - 1) log y + (b - 1) log(1 - y), with b = f - a.
        log_prob = np.multiply(a, up - down)
        log_a += log_b
        log_prob -= log_a
        log_prob += np.multiply(phi - 1.0, down, out=log_b)
        log_prob -= up
        log_prob += gammaln(phi)
        np.subtract(up, left, out=left)
        np.subtract(down, right, out=right)
        v = np.multiply(a, b, out=log_a)
        v *= 1.0 / phi
        return log_prob, (a, b, v, left, right, bend_a, bend_b)

    def first(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, Floats]:
        """``v d`` with ``v = a b / f``, and ``f psi(f) + a (log y - psi(a)) + ...``."""
        a, b, v, left, right, *_ = work
        return v * (left - right), a * left + b * right + phi * digamma(phi)

    def second(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, ...]:
        """By the chain rule in a and b, whose derivatives in eta are ``v`` and ``- v``."""
        a, b, v, _, _, bend_a, bend_b = work
        slope, rise = self.first(eta, y, phi, work)
        ends = a * bend_a, b * bend_b
        both = slope * (b - a) / phi - self.weights(eta, y, phi, work)
        mixed = slope - v * (ends[0] - ends[1])
        rest = rise - a * ends[0] - b * ends[1]
        return both, mixed, rest + phi**2 * polygamma(1, phi)

    def weights(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> Floats:
        """Expected information, ``v^2 (psi'(a) + psi'(b))``."""
        _, _, v, _, _, bend_a, bend_b = work
        weights = np.add(bend_a, bend_b, out=empty(v.shape))
        weights *= v
        weights *= v
        return weights

    # -------------------------------------------------------------------- the step

    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> JointStats:
        """Scores and curvatures; derivatives in log f meet the rows only in sums."""
        (_, _, (a, b, v, left, right, bend_a, bend_b)), phi = fwd.work, params.concentration
        weight, mixed, room, end = (empty(v.shape) for _ in range(4))
        np.multiply(S, v, out=weight)
        np.subtract(left, right, out=mixed)
        score = design.scores(np.multiply(weight, mixed, out=room)[:, None])
        mass, f = S.sum(axis=1), phi[:, 0]
        if self.given is not None:
            return known_parameter(grams, score, mass)
        first, second = mass * f * digamma(f), mass * f**2 * polygamma(1, f)
        for add, share, slope, bend in ((np.subtract, a, left, bend_a), (np.add, b, right, bend_b)):
            rows = np.multiply(S, share, out=room)
            first += np.einsum("kn,kn->k", rows, slope)
            np.multiply(share, bend, out=end)
            second -= np.einsum("kn,kn->k", rows, end)
            add(mixed, end, out=mixed)
        cross = design.scores(np.multiply(weight, mixed, out=mixed)[:, None])
        return JointStats(grams, score, mass, cross, first, first + second)

    def from_noise(self, noise: Floats) -> Floats:
        """The concentration under which logits vary by about the noise, (K,)."""
        return 4.0 / np.square(noise)

    # -------------------------------------------------------------------- answers about y

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """Means, (K, 1, n)."""
        return np.asarray(expit(eta), dtype=np.float64)

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """``m (1 - m) / (1 + f)``."""
        return expit(eta) * expit(-eta) / (1.0 + params.concentration[:, :, None])

    def _shapes(self, params: Any, eta: Floats) -> tuple[Floats, Floats]:
        """The two shares of the concentration, (K, 1, n)."""
        phi = params.concentration[:, :, None]
        return phi * expit(eta), phi * expit(-eta)

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        return betainc(*self._shapes(params, eta), np.clip(y, 0.0, 1.0))

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n)."""
        return betaincinv(*self._shapes(params, eta), q)

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Beta draws, (K, 1, n)."""
        drawn = rng.beta(*self._shapes(params, eta))
        return np.clip(drawn, np.finfo(float).tiny, 1.0 - np.finfo(float).epsneg)

    def output_slopes(self, params: Any, m: Floats, v: Floats) -> Floats:
        """Of the logit from those of the mean: ``m (1 - m)`` times them."""
        return m * (1.0 - m) * v

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """The logistic function of the predictor."""
        return str(graph.node("Sigmoid", linear(params.coef)))
