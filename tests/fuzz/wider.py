"""The second series of cases: Bayesian mixtures, and whatever components and arguments came later.

Mixed gates, skew noise, censored, truncated and zero-inflated experts, penalties with exact zeros,
shared slopes, offsets and trials, subjects, missing values, sparse X, and trees with each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from moe_classic import (
    BayesianMoEClassifier,
    BayesianMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MixtureOfSoftmaxesClassifier,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.experts import (
    EXPERTS,
    BinomialExpert,
    CensoredExpert,
    GaussianExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    SkewNormalExpert,
    SkewTExpert,
    StudentTExpert,
    TruncatedExpert,
    UniformExpert,
    ZeroInflatedExpert,
)
from moe_classic.gates import GaussianGate, MixedGate, SoftmaxGate, TreeGate
from moe_classic.penalties import ElasticNet, GroupLasso, Lasso, Ridge

from .cases import Case, climb_settings, pick, some_solver
from .data import TARGETS, WEIGHTS, Array, Rng, features, signal

_SALT = 20261128
KINDS = list(TARGETS)
#: Families whose experts take an offset, and those among them that take an exposure.
OFFSET = {"poisson", "negative_binomial", "gamma", "inverse_gaussian", "lognormal", "weibull"}
#: Families inside a wrapper, by kind of target.
INSIDE = {
    "real": ["gaussian", "student_t", "skew_normal"],
    "count": ["poisson", "negative_binomial"],
    "positive": ["gamma", "inverse_gaussian", "lognormal", "weibull"],
    "share": ["beta"],
}
LINEAR = {
    "real": ["gaussian", "laplace", "student_t"],
    "count": ["poisson", "negative_binomial", "binomial"],
    "positive": INSIDE["positive"],
    "share": ["beta"],
    "class": ["multinomial", "logistic"],
}


class Maker:
    """Rows, and the estimator that is to fit them, while a case is drawn."""

    def __init__(self, rng: Rng, number: int) -> None:
        self.rng, self.number = rng, number
        self.kind = str(rng.choice(KINDS, p=[0.4, 0.2, 0.15, 0.08, 0.17]))
        n = int(rng.choice([2, 5, 8, 20, 40, 80], p=[0.04, 0.08, 0.1, 0.28, 0.3, 0.2]))
        self.X, self.columns = features(rng, n, int(rng.integers(1, 5)))
        self.signal = signal(rng, self.X)
        name = str(rng.choice(list(TARGETS[self.kind])))
        self.y = TARGETS[self.kind][name](rng, self.signal)
        self.words = f"{self.kind} target {name!r}"
        self.fixed: tuple[int, ...] = ()
        self.groups: Array | None = None
        self.gate: Any = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    def column(self, values: Array, what: str) -> int:
        """Place of a column that is added, and that means something."""
        self.X = np.column_stack([self.X, values])
        self.columns.append(what)
        self.fixed = (*self.fixed, self.X.shape[1] - 1)
        return self.fixed[-1]

    # ---------------------------------------------------------------- experts

    def expert(self) -> Any:
        """An expert for the target."""
        ways: dict[str, Any] = {"penalised": self.penalised}
        if self.kind != "class":
            ways |= {
                "censored": self.censored,
                "truncated": self.truncated,
                "shared": self.shared,
            }
        if self.kind == "real":
            ways |= {"skew": self.skew, "list": self.several}
        if self.kind == "count":
            ways |= {"zeros": self.zeros, "trials": self.trials}
        if self.kind in ("count", "positive"):
            ways |= {"offset": self.offset}
        return ways[str(self.rng.choice(list(ways)))]()

    def family(self, names: list[str]) -> Any:
        """One of some families' class."""
        return EXPERTS[str(self.rng.choice(names))]

    def penalty(self) -> Any:
        """A penalty on slopes."""
        kind = pick(self.rng, Ridge, Lasso, ElasticNet, GroupLasso)
        return kind(pick(self.rng, 1e-3, 0.03, 1.0))

    def penalised(self) -> Any:
        """Slopes with a penalty."""
        cls = self.family(LINEAR[self.kind])
        trials = {"trials": self.most()} if cls is BinomialExpert else {}
        return cls(penalty=self.penalty(), **trials)

    def shared(self) -> Any:
        """Slopes that experts share, in all of them or in some."""
        cls = self.family(LINEAR[self.kind])
        trials = {"trials": self.most()} if cls is BinomialExpert else {}
        shared = [0] if self.rng.random() < 0.7 else list(range(self.X.shape[1]))
        return cls(shared=shared, **trials)

    def skew(self) -> Any:
        """Noise with a tail to one side."""
        return pick(self.rng, SkewNormalExpert(), SkewTExpert(), SkewTExpert(df=3.0))

    def several(self) -> Any:
        """Unlike experts side by side."""
        others = [UniformExpert(), StudentTExpert(), SkewNormalExpert(), GaussianExpert(alpha=0.1)]
        return [GaussianExpert(), others[self.rng.integers(4)]]

    def zeros(self) -> Any:
        """Counts with zeros of their own."""
        inside = pick(
            self.rng,
            PoissonExpert(),
            NegativeBinomialExpert(),
            BinomialExpert(trials=self.most()),
            TruncatedExpert(PoissonExpert(), low=1),
        )
        return ZeroInflatedExpert(inside, features=pick(self.rng, None, [], [0]))

    def trials(self) -> Any:
        """Counts out of so many."""
        if self.rng.random() < 0.5:
            return BinomialExpert(trials=self.most())
        more = self.y + self.rng.integers(0, 5, self.n)
        return BinomialExpert(trials_column=self.column(np.maximum(more, 1.0), "trials"))

    def most(self) -> int:
        """The largest count, or a few more."""
        return int(max(1, self.y.max()) + self.rng.integers(0, 3))

    def offset(self) -> Any:
        """Counts or times of unlike exposures, whatever experts there are."""
        cls = self.family(sorted(OFFSET & set(LINEAR[self.kind])))
        if self.rng.random() < 0.5:
            return cls(offset=self.column(self.rng.normal(size=self.n), "offset"))
        exposure = self.rng.choice([1.0, 1e3, 1e-3]) * self.rng.lognormal(0.0, 1.0, self.n)
        return cls(exposure=self.column(exposure, "exposure"))

    def truncated(self) -> Any:
        """A window that all rows are in."""
        inside = self.family(INSIDE[self.kind])()
        low, high, rng = self.y.min(), self.y.max(), self.rng
        margin = pick(rng, 0.0, 0.1) * (high - low)
        if self.kind in ("count", "positive", "share"):
            low, margin = low * pick(rng, 1.0, 0.5), 0.0
        low, high = float(low - margin), float(high + margin)
        if self.kind == "count":
            low = float(np.floor(low))
        if rng.random() < 0.3:
            below = np.minimum(self.y, low) if rng.random() < 0.5 else self.y.copy()
            return TruncatedExpert(inside, low_column=self.column(below, "lower end"))
        ends = pick(rng, {"low": low}, {"high": high}, {"low": low, "high": high})
        return TruncatedExpert(inside, **ends)

    def censored(self) -> Any:
        """Ends between which y lies."""
        rng, y = self.rng, self.y
        inside = self.family(INSIDE[self.kind])()
        if self.kind == "real" and rng.random() < 0.1:
            # The distribution of skew t noise is an integral: few of them, they take seconds.
            rare = TruncatedExpert(GaussianExpert(), low=float(y.min()))
            inside = pick(rng, rare, rare, SkewTExpert(df=3.0))
        lower, upper = y.astype(float), y.astype(float)
        bottom, top = {"real": -np.inf, "share": 0.0}.get(self.kind, 0.0), np.inf
        cut = np.median(y)
        late, early = rng.random(self.n) < 0.4, rng.random(self.n) < 0.2
        if rng.random() < 0.1:
            late[:] = True
        lower = np.where(late & (y > cut), cut, lower)
        upper = np.where(late & (y > cut), 1.0 if self.kind == "share" else top, upper)
        if rng.random() < 0.5:
            upper = np.where(early & (y < cut), cut, upper)
            lower = np.where(early & (y < cut), bottom, lower)
        self.y = np.column_stack([lower, upper])
        return CensoredExpert(inside)

    # ---------------------------------------------------------------- gates and estimators

    def some_gate(self) -> Any:
        """A gate."""
        penalised = SoftmaxGate(penalty=self.penalty())
        kinds = ("full", "diag", "tied")
        return pick(
            self.rng,
            "softmax",
            "softmax",
            "constant",
            penalised,
            MixedGate(),
            MixedGate(prior=0.1),
            GaussianGate(covariance_type=pick(self.rng, *kinds)),
            TreeGate(),
        )

    def solver(self) -> Any:
        """EM mostly: others refuse some components."""
        return "em" if self.rng.random() < 0.6 else some_solver(self.rng)

    def mixture(self, expert: Any = None, gate: Any = None, **more: Any) -> Any:
        """A flat mixture."""
        expert = self.expert() if expert is None else expert
        cls = MoEClassifier if self.kind == "class" else MoERegressor
        K = len(expert) if isinstance(expert, list) else int(self.rng.integers(1, 4))
        gate = self.some_gate() if gate is None else gate
        seed = int(self.rng.integers(1000))
        settings = {"solver": self.solver(), **climb_settings(self.rng, seed), **more}
        return cls(K, expert=expert, gate=gate, **settings)

    def tree(self) -> Any:
        """A hierarchical mixture of the experts that can stand in one."""
        expert = self.expert()
        expert = expert[1] if isinstance(expert, list) else expert
        cls = HierarchicalMoEClassifier if self.kind == "class" else HierarchicalMoERegressor
        settings = climb_settings(self.rng, int(self.rng.integers(1000)))
        settings["init"] = pick(self.rng, "auto", "cut")
        node = pick(self.rng, "softmax", "softmax", "gaussian", SoftmaxGate(penalty=self.penalty()))
        if self.rng.random() < 0.25:
            settings |= {"max_leaves": 3, "criterion": pick(self.rng, "bic", "held_out")}
            return cls("grow", node=node, expert=expert, **settings)
        return cls(pick(self.rng, (2,), (3,), (2, 2)), node=node, expert=expert, **settings)

    def bayes(self) -> Any:
        """A mixture with a posterior."""
        rng = self.rng
        if self.kind not in ("real", "class"):
            self.kind = "real"
        cls = BayesianMoEClassifier if self.kind == "class" else BayesianMoERegressor
        more = {"expert_features": pick(rng, None, None, [0]), "prune": bool(rng.random() < 0.7)}
        more |= {"gate_features": pick(rng, None, None, [], [-1])}
        if rng.random() < 0.3:
            more |= {"coef_prior": (2.0, 1.0), "gate_prior": (1.0, 1e-3)}
        climb = climb_settings(rng, int(rng.integers(1000)))
        kept = {name: climb[name] for name in ("n_init", "init", "max_iter", "random_state")}
        return cls(int(rng.integers(1, 6)), **kept, **more)

    def subjects(self) -> Any:
        """Rows that belong together."""
        count = max(1, self.n // int(self.rng.integers(2, 6)))
        self.groups = self.rng.integers(0, count, self.n)
        return self.tree() if self.rng.random() < 0.25 else self.mixture()

    def holes(self) -> Any:
        """Missing values: marginalised, or left out by a mixed gate."""
        rng = self.rng
        gone = rng.random(self.X.shape) < pick(rng, 0.1, 0.3, 0.7)
        if self.kind == "real" and rng.random() < 0.7:
            expert = pick(rng, "gaussian", GaussianExpert(alpha=0.1), GaussianExpert(tied=True))
            kinds = ("full", "diag", "tied")
            gate = GaussianGate(covariance_type=pick(rng, *kinds))
            estimator = self.mixture(expert, gate, missing="marginalize", solver="em")
        else:
            gone[:, 0] = False
            cls = self.family([name for name in LINEAR[self.kind] if name != "binomial"])
            estimator = self.mixture(cls(features=[0]), MixedGate())
        self.X = np.where(gone, np.nan, self.X)
        self.columns.append("holes")
        return estimator

    def thin(self) -> Any:
        """Sparse X."""
        free = self.kind == "class" or self.rng.random() < 0.5
        expert = self.penalised() if free else self.shared()
        gate = pick(self.rng, "softmax", "constant", SoftmaxGate(penalty=self.penalty()))
        estimator = self.mixture(expert, gate)
        kept = self.rng.random(self.X.shape) < pick(self.rng, 0.1, 0.5)
        layout = pick(self.rng, sparse.csr_array, sparse.csc_array, sparse.csr_matrix)
        self.X = layout(np.where(kept, self.X, 0.0))
        self.columns.append("sparse")
        return estimator

    def softmaxes(self) -> Any:
        """A mixture of softmaxes."""
        self.kind = "class"
        name = str(self.rng.choice(list(TARGETS["class"])))
        self.y = TARGETS["class"][name](self.rng, self.signal)
        widths = {"context_width": 6, "latent_width": 4, "max_iter": 3}
        seed = int(self.rng.integers(1000))
        return MixtureOfSoftmaxesClassifier(3, random_state=seed, **widths)


def draw(number: int) -> Case:
    """The case of a number of the second series."""
    rng = np.random.default_rng([_SALT, number])
    maker = Maker(rng, number)
    kinds = [maker.mixture, maker.tree, maker.bayes, maker.subjects]
    kinds += [maker.holes, maker.thin, maker.softmaxes]
    made = kinds[rng.choice(len(kinds), p=[0.4, 0.14, 0.14, 0.12, 0.1, 0.08, 0.02])]
    estimator = made()
    weights = str(rng.choice(list(WEIGHTS), p=[0.64, 0.1, 0.12, 0.09, 0.04, 0.01]))
    weigh = WEIGHTS[weights]
    w = None if weigh is None else weigh(rng, maker.signal)
    ways = ["fit"] * 6
    if maker.groups is None:
        ways += ["blocks"] * hasattr(estimator, "fit_blocks")
        ways += ["batches"] * hasattr(estimator, "partial_fit")
    elif w is not None:
        w = w[maker.groups % len(w)]  # a weight is that of a whole group
    way = str(rng.choice(ways))
    words = f"{maker.words}, columns {maker.columns}, weights {weights!r}"
    words += ", groups" * (maker.groups is not None)
    return Case(number, estimator, maker.X, maker.y, w, way, words, maker.groups, maker.fixed)
