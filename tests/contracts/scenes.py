"""What the contract tests share: components in several settings, data drawn from them, calculus.

A *scene* is one component with random parameters and data that suit it. All of its arrays are
read-only, so that a component that writes to what it is given fails wherever it does so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

import numpy as np

from moe_classic._data.blocks import Design
from moe_classic._data.features import DesignMap
from moe_classic._data.stats import Stats, Summary, summarise
from moe_classic._numerics.memory import _arena, workspace
from moe_classic.experts import EXPERTS
from moe_classic.experts._linear import LinearExpert
from moe_classic.gates import GATES

#: Step of a central difference: the error, step^2 f''' / 6 + eps |f| / step, is near its least.
STEP = 1e-5
#: Accuracy of central differences with that step for sums over some sixty rows.
DIFFERENCE_TOLERANCE = 1e-6
#: Identities that differ by the order of summation only.
ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class Case:
    """One setting of one registered component.

    Attributes
    ----------
    name : key of the registry
    settings : hyper-parameters
    outputs : outputs of a real target, or number of classes
    n_experts, n_features : size of the group and of what it sees
    monotone : whether a step climbs without damping
    ends : whether steps are near a maximum after 150 of them; slants grow for long on sixty rows
    cls : the component itself, where it is not registered
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    n_experts: int = 3
    n_features: int = 2
    monotone: bool = False
    ends: bool = True
    cls: Any = None

    def __str__(self) -> str:
        words = [self.name, *(f"{k}={v}" for k, v in self.settings.items())]
        if self.outputs > 1:
            words.append(f"d{self.outputs}")
        if self.n_experts != 3:
            words.append(f"K{self.n_experts}")
        if self.n_features != 2:
            words.append(f"p{self.n_features}")
        return " ".join(words)


def _gaussian(outputs: int = 1, *, p: int = 2, **settings: Any) -> Case:
    return Case("gaussian", settings, outputs, n_features=p, monotone=True)


_EXPERT_CASES = [
    _gaussian(),
    _gaussian(p=0, alpha=0.2),
    _gaussian(tied=True),
    _gaussian(alpha=0.2),
    Case("gaussian", {"tied": True}, n_experts=1, monotone=True),
    _gaussian(2, covariance_type="diag"),
    _gaussian(2, covariance_type="diag", tied=True, alpha=0.2),
    _gaussian(2, covariance_type="spherical"),
    _gaussian(2, covariance_type="spherical", tied=True, alpha=0.2),
    _gaussian(2, covariance_type="full"),
    _gaussian(2, covariance_type="full", tied=True),
    _gaussian(2, covariance_type="full", alpha=0.2),
    _gaussian(2, covariance_type="full", tied=True, alpha=0.2),
    _gaussian(p=3, shared=[1]),
    _gaussian(p=3, tied=True, alpha=0.2, shared=[0, 2]),
    _gaussian(2, covariance_type="diag", alpha=0.2, shared=["x1"]),
    Case("beta"),
    Case("beta", {"alpha": 0.2, "shared": [0]}),
    Case("beta", {"alpha": 0.2, "concentration": 8.0}),
    Case("binomial", {"trials": 12}),
    Case("binomial", {"alpha": 0.2}),
    Case("binomial", {"trials": 12, "alpha": 0.2, "shared": [0, 1]}),
    Case("gamma"),
    Case("gamma", {"shared": [0]}),
    Case("gamma", {"alpha": 0.2, "dispersion": 0.5}),
    Case("inverse_gaussian"),
    Case("inverse_gaussian", {"alpha": 0.2, "dispersion": 0.5}),
    Case("inverse_gaussian", {"shared": [1]}),
    Case("laplace", monotone=True),
    Case("laplace", {"alpha": 0.2, "shared": [1]}, monotone=True),
    Case("laplace", {"alpha": 0.2}, monotone=True),
    Case("logistic", outputs=2),
    Case("logistic", {"alpha": 0.2}, outputs=2),
    Case("lognormal", monotone=True),
    Case("lognormal", {"alpha": 0.2, "scale": 0.7}, monotone=True),
    Case("lognormal", {"alpha": 0.2, "shared": [0]}, monotone=True),
    Case("multinomial", outputs=2),
    Case("multinomial", outputs=4),
    Case("multinomial", {"alpha": 0.2}, outputs=4),
    Case("multinomial", {"alpha": 0.2, "pooling": 0.3}, outputs=4),
    Case("multinomial", {"alpha": 0.0}, outputs=3, n_experts=1, n_features=0),
    Case("negative_binomial"),
    Case("negative_binomial", {"alpha": 0.2, "dispersion": 0.3}),
    Case("negative_binomial", {"dispersion": 1e-6}, n_experts=1, n_features=0),
    Case("negative_binomial", {"alpha": 0.2, "dispersion": 0.3, "shared": [0]}),
    Case("negative_binomial", {"shared": [0]}, n_features=3),
    Case("poisson"),
    Case("poisson", {"alpha": 0.2, "shared": [0]}),
    Case("poisson", {"alpha": 0.0, "shared": [0, -1]}, n_features=3),
    Case("poisson", {"alpha": 0.2}, n_experts=1),
    Case("skew_normal", ends=False),
    Case("skew_normal", {"alpha": 0.2}, ends=False),
    Case("skew_t", ends=False),
    Case("skew_t", {"df": 3.0}, monotone=True, ends=False),
    Case("skew_t", {"df_bounds": (1.0, 30.0), "alpha": 0.2}, ends=False),
    Case("student_t"),
    Case("student_t", {"df": 4.0}, monotone=True),
    Case("student_t", {"alpha": 0.2, "shared": [0]}),
    Case("student_t", {"df": 1.5, "alpha": 0.2}, monotone=True),
    Case("student_t", {"df_bounds": (1.0, 30.0), "alpha": 0.2}),
    Case("weibull"),
    Case("weibull", {"alpha": 0.2, "shape": 1.5}),
    Case("weibull", {"shared": [1]}),
]

_GATE_CASES = [
    Case("constant", monotone=True),
    Case("constant", n_experts=1, n_features=0, monotone=True),
    Case("gaussian", {"reg_covar": 0.0}, monotone=True),
    Case("gaussian", {"covariance_type": "diag", "reg_covar": 0.0}, monotone=True),
    Case("gaussian", {"covariance_type": "tied", "reg_covar": 0.0}, monotone=True),
    Case("gaussian", {"covariance_type": "tied", "reg_covar": 0.0}, n_experts=1, monotone=True),
    Case("gaussian", n_features=0, monotone=True),
    Case("mixed", {"reg_covar": 0.0}, monotone=True),
    Case("mixed", {"families": {0: "bernoulli", 1: "gamma"}}, monotone=True),
    Case("mixed", {"families": {0: "categorical", 1: "poisson"}}, n_experts=2, monotone=True),
    Case("mixed", {"families": {0: "exponential", 1: "gaussian"}}, n_experts=1, monotone=True),
    Case("mixed", n_features=0, monotone=True),
    Case("softmax"),
    Case("softmax", {"alpha": 0.0}, n_experts=2),
    Case("softmax", {"alpha": 0.2}, n_experts=4),
    Case("softmax", n_experts=1),
    Case("softmax", n_features=0),
]


def _with_newcomers(cases: list[Case], registry: dict[str, type]) -> list[Case]:
    """``cases`` and, for registered names without any, one with the defaults."""
    listed, new = {c.name for c in cases}, []
    for name, cls in registry.items():
        if name not in listed:
            component = cls()
            outputs = 3 if getattr(component, "target", "real") == "class" else 1
            new.append(Case(name, {}, outputs, getattr(component, "n_leaves", 3)))
    return cases + new


#: Wrappers around estimators have no coordinates and need an argument: their tests are their own.
LINEAR_EXPERTS = {n: cls for n, cls in EXPERTS.items() if issubclass(cls, LinearExpert)}
EXPERT_CASES = _with_newcomers(_EXPERT_CASES, LINEAR_EXPERTS)
GATE_CASES = _with_newcomers(_GATE_CASES, GATES)
CLASS_CASES = [c for c in EXPERT_CASES if EXPERTS[c.name].target == "class"]
REAL_CASES = [c for c in EXPERT_CASES if EXPERTS[c.name].target == "real"]
#: Counts, shares and positive numbers: one output, a range, perhaps a lattice.
OTHER_CASES = [c for c in EXPERT_CASES if c not in (*CLASS_CASES, *REAL_CASES)]
COUNT_CASES = [c for c in OTHER_CASES if EXPERTS[c.name](**c.settings).kind.discrete]
RANGE_CASES = [c for c in OTHER_CASES if c not in COUNT_CASES]


# ------------------------------------------------------------------------- scenes


@dataclass(frozen=True)
class Scene:
    """A component, its parameters, and data for it; see the vocabulary of the package."""

    component: Any
    params: Any
    design: Design
    y: np.ndarray | None
    w: np.ndarray
    summary: Summary
    S: np.ndarray
    signed: np.ndarray

    def log_prob(self, params: Any) -> np.ndarray:
        """Log densities or log mixing terms at ``params``, (K, n)."""
        if self.y is None:
            return self.component.log_joint(params, self.design)
        return self.component.log_prob(params, self.design, self.y)

    def objective(self, params: Any) -> float:
        """``sum S log p`` minus the penalty."""
        fit = float((self.S * self.log_prob(params)).sum())
        return fit - self.component.penalty_value(params, self.summary)

    def gradient(self, params: Any, S: np.ndarray) -> np.ndarray:
        """The component's gradient of ``sum S log p``."""
        data = () if self.y is None else (self.y,)
        return self.component.gradient(params, self.design, *data, S)

    def forward(self, params: Any) -> Any:
        """The component's forward record."""
        data = () if self.y is None else (self.y,)
        return self.component.forward(params, self.design, *data)

    def statistics(self, params: Any, S: np.ndarray, rows: Any = slice(None)) -> Stats:
        """Statistics of some of the rows."""
        part = self.take(rows)
        fwd = part.forward(params)
        S = frozen(S[:, rows])
        weights = self.component.curvature(params, fwd, S)
        q = self.design.width
        grams = part.design.grams(weights) if len(weights) else np.empty((0, q * (q + 1) // 2))
        return self.component.statistics(params, fwd, part.design, S, grams)

    def take(self, rows: Any) -> Scene:
        """The scene with some of the rows."""
        y = None if self.y is None else frozen(self.y[..., rows])
        return Scene(
            self.component,
            self.params,
            Design(frozen(self.design.Z[:, rows])),
            y,
            frozen(self.w[rows]),
            self.summary,
            frozen(self.S[:, rows]),
            frozen(self.signed[:, rows]),
        )

    def statistics_from_temporaries(self) -> Stats:
        """Statistics whose temporary arrays were spoilt before and after they were made."""
        for _ in range(2):  # the first run only finds out how much memory is needed
            _arena.state.buffer.fill(np.nan)
            with workspace():
                stats = self.statistics(self.params, self.S)
        _arena.state.buffer.fill(np.nan)
        return stats

    def update(self, params: Any) -> Any:
        """One undamped step."""
        stats = self.statistics(params, self.S)
        return freeze(self.component.update(params, stats, self.summary))

    def between(self, a: Any, b: Any) -> Any:
        """Half way from ``a`` to ``b``, as the solver steps back."""
        theta = 0.5 * (self.component.pack(a) + self.component.pack(b))
        return freeze(self.component.unpack(theta, a, self.summary))

    def climb(self, params: Any) -> Any:
        """One step, halved until the objective does not fall."""
        before, new = self.objective(params), self.update(params)
        for _ in range(30):
            if self.objective(new) >= before - 1e-12 * abs(before):
                return new
            new = self.between(params, new)
        return params

    def at(self, theta: np.ndarray) -> Any:
        """Parameters at ``theta``."""
        return self.component.unpack(theta, self.params, self.summary)


def frozen(a: np.ndarray) -> np.ndarray:
    """A read-only copy of ``a``."""
    a = np.array(a)
    a.setflags(write=False)
    return a


def freeze(record: Any) -> Any:
    """The same record with read-only arrays."""
    values = [getattr(record, f.name) for f in fields(record)]
    return type(record)(*(frozen(v) if isinstance(v, np.ndarray) else v for v in values))


def make_design(n: int, p: int, rng: np.random.Generator) -> Design:
    """A read-only design of standard normal features and the constant."""
    return Design(frozen(np.vstack([rng.standard_normal((p, n)), np.ones(n)])))


def _weights(K: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Row weights, weighted responsibilities and signed weights."""
    w = rng.uniform(0.5, 2.0, n)
    S = w * rng.dirichlet(np.ones(K), n).T
    return frozen(w), frozen(S), frozen(w * rng.standard_normal((K, n)))


#: Mean and variance that a target of ordinary size has, where it is not standard.
MOMENTS = {"count": (4.0, 6.0), "positive": (1.0, 0.15), "share": (0.5, 0.02)}


def guessed_summary(target: str, n: int, d: int, classes: int = 0) -> Summary:
    """Moments of a target of ordinary size: ``d`` outputs, or shares of classes."""
    if classes:
        share = np.full(classes, 1.0 / classes)
        return Summary(float(n), share, share * (1.0 - share), classes)
    mean, variance = MOMENTS.get(target, (0.0, 1.0))
    return Summary(float(n), np.full(d, mean), np.full(d, variance))


def seeing_plain_columns(expert: Any, p: int) -> Any:
    """A bound expert that sees ``p`` columns as they are."""
    names = [f"x{j}" for j in range(p)]
    seen = DesignMap(None, None, None, np.zeros(p), np.ones(p), tuple(names))
    return expert.seeing(seen, names)


@cache
def expert_scene(case: Case, n: int = 60, seed: int = 0) -> Scene:
    """An expert group with random parameters and a target drawn from it."""
    rng = np.random.default_rng(seed)
    expert = (case.cls or EXPERTS[case.name])(**case.settings)
    expert.check()
    classes = case.outputs if expert.target == "class" else 0
    guess = guessed_summary(expert.target, n, case.outputs, classes)
    bound = expert.bind(guess)
    bound = seeing_plain_columns(bound, case.n_features)
    design = make_design(n, case.n_features, rng)
    start = bound.start(case.n_experts, design.width, guess)
    theta = bound.pack(start)
    params = bound.unpack(theta + 0.5 * rng.standard_normal(theta.size), start, guess)
    w, S, signed = _weights(case.n_experts, n, rng)
    drawn = bound.sample(params, design, rng)
    y = frozen(drawn[rng.integers(case.n_experts, size=n), ..., np.arange(n)].T)
    return Scene(bound, freeze(params), design, y, w, summarise(y, w, classes), S, signed)


@cache
def gate_scene(case: Case, n: int = 60, seed: int = 0) -> Scene:
    """A gate with random parameters and responsibilities."""
    rng = np.random.default_rng(seed)
    gate = (case.cls or GATES[case.name])(**case.settings)
    gate.check()
    design = make_design(n, case.n_features, rng)
    w, S, signed = _weights(case.n_experts, n, rng)
    if gate.own_units:
        gate, design = _in_own_units(gate, design, w, rng)
    summary = Summary(float(w.sum()), np.zeros(1), np.ones(1))
    start = gate.start(case.n_experts, design.width, summary)
    theta = gate.pack(start)
    params = gate.unpack(theta + 0.5 * rng.standard_normal(theta.size), start, summary)
    return Scene(gate, freeze(params), design, None, w, summary, S, signed)


def _in_own_units(
    gate: Any, design: Design, w: np.ndarray, rng: np.random.Generator
) -> tuple[Any, Design]:
    """A gate that has seen columns of its families, and the design that it asks for."""
    columns = design.Z[:-1].T.copy()
    for j, family in getattr(gate, "families", {}).items() if gate.families != "auto" else ():
        columns[:, j] = COLUMNS[family](columns[:, j], rng)
    p = columns.shape[1]
    names = tuple(f"x{j}" for j in range(p))
    seen = DesignMap(None, None, None, np.zeros(p), np.ones(p), names)
    gate, seen = gate.seeing(seen, columns, w, standardize=True)
    return gate, Design(frozen(seen(columns)))


#: Values of a family, from standard normal ones.
COLUMNS: dict[str, Callable[..., np.ndarray]] = {
    "gaussian": lambda x, rng: x,
    "bernoulli": lambda x, rng: (x > 0.5) * 1.0,
    "categorical": lambda x, rng: np.clip(np.rint(x), -1.0, 1.0) + 4.0,
    "poisson": lambda x, rng: rng.poisson(np.exp(0.5 * x)) * 1.0,
    "gamma": lambda x, rng: np.exp(0.5 * x),
    "exponential": lambda x, rng: -3.0 * np.log(rng.random(x.size)),
}


# ------------------------------------------------------------------------- calculus


def differences(f: Callable[[np.ndarray], Any], theta: np.ndarray) -> np.ndarray:
    """Central differences of ``f`` (scalar or array) along every coordinate, (n_theta, ...)."""
    rows = []
    for i in range(theta.size):
        step = np.zeros(theta.size)
        step[i] = STEP * max(1.0, abs(theta[i]))
        slope = (np.asarray(f(theta + step)) - np.asarray(f(theta - step))) / (2.0 * step[i])
        rows.append(slope)
    return np.array(rows)


def assert_slopes_match(analytic: np.ndarray, numeric: np.ndarray) -> None:
    """Compare derivatives, relative to the largest of them."""
    assert analytic.shape == numeric.shape
    scale = max(1.0, float(np.abs(numeric).max(initial=0.0)))
    np.testing.assert_allclose(analytic, numeric, rtol=0.0, atol=DIFFERENCE_TOLERANCE * scale)


def assert_same_record(a: Any, b: Any, *, rtol: float = ROUNDING) -> None:
    """Compare the fields of two records, relative to the largest entry of each."""
    assert type(a) is type(b)
    for f in fields(a):
        u, v = getattr(a, f.name), getattr(b, f.name)
        if not isinstance(v, (np.ndarray, float)):
            assert u == v, f.name
            continue
        u, v = np.asarray(u), np.asarray(v)
        assert u.shape == v.shape, f.name
        scale = float(np.abs(v).max(initial=0.0))
        np.testing.assert_allclose(u, v, rtol=rtol, atol=rtol * scale, err_msg=f.name)


def combine(a: Any, b: Any, ra: float, rb: float) -> Any:
    """``ra a + rb b`` of two statistics records."""
    return a.scaled(ra) + b.scaled(rb)


@cache
def line_rule(end: float, panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on the real line: Gauss-Legendre in t, y = sinh t, broken at 0.

    The break lets a density have a kink at its location; the sinh reaches the far tails.
    """
    x, weight = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(0.0, end, panels + 1)
    half = 0.5 * np.diff(edges)[:, None]
    t = (edges[:-1, None] + half * (1.0 + x)).ravel()
    dt = (half * weight).ravel()
    return np.r_[-np.sinh(t), np.sinh(t)], np.r_[dt, dt] * np.cosh(np.r_[t, t])


def plane_rule(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (d, N) and weights (N,) on R^d for d = 1 with heavy tails or d = 2 with light ones."""
    if d == 1:
        y, weight = line_rule(60.0, 60)
        return y[None], weight
    y, weight = line_rule(4.0, 5)
    grid = np.stack(np.meshgrid(*[y] * d, indexing="ij")).reshape(d, -1)
    weights = np.prod(np.stack(np.meshgrid(*[weight] * d, indexing="ij")), axis=0)
    return grid, weights.ravel()
