"""Experts whose parameters are distributions: what a Bayesian mixture predicts with.

::

    p(y | x) = sum_k E g_k(x) t(y; 2 s_k, m_k z, (r_k / s_k) (1 + z' L_k^-1 z))
    P(c | x) = sum_k E g_k(x) E P_k(c | x)

The precision of a Gaussian expert is averaged out exactly: its density is a Student-t whose scale
grows with the distance from the rows that it has seen (Bishop 2006, Pattern Recognition and Machine
Learning, section 10.3.2). Class probabilities are averaged over draws, and so are those of the
gate: where classes or regions can be divided sharply, posteriors are far from normal.

They learn by the sweeps of this room and not as other components do: the steps of maximum
likelihood are refused.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from scipy.special import gammaln

from moe_classic._components import SCALE, STUDENT_T, Forward
from moe_classic._data import Design, DesignMap, Stats, Summary
from moe_classic._numerics import choose
from moe_classic._typing import Floats, Ints
from moe_classic.experts import Expert

from .lines import LinePosterior, leverage
from .logits import mean_log_softmax
from .tables import TermRow, draws_summary, line_summary, normal_draws, scale_summary


def learns_otherwise(component: Any, instead: str) -> TypeError:
    """The error of a step of maximum likelihood."""
    return TypeError(
        f"{type(component).__name__} learns by variational Bayes, as part of a Bayesian mixture; "
        f"{instead} learns by maximum likelihood."
    )


@dataclass(frozen=True)
class PosteriorParams:
    """Base of records whose arrays all have the experts first."""

    mean: Floats

    @property
    def n_experts(self) -> int:
        """Number of experts K."""
        return len(self.mean)

    @property
    def coef(self) -> Floats:
        """Posterior means of the coefficients, (K, M, q)."""
        return self.mean

    def take(self: Any, order: Ints) -> Any:
        """Some experts, in an order."""
        return replace(self, **{f.name: getattr(self, f.name)[order] for f in fields(self)})


class PosteriorExpert(Expert):
    """Base of experts with a posterior."""

    #: Which family learns by maximum likelihood.
    plain: ClassVar[str]

    def __init__(self, *, features: Any = None) -> None:
        self.features = features

    def start(self, n_experts: int, width: int, summary: Summary) -> Any:
        """Refused."""
        raise learns_otherwise(self, self.plain)

    def curvature(self, params: Any, fwd: Forward, S: Floats) -> Floats:
        """Refused."""
        raise learns_otherwise(self, self.plain)

    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> Stats:
        """Refused."""
        raise learns_otherwise(self, self.plain)

    def update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """Refused."""
        raise learns_otherwise(self, self.plain)

    @abstractmethod
    def posterior_rows(
        self, params: Any, k: int, design: DesignMap, outputs: list[str], tail: float
    ) -> Iterator[tuple[str, TermRow]]:
        """Output and summary of every term of expert ``k``."""

    @abstractmethod
    def posterior_draws(
        self, params: Any, n: int, rng: np.random.Generator
    ) -> tuple[Floats, dict[str, Floats]]:
        """Coefficients (n, K, M, q), and other parameters (n, K) by name."""

    def lines(self, params: Any) -> Floats:
        """Posterior means of the coefficients, (K, M, q)."""
        return np.asarray(params.coef, dtype=np.float64)

    def reorder(self, params: Any, order: np.ndarray) -> Any:
        """Parameters with the experts in a new order."""
        return params.take(order)


# ------------------------------------------------------------------------- regressions


@dataclass(frozen=True)
class LineParams(PosteriorParams):
    """Means (K, 1, q), covariances for unit noise (K, q, q), gamma shapes and rates (K,).

    ``relevance`` (K, q) are expected precisions of the coefficients in units of the noise.
    """

    cov: Floats
    shape: Floats
    rate: Floats
    relevance: Floats

    @classmethod
    def of(cls, q: LinePosterior) -> LineParams:
        """From the posterior of a fit."""
        relevance = q.relevance.mean
        return cls(q.mean[:, None], q.cov, q.noise.shape, q.noise.rate, relevance)

    @property
    def df(self) -> Floats:
        """Degrees of freedom of the predictive density, (K, 1)."""
        return 2.0 * self.shape[:, None]

    @property
    def scale(self) -> Floats:
        """Scale of the predictive density where there is no doubt about the line, (K, 1)."""
        return np.sqrt(self.rate / self.shape)[:, None]

    @property
    def mean_scale(self) -> Floats:
        """Expected standard deviation of the noise, (K, 1)."""
        logs = gammaln(self.shape - 0.5) - gammaln(self.shape) + 0.5 * np.log(self.rate)
        return np.exp(logs)[:, None]


class PosteriorGaussianExpert(PosteriorExpert):
    """Gaussian regressions with normal-gamma posteriors: Student-t predictive densities.

    The predictor is (K, 2, n): the location, and the scale at x.
    """

    name: ClassVar[str] = "bayesian_gaussian"
    target: ClassVar[str] = "real"
    equivariant: ClassVar[bool] = True
    plain: ClassVar[str] = "GaussianExpert"
    ordering: ClassVar[tuple[str, ...]] = ("scale",)

    def predictor(self, params: LineParams, design: Design) -> Floats:
        """Locations and scales, (K, 2, n)."""
        spread = np.sqrt(1.0 + leverage(params.cov, design.Z))
        return np.stack([design.linear(params.mean[:, 0]), params.scale * spread], axis=1)

    def forward(self, params: LineParams, design: Design, y: np.ndarray) -> Forward:
        """Log predictive density, (K, n)."""
        eta = self.predictor(params, design)
        z, df = (y[0] - eta[:, 0]) / eta[:, 1], params.df
        constant = gammaln((df + 1.0) / 2.0) - gammaln(df / 2.0) - 0.5 * np.log(df * np.pi)
        log_prob = constant - np.log(eta[:, 1]) - 0.5 * (df + 1.0) * np.log1p(z * z / df)
        return Forward(log_prob, eta, z)

    def rescale(self, params: LineParams, shift: Floats, factor: Floats) -> LineParams:
        """Parameters for ``shift + factor * y``."""
        mean = params.mean * factor[:, None]
        mean[..., -1] += shift
        return replace(params, mean=mean, rate=params.rate * factor[0] ** 2)

    def shown(self, params: LineParams) -> dict[str, Floats]:
        """Expected standard deviation of the noise, and degrees of freedom of predictions."""
        return {"scale": params.mean_scale, "df": params.df}

    def posterior_rows(
        self, params: LineParams, k: int, design: DesignMap, outputs: list[str], tail: float
    ) -> Iterator[tuple[str, TermRow]]:
        """A line with Student-t coefficients, and the scale."""
        shape, rate = float(params.shape[k]), float(params.rate[k])
        cov = rate / shape * params.cov[k]
        for row in line_summary(design, params.mean[k, 0], cov, tail, 2.0 * shape):
            yield outputs[0], row
        scale = scale_summary(shape, rate, float(params.mean_scale[k, 0]), tail)
        yield outputs[0], (SCALE, SCALE, scale)

    def posterior_draws(
        self, params: LineParams, n: int, rng: np.random.Generator
    ) -> tuple[Floats, dict[str, Floats]]:
        """Precisions from gamma distributions, then lines from normals."""
        scale = 1.0 / np.sqrt(rng.gamma(params.shape, 1.0 / params.rate, (n, params.n_experts)))
        still = np.zeros(params.mean.shape[-1])
        off = np.stack([normal_draws(still, cov, n, rng) for cov in params.cov], axis=1)
        coef = params.mean[:, 0] + scale[:, :, None] * off
        return coef[:, :, None], {SCALE: scale}

    # -------------------------------------------------------------------- answers about y

    def location_at(self, params: LineParams, eta: Floats) -> Floats:
        """Locations, (K, 1, n)."""
        return eta[:, :1]

    def mean_at(self, params: LineParams, eta: Floats) -> Floats:
        """Means: the locations."""
        return eta[:, :1]

    def variance_at(self, params: LineParams, eta: Floats) -> Floats:
        """Variances of the predictive densities, (K, 1, n); with ``df <= 2`` infinite."""
        df = params.df[:, :, None]
        ratio = np.where(df > 2.0, df / np.where(df > 2.0, df - 2.0, 1.0), np.inf)
        return np.asarray(eta[:, 1:] ** 2 * ratio, dtype=np.float64)

    def spread_at(self, params: LineParams, eta: Floats) -> Floats:
        """Scales, (K, 1, n)."""
        return eta[:, 1:]

    def _z(self, eta: Floats, y: Floats) -> Floats:
        """Standardised residuals, (K, 1, n)."""
        return np.asarray((y - eta[:, :1]) / eta[:, 1:], dtype=np.float64)

    def cdf_at(self, params: LineParams, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        return STUDENT_T.cdf(self._z(eta, y), params.df[:, :, None])

    def density_at(self, params: LineParams, eta: Floats, y: Floats) -> Floats:
        """Densities, (K, 1, n)."""
        pdf = STUDENT_T.pdf(self._z(eta, y), params.df[:, :, None])
        return np.asarray(pdf / eta[:, 1:], dtype=np.float64)

    def quantile_at(self, params: LineParams, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n)."""
        z = STUDENT_T.quantile(q, params.df[:, :, None])
        return np.asarray(eta[:, :1] + eta[:, 1:] * z, dtype=np.float64)

    def sample_at(self, params: LineParams, eta: Floats, rng: np.random.Generator) -> Floats:
        """A draw from every expert at every row, (K, 1, n)."""
        noise = rng.standard_t(np.broadcast_to(params.df[:, :, None], eta[:, :1].shape))
        return np.asarray(eta[:, :1] + eta[:, 1:] * noise, dtype=np.float64)

    def precision(self, params: LineParams, fwd: Forward) -> Floats:
        """Precisions of the normal that touches the density at the residual, (K, n, 1, 1)."""
        df = params.df
        u = (df + 1.0) / (df + fwd.work**2)
        eta: Any = fwd.eta
        return np.asarray((u / eta[:, 1] ** 2)[:, :, None, None], dtype=np.float64)


# ------------------------------------------------------------------------- classes


@dataclass(frozen=True)
class LogitParams(PosteriorParams):
    """Means (K, C, q) that sum to zero over classes, and draws (K, D, C, q), all as likely."""

    draws: Floats

    @property
    def coef(self) -> Floats:
        """Posterior means relative to the last class, (K, C - 1, q)."""
        return self.mean[:, :-1] - self.mean[:, -1:]

    @property
    def against_last(self) -> Floats:
        """Draws relative to the last class, (K, D, C - 1, q)."""
        return self.draws[:, :, :-1] - self.draws[:, :, -1:]


class PosteriorMultinomialExpert(PosteriorExpert):
    """Multinomial logits whose coefficients have draws as their posterior.

    The predictor are class probabilities averaged over them, (K, C, n).
    """

    name: ClassVar[str] = "bayesian_multinomial"
    target: ClassVar[str] = "class"
    link: ClassVar[str] = "logit"
    plain: ClassVar[str] = "MultinomialExpert"

    def predictor(self, params: LogitParams, design: Design) -> Floats:
        """Class probabilities, (K, C, n)."""
        return np.exp(np.stack([mean_log_softmax(draws, design) for draws in params.draws]))

    def forward(self, params: LogitParams, design: Design, y: np.ndarray) -> Forward:
        """Log probability of the observed classes, (K, n)."""
        P = self.predictor(params, design)
        return Forward(np.log(P[:, y, np.arange(y.size)]), None, P)

    def mean_at(self, params: LogitParams, eta: Floats) -> Floats:
        """Class probabilities, (K, C, n)."""
        return eta

    def sample_at(self, params: LogitParams, eta: Floats, rng: np.random.Generator) -> np.ndarray:
        """A class code from every expert at every row, (K, n)."""
        return np.stack([choose(P, rng) for P in eta])

    def posterior_rows(
        self, params: LogitParams, k: int, design: DesignMap, outputs: list[str], tail: float
    ) -> Iterator[tuple[str, TermRow]]:
        """The lines of all classes but the last, relative to it."""
        for c, output in enumerate(outputs):
            for row in draws_summary(design, params.against_last[k, :, c], tail):
                yield output, row

    def posterior_draws(
        self, params: LogitParams, n: int, rng: np.random.Generator
    ) -> tuple[Floats, dict[str, Floats]]:
        """Coefficients relative to the last class, (n, K, C - 1, q)."""
        K, D = params.draws.shape[:2]
        picked = rng.integers(D, size=(n, K))
        return params.against_last[np.arange(K), picked], {}
