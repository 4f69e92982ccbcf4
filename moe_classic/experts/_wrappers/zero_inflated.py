"""Zero inflation: some zeros are there for a reason of their own.

::

    P(y = 0 | x) = pi + (1 - pi) f(0 | x),   P(y | x) = (1 - pi) f(y | x)  for y > 0,
    logit pi = a z

with f the expert inside. Step: Newton's in the coefficients of f and of the logit, and the
nuisances, together. Lambert (1992), Zero-inflated Poisson regression, with an application to
defects in manufacturing, Technometrics 34, equation 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from moe_classic._components import (
    Carried,
    ComponentTerms,
    Forward,
    TargetKind,
    Units,
    check_alpha,
    free_directions,
    joined_terms,
    line_terms,
)
from moe_classic._data import Design, DesignMap, Summary, column_numbers
from moe_classic._typing import Floats, Ints
from moe_classic.experts._linear import LinearParams
from moe_classic.penalties import SquaredSlopes

from .base import Seen, Wrapper
from .mass import Mass, mass_of

#: Share of zeros that a start gives to the inflation.
_FIRST_LOGIT = -1.0
#: Logits beyond this are taken as this.
_FARTHEST = 200.0
#: How the logit is called in tables.
_KIND = "inflation"


@dataclass(frozen=True)
class ZeroInflatedParams(LinearParams):
    """Coefficients (K, 2, q) of the expert inside and of the logit, and the former's record.

    The record's own coefficients are not looked at: those here count.
    """

    record: Any


class ZeroInflatedExpert(Wrapper):
    """Counts with more zeros than their family has: a logit of its own says where.

    Parameters
    ----------
    expert : expert
        What counts are like without the additional zeros: ``PoissonExpert()``,
        ``NegativeBinomialExpert()``, ``BinomialExpert()``, or a truncated one: with
        ``TruncatedExpert(PoissonExpert(), low=1)`` all zeros come from the logit, the hurdle model
        of Mullahy (1986).
    features : None or list of column names or indices, default=None
        What the logit sees of X. None: what the expert inside sees, without offset and exposure;
        an empty list: nothing, the same share everywhere.
    alpha : float, default=1e-4
        L2 penalty on the slopes of the logit in standardised units, per unit of sample weight.

    References
    ----------
    Lambert (1992), Zero-inflated Poisson regression, with an application to defects in
    manufacturing, Technometrics 34. Mullahy (1986), Specification and testing of some modified
    count data models, Journal of Econometrics 33.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import PoissonExpert, ZeroInflatedExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 1))
    >>> fish = rng.poisson(np.exp(1.0 + 0.5 * x[:, 0])) * (rng.random(2000) < 0.7)
    >>> expert = ZeroInflatedExpert(PoissonExpert(), features=[])
    >>> moe = MoERegressor(1, expert=expert).fit(x, fish)
    >>> moe.experts_[0].coef_.round(1), round(moe.experts_[0].inflation_intercept_, 1)
    (array([0.5]), -0.9)
    """

    name: ClassVar[str] = "zero_inflated"
    #: Learned coefficients of the logit (q,) of bool, and its map; there once the design is known.
    seen: Any = None
    logit_map: Any = None

    def __init__(self, expert: Any, *, features: Any = None, alpha: float = 1e-4) -> None:
        self.expert = expert
        self.features = features
        self.alpha = alpha

    #: What is named where another expert cannot be wrapped.
    usual: ClassVar[str] = "PoissonExpert()"

    def check(self) -> None:
        """Raise unless the expert inside counts."""
        super().check()
        check_alpha(type(self).__name__, self.alpha)
        inner = self.inner
        if isinstance(inner, ZeroInflatedExpert) or not inner.kind.step:
            raise ValueError(
                f"ZeroInflatedExpert: expert={inner!r} describes {inner.kind.says}, and zeros are "
                "added to counts once; use PoissonExpert, NegativeBinomialExpert or BinomialExpert."
            )
        if self.features is not None and not isinstance(self.features, (list, tuple, np.ndarray)):
            raise TypeError(
                f"ZeroInflatedExpert: features={self.features!r} must be None or a list of column "
                "names or indices; a transformer belongs to the expert inside."
            )

    @property
    def kind(self) -> TargetKind:
        """Counts from zero on."""
        kind = super().kind
        return replace(kind, low=min(kind.low, 0.0), open_low=False)

    def check_target(self, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise for what are no counts; zeros always are."""
        self.kind.check(type(self).__name__, y, rows=rows)

    @property
    def own_columns(self) -> tuple[Carried, ...]:
        """Features of the logit that the expert inside does not see."""
        if self.features is None:
            return ()
        known, taken = self.inner.sees, [item.column for item in self.inner.carried]
        if known is None:
            own = [c for c in self.features if c in taken]
        else:
            plain = list(known) if isinstance(known, (list, tuple, np.ndarray)) else []
            own = [c for c in self.features if c not in plain]
        return tuple(Carried(_KIND, column) for column in own)

    def seeing(self, design: DesignMap, columns: list[str]) -> Any:
        """The expert that knows which rows of the design its logit sees."""
        bound = super().seeing(design, columns)
        count, p = len(bound.carried), len(design.centre)
        seen = np.zeros(design.width, dtype=bool)
        seen[-1] = True
        if self.features is None:
            seen[:p] = True
            bound.logit_map = part_of(design, np.arange(p))
        else:
            bound.logit_map = self._own_map(design, columns, seen, p, count)
        bound.seen = seen
        return bound

    def _own_map(
        self, design: DesignMap, columns: list[str], seen: Any, p: int, count: int
    ) -> DesignMap:
        """The map of the logit's features, whose rows are marked in ``seen``."""
        places = column_numbers(self.features, columns, type(self).__name__)
        inner = np.arange(len(columns)) if design.columns is None else design.columns
        carried = list(getattr(design, "places", ()))
        rows, centre, inverse = [], [], []
        for place in places:
            at = np.flatnonzero(inner == place)
            if design.transformer is not None:
                # Columns of numbers in a table of levels are left as they are by the encoder.
                taken = place not in carried
                at = np.flatnonzero([taken and name == columns[place] for name in design.names])
            if at.size:
                rows.append(int(at[0]))
                centre.append(design.centre[at[0]])
                inverse.append(design.inverse[at[0]])
                continue
            if place not in carried:
                raise ValueError(
                    f"{type(self).__name__}: features={self.features!r} names the column "
                    f"{columns[place]!r}, which does not hold numbers; encode it before, "
                    "make_pipeline(TableEncoder(), ...), and name its levels."
                )
            own = [item.role == _KIND for item in design.carried]  # type: ignore[attr-defined]
            j = next(j for j in range(count) if own[j] and carried[j] == place)
            rows.append(p + j)
            centre.append(design.middle[j])  # type: ignore[attr-defined]
            inverse.append(1.0 / design.spreads[j])  # type: ignore[attr-defined]
        seen[rows] = True
        # Rows of a mask come in the order of the design.
        order = np.argsort(rows, kind="stable")
        names = tuple(columns[places[i]] for i in order)
        return DesignMap(None, None, None, np.array(centre)[order], np.array(inverse)[order], names)

    # -------------------------------------------------------------------- records

    def own(self, params: Any) -> Any:
        """Parameters of the expert inside."""
        return replace(params.record, coef=params.coef[:, :-1])

    def _joined(self, inside: Any, logit: Floats) -> ZeroInflatedParams:
        """The record of both."""
        return ZeroInflatedParams(np.concatenate([inside.coef, logit[:, None]], axis=1), inside)

    def start(self, n_experts: int, width: int, summary: Summary) -> ZeroInflatedParams:
        """As the expert inside, with a quarter of additional zeros."""
        logit = np.zeros((n_experts, width))
        logit[:, -1] = _FIRST_LOGIT
        return self._joined(self.inside.start(n_experts, width, summary), logit)

    def reorder(self, params: Any, order: np.ndarray) -> Any:
        """Parameters with the experts in a new order."""
        return self._joined(self.inside.reorder(self.own(params), order), params.coef[order, -1])

    def rescale(self, params: Any, shift: Floats, factor: Floats) -> Any:
        """Counts are seen as they are."""
        return params

    def pack(self, params: Any) -> Floats:
        """Theta of the expert inside, then the coefficients of the logit."""
        logit = params.coef[:, -1][:, self.seen]
        return np.concatenate([self.inside.pack(self.own(params)), logit.ravel()])

    def unpack(self, theta: Floats, like: Any, summary: Summary) -> Any:
        """Inverse of :meth:`pack`."""
        own = self.own(like)
        size = self.inside.pack(own).size
        logit = np.zeros(like.coef[:, -1].shape)
        logit[:, self.seen] = theta[size:].reshape(len(logit), -1)
        return self._joined(self.inside.unpack(theta[:size], own, summary), logit)

    def learned(self, coef: Floats) -> Floats:
        """Of coefficients (..., 2, q) those that are learned, expert by expert."""
        inner = self.inside.learned(coef[..., :-1, :])
        parts = [inner.reshape(*inner.shape[:-2], -1), coef[..., -1, :][..., self.seen]]
        return np.concatenate(parts, axis=-1)

    def coefficient_places(self, params: Any) -> Ints:
        """Places in theta of the coefficients, (K, 2, q); -1 where they are known."""
        own = self.own(params)
        K, q = len(params.coef), params.coef.shape[-1]
        logit = np.full((K, q), -1)
        count = int(self.seen.sum())
        logit[:, self.seen] = self.inside.pack(own).size + np.arange(K * count).reshape(K, count)
        return np.concatenate([self.inside.coefficient_places(own), logit[:, None]], axis=1)

    def about(self, params: Any, features: Ints) -> Ints:
        """Places in theta of the slopes of some features, in both predictors."""
        places = self.coefficient_places(params)[:, :, features].ravel()
        return places[places >= 0]

    def redundant(self, params: Any, null: Floats) -> int:
        """How many coefficients of both predictors are none."""
        logits = len(params.coef) * free_directions(null, ~self.seen).shape[1]
        return super().redundant(params, null) + logits

    # -------------------------------------------------------------------- penalty

    def _ridge(self, summary: Summary) -> SquaredSlopes:
        """What is subtracted for the slopes of the logit."""
        return SquaredSlopes(self.alpha * summary.weight)

    def penalty_value(self, params: Any, summary: Summary) -> float:
        """Of both."""
        logit = params.coef[:, -1:][..., self.seen]
        return super().penalty_value(params, summary) + self._ridge(summary).value(logit)

    def penalty_gradient(self, params: Any, summary: Summary) -> Floats:
        """Gradient of both."""
        logit = params.coef[:, -1:][..., self.seen]
        own = self._ridge(summary).gradient(logit).ravel()
        return np.concatenate([super().penalty_gradient(params, summary), own])

    def penalty_hessian(self, params: Any, summary: Summary) -> Floats:
        """Hessian of both."""
        inner = super().penalty_hessian(params, summary)
        own = self._ridge(summary).curvature(params.coef[:, -1:][..., self.seen]).ravel()
        out = np.diag(np.r_[np.zeros(len(inner)), own])
        out[: len(inner), : len(inner)] = inner
        return out

    # -------------------------------------------------------------------- what users see

    def shown_lines(self, params: Any) -> tuple[Floats, Floats]:
        """Slopes (K, p) and intercepts (K,) of the logit on the raw scale of the features."""
        slopes, intercepts = self.logit_map.original(params.coef[:, -1][:, self.seen])
        return slopes, intercepts

    def further(
        self, params: Any, k: int, design: DesignMap
    ) -> tuple[tuple[tuple[str, str, float], ...], dict[str, Any]]:
        """The logit of additional zeros."""
        rows, attributes = super().further(params, k, design)
        slopes, intercepts = self.shown_lines(params)
        own = [(_KIND, "intercept", float(intercepts[k]))]
        names = self.logit_map.names
        own += [(_KIND, n, float(v)) for n, v in zip(names, slopes[k], strict=True)]
        attributes = attributes | {
            "inflation_intercept_": float(intercepts[k]),
            "inflation_coef_": slopes[k],
            "inflation_feature_names_": names,
        }
        return (*rows, *own), attributes

    def terms(self, params: Any, units: Units) -> ComponentTerms:
        """Those of the expert inside, then the logit."""
        inner = self.inside.terms(self.own(params), units)

        def of(f: Any) -> Any:
            return lambda p: f(self.own(p))

        first = replace(inner, values=of(inner.values), jacobian=of(inner.jacobian))
        heads = [(part, label) for label in units.labels for part in units.parts[:1]]
        logit = line_terms(self.logit_map, heads, lambda p: p.coef[:, -1:][..., self.seen])
        own = replace(
            logit,
            labels=[(a, b, _KIND, term) for a, b, _, term in logit.labels],
            coordinates=[(a, b, _KIND, term) for a, b, _, term in logit.coordinates],
        )
        return joined_terms([first, own])

    def draw(self, params: Any, noise: Floats, rng: np.random.Generator) -> dict[str, Floats]:
        """The record of the expert inside with its own parameters drawn."""
        own = self.own(params)
        return {"record": replace(own, **self.inside.draw(own, noise, rng))}

    # -------------------------------------------------------------------- log density

    def predictor(self, params: Any, design: Design) -> Floats:
        """That of the expert inside, then the logit, (K, P + 1, n)."""
        inner = self.inside.predictor(self.own(params), design)
        logit = np.clip(design.linear(params.coef[:, -1:]), -_FARTHEST, _FARTHEST)
        return np.concatenate([inner, logit], axis=1)

    def forward(self, params: Any, design: Design, y: Floats) -> Forward:
        """Log probability; raises for what are no counts."""
        self.check_target(y)
        eta = self.predictor(params, design)
        own, low = self.own(params), max(float(self.inside.kind.low), 0.0)
        possible = y >= low
        inside = self.inside.forward(own, design, np.where(possible, y, low))
        log = np.where(possible, inside.log_prob, -np.inf)
        value, zero = _inflated(log, eta[:, -1], y[0] == 0.0)
        return Forward(value, eta, Seen((inside, zero, np.where(possible, y, low)), eta, y))

    def slopes(self, params: Any, seen: Seen) -> tuple[Floats, Floats]:
        """In the predictor, the logit and the nuisances."""
        inside, zero, y = seen.inside
        first, second = self.inside.derivatives(self.own(params), inside, y)
        return _inflated_slopes(first, second, seen.eta[:, -1], zero)

    def gradient_from(self, params: Any, design: Design, first: Floats, S: Floats) -> Floats:
        """Gradient of ``sum S log p`` from first derivatives."""
        own = self.own(params)
        inner = self.inside.gradient_from(own, design, np.delete(first, 1, axis=1), S)
        logit = design.scores(S * first[:, 1])[:, self.seen]
        return np.concatenate([inner, logit.ravel()])

    def mass(self, params: Any, eta: Floats, low: Floats, high: Floats, *, slopes: bool) -> Mass:
        """Of an interval, which may hold zero."""
        own = self.own(params)
        part = mass_of(self.inside, own, eta[:, :-1], low, high, slopes=slopes)
        value, zero = _inflated(part.log, eta[:, -1], (low <= 0.0) & (high >= 0.0))
        if not slopes:
            return Mass(value)
        return Mass(value, *_inflated_slopes(part.first, part.second, eta[:, -1], zero))

    # -------------------------------------------------------------------- answers about y

    def _share(self, eta: Floats) -> Floats:
        """Shares of additional zeros, (K, 1, n)."""
        return np.asarray(expit(eta[:, -1:]), dtype=np.float64)

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        pi, below = self._share(eta), self.inside.cdf_at(self.own(params), eta[:, :-1], y)
        return np.where(y < 0.0, 0.0, pi + (1.0 - pi) * below)

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, 1, n)."""
        above = self.inside.above_at(self.own(params), eta[:, :-1], y)
        return np.where(y < 0.0, 1.0, expit(-eta[:, -1:]) * above)

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Probability of a value, (K, 1, n)."""
        density = self.inside.density_at(self.own(params), eta[:, :-1], y)
        return expit(-eta[:, -1:]) * density + np.where(y == 0.0, self._share(eta), 0.0)

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """``(1 - pi) mu``."""
        return expit(-eta[:, -1:]) * self.inside.mean_at(self.own(params), eta[:, :-1])

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """``(1 - pi) (v + pi mu^2)``."""
        own, inner = self.own(params), eta[:, :-1]
        mean, variance = self.inside.mean_at(own, inner), self.inside.variance_at(own, inner)
        return expit(-eta[:, -1:]) * (variance + self._share(eta) * mean**2)

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Draws, some of which are set to zero."""
        drawn = self.inside.sample_at(self.own(params), eta[:, :-1], rng)
        return np.where(rng.random(drawn.shape) < self._share(eta), 0.0, drawn)

    def has(self, ability: str) -> bool:
        """A graph where the expert inside has one."""
        return super().has(ability) and (ability != "graph" or bool(self.inner.has("graph")))

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """``(1 - pi) mu``."""
        mean = self.inside.graph(graph, self.own(params), linear)
        kept = graph.node("Sigmoid", linear(-params.coef[:, -1:]))
        return str(graph.node("Mul", kept, mean))


def _inflated(log: Floats, logit: Floats, zero: Any) -> tuple[Floats, Floats]:
    """Log probabilities with additional zeros, and the share of these among zeros, (K, n) each."""
    rest = log - np.logaddexp(0.0, logit)
    more = np.where(zero, -np.logaddexp(0.0, -logit), -np.inf)
    value = np.logaddexp(rest, more)
    with np.errstate(invalid="ignore"):
        share = np.where(zero, np.exp(more - value), 0.0)
    return value, share


def _inflated_slopes(
    first: Floats, second: Floats, logit: Floats, share: Floats
) -> tuple[Floats, Floats]:
    """Derivatives in predictor, logit and nuisances from those without additional zeros.

    Where y is zero, all of it may be due to the inflation, with probability ``share``.
    """
    J, pi = first.shape[1], expit(logit)
    mixed = share * (1.0 - share)
    # Where the share is one, nothing is known of the rest, which may be impossible.
    kept = (1.0 - share)[:, None]
    inner = kept * first
    bend = kept[:, None] * second + mixed[:, None, None] * first[:, :, None] * first[:, None]
    own = [0, *range(2, J + 1)]
    out_first = np.empty((len(first), J + 1, first.shape[2]))
    out_second = np.empty((len(first), J + 1, J + 1, first.shape[2]))
    out_first[:, own], out_first[:, 1] = inner, share - pi
    out_second[np.ix_(range(len(first)), own, own)] = bend
    out_second[:, 1, 1] = mixed - pi * (1.0 - pi)
    cross = -mixed[:, None] * first
    out_second[:, own, 1] = cross
    out_second[:, 1, own] = cross
    return out_first, out_second


def part_of(design: DesignMap, rows: Ints) -> DesignMap:
    """A map of some features of a design alone, without what is carried."""
    names = tuple(design.names[i] for i in rows)
    return DesignMap(None, None, None, design.centre[rows], design.inverse[rows], names)
