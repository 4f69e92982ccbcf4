"""The contract of an expert: a conditional density p(y | x, expert).

An expert object is a *description*: hyper-parameters only. :meth:`Description.bind` says which
:class:`Expert` does the work for data of a kind; for most families the two are one. A working
expert describes a group of K like experts and handles all of them at once; the numbers they learn
travel in immutable parameter records.

A density depends on x through a *predictor*: linear predictors, logits, or what an estimator says.
Answers about y are functions of it (``mean_at``, ``cdf_at`` ...), so that a mixture computes it
once however much it asks. A family gives its distribution function; quantiles, moments and draws
follow from it unless the family knows better.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    TARGETS,
    Bounds,
    Carried,
    Component,
    ComponentTerms,
    Forward,
    Noise,
    TargetKind,
    Units,
    invert,
    lattice_moments,
    moments,
    optional,
)
from moe_classic._data import Design, DesignMap, Stats, Summary
from moe_classic._typing import Bools, Floats, Ints

#: An expert with less than this share of the weight keeps its parameters for the round.
STARVED = 1e-8
#: Tail beyond which a count adds nothing to its moments.
_TAIL = 1e-13
#: A normal distribution has this many standard deviations between its quartiles.
_QUARTILES = 1.349


class Description(Component):
    """What ``expert=`` may be: hyper-parameters, and the expert that works with them.

    Attributes
    ----------
    target : a name of :data:`~moe_classic.experts.TARGETS`: what y may be.
    equivariant : whether shifting and scaling y shifts and scales the fit, so that the
        estimator may standardise the target.
    several_outputs : whether several outputs can be described.
    link : name of the function of the prediction that is linear in x, for tables.
    deviance_power : power of the mean that the variance grows with, where the deviance of the
        family is a Tweedie one and scores explain that; None scores by squared errors.
    own_scales : whether every output has a scale of its own, so that each may be standardised by
        its own factor.
    """

    plural: ClassVar[str] = "experts"
    target: ClassVar[str]
    equivariant: ClassVar[bool] = False
    several_outputs: ClassVar[bool] = False
    link: ClassVar[str] = "identity"
    own_scales: ClassVar[bool] = True
    #: Whether wide designs are to be in units of at least a quarter of the range of a feature.
    ranged: ClassVar[bool] = False
    #: Whether y has two columns, the ends between which it is known to lie.
    intervals: bool = False
    #: Columns that whatever is wrapped around the expert needs; they come first.
    outer: tuple[Carried, ...] = ()
    deviance_power: ClassVar[int | None] = None

    @property
    def kind(self) -> TargetKind:
        """What y may be."""
        return TARGETS[self.target]

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""

    @property
    def carried(self) -> tuple[Carried, ...]:
        """Columns of X that are no features but come with the rows, in the order of their rows.

        Their rows stand right before the constant in the design.
        """
        return self.outer

    def check_target(self, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise if the expert cannot describe some value of ``y`` (d, n) in ``rows`` (n,)."""
        self.kind.check(type(self).__name__, y, rows=rows)

    def check_carried(self, columns: Floats, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise if the columns that it carries, (c, n), cannot go with ``y`` (d, n)."""
        for item, x in zip(self.carried, columns, strict=True):
            item.check(type(self).__name__, x, rows=rows)

    @abstractmethod
    def bind(self, summary: Summary) -> Expert:
        """Expert that does the work for data of this kind; raises if it cannot."""

    def seeing(self, design: DesignMap, columns: list[str]) -> Any:
        """The bound expert that knows its design and the names of all columns of X."""
        return self

    def by_name(self) -> Any:
        """The description of which only the name was given: the rest may follow from the data."""
        return self

    def suited(self, n_experts: int, width: int, summary: Summary) -> Any:
        """The bound expert, with what follows from the size of its design where it may."""
        return self


class Expert(Description, ABC):
    """Base of all experts that do the work.

    Examples
    --------
    >>> from moe_classic.experts import EXPERTS, Expert
    >>> all(issubclass(kind, Expert) for kind in EXPERTS.values())
    True
    """

    def bind(self, summary: Summary) -> Expert:
        """Itself, unless y has several outputs that it does not describe."""
        if summary.y_mean.size > 1 and not (self.several_outputs or self.kind.classes):
            raise ValueError(
                f"{type(self).__name__} describes one output, y has {summary.y_mean.size}. Use "
                "GaussianExpert, or sklearn.multioutput.MultiOutputRegressor."
            )
        return self

    def online(self) -> Expert:
        """Expert that does the work where statistics are carried along from batch to batch."""
        return self

    def start_target(self, y: np.ndarray, design: Design) -> Floats | None:
        """``y`` (d, n) on a scale on which it is about linear in x, for starts; None as it is."""
        return None

    def nested(self) -> tuple[Expert, ...]:
        """Families that this one contains, whose fits it starts from too; the larger ones last."""
        return ()

    def from_nested(self, params: Any) -> Any:
        """Parameters of such a family as those of this one: the same density."""
        raise NotImplementedError(f"{type(self).__name__} names no families that it contains.")

    def stacks(self, params: Any) -> bool:
        """Whether each expert is updated from its own sums alone, so that groups may be joined."""
        return False

    def wide(self, params: Any) -> bool:
        """Whether gradients alone are affordable, for lack of rows or of time."""
        return False

    # -------------------------------------------------------------------- log density and sums

    @abstractmethod
    def start(self, n_experts: int, width: int, summary: Summary) -> Any:
        """Parameters of ``n_experts`` equal experts that ignore x."""

    @abstractmethod
    def forward(self, params: Any, design: Design, y: np.ndarray) -> Forward:
        """Log density and what the statistics reuse."""

    def log_prob(self, params: Any, design: Design, y: np.ndarray) -> Floats:
        """Normalised log density, (K, n)."""
        return self.forward(params, design, y).log_prob

    @abstractmethod
    def curvature(self, params: Any, fwd: Forward, S: Floats) -> Floats:
        """Row weights (M, n) of the Gram matrices that the statistics need."""

    @abstractmethod
    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> Stats:
        """Sums for one update, linear in the row weights ``S`` (K, n).

        ``grams`` are the packed Gram matrices for the weights that ``curvature`` asked for.
        """

    @abstractmethod
    def update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """New parameters that raise ``sum S log p`` minus the penalty, or are damped until so."""

    def settle(
        self, params: Any, design: Design, y: np.ndarray, S: Floats, summary: Summary
    ) -> Any:
        """Parameters that maximise ``sum S log p`` to the last digit, from all rows at once.

        The same record where the steps of :meth:`update` lead there.
        """
        return params

    @optional
    def translate(self, stats: Any, old: Any, new: Any) -> Any:
        """Statistics taken at ``old`` as they would be, to second order, at ``new``."""
        raise self.lacks("translate")

    def degenerate(self, params: Any, summary: Summary) -> Bools:
        """Which experts sit at a bound that only keeps the likelihood finite, (K,)."""
        return np.zeros(params.n_experts, dtype=bool)

    def excess_precision(self, params: Any, summary: Summary) -> Floats:
        """Logarithm of how much less noise each expert has than others and one fit, (K,)."""
        return np.zeros(params.n_experts)

    def penalty_value(self, params: Any, summary: Summary) -> float:
        """What is subtracted from the log-likelihood."""
        return 0.0

    def penalties(self, params: Any, summary: Summary) -> Any:
        """That of each expert, (K,) or 0."""
        return 0.0

    def penalty_gradient(self, params: Any, summary: Summary) -> Floats:
        """Gradient of the penalty with respect to theta, (n_theta,)."""
        return np.zeros(self.pack(params).size)

    def penalty_curvature(self, params: Any, summary: Summary) -> Floats:
        """Diagonal of the Hessian of the penalty, (n_theta,)."""
        return np.diag(self.penalty_hessian(params, summary))

    def penalty_hessian(self, params: Any, summary: Summary) -> Floats:
        """Hessian of the penalty with respect to theta, (n_theta, n_theta)."""
        size = self.pack(params).size
        return np.zeros((size, size))

    def optimality(self, params: Any, stats: Any, summary: Summary) -> Floats:
        """Largest violation of the conditions of optimality by slopes under a lasso, (K,)."""
        return np.zeros(params.n_experts)

    def support(self, params: Any) -> tuple[Floats, Floats, Bools]:
        """Coordinates of what is not held at zero: ``theta = T u``, and whose signs stay."""
        theta = self.pack(params)
        return np.eye(theta.size), theta, np.zeros(theta.size, dtype=bool)

    # -------------------------------------------------------------------- derivatives

    @optional
    def derivatives(self, params: Any, fwd: Forward, y: np.ndarray) -> tuple[Floats, Floats]:
        """First and second derivatives of log p in its local variables.

        The J local variables of an expert are its M linear predictors, then its nuisance
        parameters in unconstrained coordinates.

        Returns
        -------
        first : ndarray of shape (K, J, n)
        second : ndarray of shape (K, J, J, n)
        """
        raise self.lacks("derivatives")

    def first_derivatives(self, params: Any, fwd: Forward, y: np.ndarray) -> Floats:
        """The first of :meth:`derivatives` alone, where that costs less."""
        return self.derivatives(params, fwd, y)[0]

    def smoothed(self, params: Any, h: Floats) -> Expert:
        """The expert with its kinks seen through a kernel, so that it has second derivatives.

        The kernel spans the probability ``h`` (K, 1) on either side of the median.
        """
        return self

    def gradient(self, params: Any, design: Design, y: np.ndarray, S: Floats) -> Floats:
        """Gradient of ``sum S log p`` in unconstrained coordinates, (n_theta,)."""
        first = self.first_derivatives(params, self.forward(params, design, y), y)
        return self.gradient_from(params, design, first, S)

    @optional
    def gradient_from(self, params: Any, design: Design, first: Floats, S: Floats) -> Floats:
        """The same from first derivatives that are already there."""
        raise self.lacks("gradient_from")

    @optional
    def output_slopes(self, params: Any, m: Floats, v: Floats) -> Floats:
        """Derivatives (K, M, n) in the linear predictors from those ``v`` in the outputs ``m``."""
        raise self.lacks("output_slopes")

    def learned(self, coef: Floats) -> Floats:
        """Of coefficients (..., q) those that are learned."""
        return coef

    def coefficient_places(self, params: Any) -> Ints:
        """Places in theta of the coefficients, (K, M, q); -1 where they are known."""
        return np.arange(params.coef.size).reshape(params.coef.shape)

    # -------------------------------------------------------------------- records

    @abstractmethod
    def reorder(self, params: Any, order: np.ndarray) -> Any:
        """Parameters with the experts of the group in a new order."""

    def take(self, params: Any, k: int) -> Any:
        """Parameters of one expert of the group alone."""
        return self.reorder(params, np.array([k]))

    def rescale(self, params: Any, shift: Floats, factor: Floats) -> Any:
        """Parameters for ``shift + factor * y`` instead of y; shift and factor (d,).

        Of equivariant experts alone; others see y as it is.
        """
        return params

    @optional
    def pack(self, params: Any) -> Floats:
        """Unconstrained vector theta, (n_theta,): empty where there is no half way."""
        return np.empty(0)

    def unpack(self, theta: Floats, like: Any, summary: Summary) -> Any:
        """Inverse of :meth:`pack`, with the shapes of ``like``."""
        return like

    def n_parameters(self, params: Any) -> Any:
        """Number of free parameters of the whole group; nan where not known."""
        return int(self.pack(params).size)

    # -------------------------------------------------------------------- what users see

    @optional
    def lines(self, params: Any) -> Floats:
        """Coefficients (K, M, q) of predictors that are linear in the design."""
        raise self.lacks("lines")

    #: Names of :meth:`shown` with one number an output, by which experts may be put in order.
    ordering: ClassVar[tuple[str, ...]] = ()

    def shown(self, params: Any) -> dict[str, Floats]:
        """Parameters besides coefficients as users see them, (K or 1, ...) each."""
        return {}

    def further(
        self, params: Any, k: int, design: DesignMap
    ) -> tuple[tuple[tuple[str, str, float], ...], dict[str, Any]]:
        """More that is shown of expert ``k``: (kind, term, value) of summaries, and attributes."""
        return (), {}

    @optional
    def terms(self, params: Any, units: Units) -> ComponentTerms:
        """What tables of parameters show, and how it follows theta."""
        raise self.lacks("terms")

    def about(self, params: Any, features: Ints) -> Ints:
        """Places in theta that describe some of the features of the design."""
        return np.empty(0, dtype=np.intp)

    #: Fields near one of whose values the information matrix is singular: value and reach.
    singular_near: ClassVar[dict[str, tuple[float, float]]] = {}
    #: Fields whose floor :meth:`degenerate` watches.
    floored: ClassVar[frozenset[str]] = frozenset()

    def fields(self, params: Any) -> Iterable[tuple[str, Floats, Bounds, Ints]]:
        """Each free field: name, value (K or 1, V), bounds, places in theta (K or 1, J)."""
        return ()

    @optional
    def estimator_of(self, params: Any, k: int) -> Any:
        """The fitted estimator inside expert ``k``, or None."""
        raise self.lacks("estimator_of")

    def failures(self, params: Any) -> Sequence[str | None]:
        """Why the last fit inside each expert failed."""
        return (None,) * params.n_experts

    def fitted(self, params: Any) -> Sequence[bool]:
        """Which experts were fitted at all."""
        return (True,) * params.n_experts

    @optional
    def draw(self, params: Any, noise: Floats, rng: np.random.Generator) -> dict[str, Floats]:
        """Random parameters besides coefficients: fields of ``params`` with scales ``noise`` (K,).

        Part of :func:`~moe_classic.datasets.make_moe`.
        """
        raise self.lacks("draw")

    @optional
    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """Add to an ONNX graph what the experts predict, (n, K, d or C).

        ``linear`` turns coefficients (K, M, q) into the name of linear predictors (n, K, M).
        """
        raise self.lacks("graph")

    # -------------------------------------------------------------------- answers about y

    @abstractmethod
    def predictor(self, params: Any, design: Design) -> Floats:
        """What the density depends on x through, (K, M, n)."""

    def location(self, params: Any, design: Design) -> Floats:
        """What the experts predict, (K, d, n): means, or locations where there are none."""
        return self.location_at(params, self.predictor(params, design))

    def mean(self, params: Any, design: Design) -> Floats:
        """Conditional means, or class probabilities, (K, d or C, n)."""
        return self.mean_at(params, self.predictor(params, design))

    def variance(self, params: Any, design: Design) -> Floats:
        """Conditional variances, (K, d, n); infinite where they do not exist."""
        return self.variance_at(params, self.predictor(params, design))

    def cdf(self, params: Any, design: Design, y: Floats) -> Floats:
        """P(Y <= y) of each output on its own, (K, d, n); ``y`` broadcasts against that."""
        return self.cdf_at(params, self.predictor(params, design), y)

    def quantile(self, params: Any, design: Design, q: Floats) -> Floats:
        """Quantiles of each output, (K, d, n); ``q`` broadcasts against that."""
        return self.quantile_at(params, self.predictor(params, design), q)

    def sample(self, params: Any, design: Design, rng: np.random.Generator) -> np.ndarray:
        """A draw from every expert at every row, (K, d, n) or class codes (K, n)."""
        return self.sample_at(params, self.predictor(params, design), rng)

    def output(self, params: Any, j: int) -> Any:
        """Parameters of output ``j`` alone, for the answers below."""
        return params

    @optional
    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y) given the predictor ``eta`` (K, M, n), (K, d, n)."""
        raise self.lacks("cdf_at")

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, d, n), with all digits of an upper tail where a family knows it."""
        return 1.0 - self.cdf_at(params, eta, y)

    def below_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y < y), which differs where single values have a probability, (K, d, n)."""
        if not self.kind.discrete:
            return self.cdf_at(params, eta, y)
        step = self.kind.step
        return self.cdf_at(params, eta, y - step if step else np.nextafter(y, -np.inf))

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Density, or probability of a value, of each output on its own, (K, d, n)."""
        if self.kind.discrete:
            return self.cdf_at(params, eta, y) - self.below_at(params, eta, y)
        step = 1e-5 * self.spread_at(params, eta)
        rise = self.cdf_at(params, eta, y + step) - self.cdf_at(params, eta, y - step)
        return np.asarray(rise / (2.0 * step), dtype=np.float64)

    def cdf_and_density_at(self, params: Any, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Both, where together they cost less."""
        return self.cdf_at(params, eta, y), self.density_at(params, eta, y)

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, d, n): the distribution function inverted in brackets."""
        start = np.zeros((len(eta), 1, eta.shape[-1]))
        return invert(lambda y: self.cdf_at(params, eta, y), q, start, self.kind)

    def spread_at(self, params: Any, eta: Floats) -> Floats:
        """Size of the noise, (K, d, n or 1): that of a normal with the same quartiles."""
        high, low = (self.quantile_at(params, eta, np.full((1, 1, 1), q)) for q in (0.75, 0.25))
        size = (high - low) / _QUARTILES
        return np.where(size > 0.0, size, self.kind.step or np.finfo(float).tiny)

    def location_at(self, params: Any, eta: Floats) -> Floats:
        """What the experts predict, (K, d, n)."""
        return self.mean_at(params, eta)

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """Conditional means, (K, d, n)."""
        return self._moments_at(params, eta)[0]

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """Conditional variances, (K, d, n)."""
        return self._moments_at(params, eta)[1]

    def _moments_at(self, params: Any, eta: Floats) -> tuple[Floats, Floats]:
        """Means and variances from the distribution function."""

        def cdf(y: Floats) -> Floats:
            return self.cdf_at(params, eta, y)

        if self.kind.step:
            last = self.quantile_at(params, eta, np.full((1, 1, 1), 1.0 - _TAIL))
            return lattice_moments(cdf, last, self.kind)
        if self.kind.discrete:
            raise TypeError(
                f"{type(self).__name__} describes a {self.target} target without a lattice; it "
                "must say its `mean_at` and `variance_at`."
            )
        middle = self.quantile_at(params, eta, np.full((1, 1, 1), 0.5))
        spread = self.spread_at(params, eta)
        return moments(cdf, middle, spread, self.kind.low, self.kind.high)

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> np.ndarray:
        """A draw from every expert at every row, (K, d, n): quantiles at random levels."""
        u = rng.random((len(eta), 1, eta.shape[-1]))
        return self.quantile_at(params, eta, np.maximum(u, np.finfo(float).tiny))

    def noise_of(self, params: Any) -> list[Noise] | None:
        """Noise of each expert around its location, where it has a closed form.

        The continuous ranked probability score then has one too; without, it is an integral.
        """
        return None

    @optional
    def precision(self, params: Any, fwd: Forward) -> Floats:
        """Precisions of the normal that touches the density at the residual, (K, 1 or n, d, d).

        With them a mode of the mixture is a fixed point; without, it is searched for.
        """
        raise self.lacks("precision")
