"""A case, and the first series of them: an estimator, untidy rows, and a way to fit it to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from moe_classic import (
    DeepMoEClassifier,
    DeepMoERegressor,
    HardMoEClassifier,
    HardMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MetaPiClassifier,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
    SparseMoEClassifier,
    SparseMoERegressor,
)
from moe_classic.experts import EXPERTS, Expert, GaussianExpert, LaplaceExpert, StudentTExpert
from moe_classic.gates import EstimatorGate, GaussianGate, SoftmaxGate, TreeGate
from moe_classic.solvers import EM, LBFGS, SGD, SQUAREM, Adam, Newton

from .data import TARGETS, WEIGHTS, Array, Rng, features, signal

#: What starts the random numbers of every case.
_SALT = 20240607
#: Solvers that never let the objective fall.
CLIMBERS = (EM, Newton, LBFGS, SQUAREM)
FAMILIES = {name: cls.target for name, cls in EXPERTS.items()}


@dataclass
class Case:
    """One case.

    Attributes
    ----------
    number : int
    estimator : an unfitted estimator
    X, y, w : rows, and weights or None
    way : "fit", "blocks" or "batches"
    words : what the rows are
    groups : labels of subjects, or None
    fixed : columns of X that mean something, such as numbers of trials
    """

    number: int
    estimator: Any
    X: Any
    y: Array
    w: Array | None
    way: str
    words: str
    groups: Array | None = None
    fixed: tuple[int, ...] = ()

    def __str__(self) -> str:
        shape = f"n={self.X.shape[0]} p={self.X.shape[1]}"
        text = " ".join(repr(self.estimator).split())
        return f"case {self.number}: {text}.{self.way} on {shape}, {self.words}"

    @property
    def heard(self) -> tuple[Any, Array, dict[str, Array]]:
        """X, y and groups of the rows with weight: a class that has none need not be known."""
        used = np.ones(self.X.shape[0], dtype=bool) if self.w is None else self.w > 0.0
        groups = {} if self.groups is None else {"groups": self.groups[used]}
        return self.X[used], self.y[used], groups

    def elsewhere(self, X: Any) -> Any:
        """Rows away from those of a fit."""
        away = X[::-1] * 1.7
        if sparse.issparse(X):
            return away
        away = away + 0.3
        away[:, self.fixed] = X[::-1][:, self.fixed]
        return away

    def fit(self, estimator: Any) -> Any:
        """``estimator`` fitted to the rows."""
        weights = () if self.w is None else (self.w,)
        if self.way == "fit":
            groups = {} if self.groups is None else {"groups": self.groups}
            return estimator.fit(self.X, self.y, *weights, **groups)
        parts = np.array_split(np.arange(self.X.shape[0]), min(3, self.X.shape[0]))
        blocks = [(self.X[i], self.y[i], *(w[i] for w in weights)) for i in parts]
        if self.way == "blocks":
            return estimator.fit_blocks(blocks)
        known = {"classes": np.unique(self.y)} if hasattr(estimator, "predict_proba") else {}
        for X, y, *w in blocks:
            estimator.partial_fit(X, y, sample_weight=w[0] if w else None, **known)
        return estimator


def draw(number: int) -> Case:
    """The case of a number of the first series."""
    rng = np.random.default_rng([_SALT, number])
    kind = str(rng.choice(list(TARGETS), p=[0.4, 0.1, 0.1, 0.1, 0.3]))
    n = int(rng.choice([2, 3, 5, 8, 20, 40, 80], p=[0.04, 0.04, 0.06, 0.1, 0.26, 0.3, 0.2]))
    X, columns = features(rng, n, int(rng.integers(1, 5)))
    s = signal(rng, X)
    name = str(rng.choice(list(TARGETS[kind])))
    if name == "beyond" and rng.random() < 0.7:
        name = "noisy"
    y = TARGETS[kind][name](rng, s)
    if kind == "real" and rng.random() < 0.1:
        y = np.column_stack([y, rng.normal(size=n)])
    estimator = _estimator(rng, kind, y.ndim)
    weights = str(rng.choice(list(WEIGHTS), p=[0.6, 0.1, 0.12, 0.09, 0.07, 0.02]))
    maker = WEIGHTS[weights]
    way = _way(rng, estimator)
    words = f"{kind} target {name!r}, columns {columns}, weights {weights!r}"
    return Case(number, estimator, X, y, None if maker is None else maker(rng, s), way, words)


def _way(rng: Rng, estimator: Any) -> str:
    ways = ["fit"] * 6
    ways += ["blocks"] * hasattr(estimator, "fit_blocks")
    ways += ["batches"] * hasattr(estimator, "partial_fit")
    return str(rng.choice(ways))


def pick(rng: Rng, *choices: Any) -> Any:
    """One of some things."""
    return choices[rng.integers(len(choices))]


# ------------------------------------------------------------------------- estimators


def _estimator(rng: Rng, kind: str, outputs: int) -> Any:
    seed = int(rng.integers(1000))
    if kind not in ("real", "class"):
        family = pick(rng, *[name for name, target in FAMILIES.items() if target == kind])
        return pick(rng, _flat, _flat, _tree)(rng, kind, family, seed)
    u = rng.random()
    if u < 0.6 or outputs > 1:
        return _flat(rng, kind, _expert(rng, kind, outputs), seed)
    if u < 0.8:
        family = pick(rng, "gaussian", "laplace", "student_t") if kind == "real" else "multinomial"
        return _tree(rng, kind, family, seed)
    if u < 0.94:
        return _blend(rng, kind, seed)
    return _net(rng, kind, seed)


def _expert(rng: Rng, kind: str, outputs: int) -> Any:
    if kind == "class":
        return pick(rng, "multinomial", "multinomial", "logistic", GaussianNB())
    if outputs > 1:
        return GaussianExpert(covariance_type=pick(rng, "full", "diag", "spherical"))
    return pick(
        rng,
        "gaussian",
        "laplace",
        "student_t",
        GaussianExpert(alpha=1e-3, tied=True),
        StudentTExpert(df=pick(rng, 1.0, 3.0)),
        LaplaceExpert(alpha=0.1),
        LinearRegression(),
        DecisionTreeRegressor(max_depth=2),
    )


def _gate(rng: Rng) -> Any:
    return pick(
        rng,
        "softmax",
        "softmax",
        SoftmaxGate(alpha=pick(rng, 0.0, 1e-2)),
        GaussianGate(covariance_type=pick(rng, "full", "diag", "tied")),
        GaussianGate(covariance_type=pick(rng, "full", "diag", "tied")),
        "constant",
        TreeGate(node="softmax"),
        EstimatorGate(LogisticRegression()),
    )


def some_solver(rng: Rng) -> Any:
    """A solver by name, or one with settings."""
    return pick(
        rng,
        "em",
        "em",
        EM(finish=None),
        EM(assignment=pick(rng, "hard", "stochastic")),
        EM(annealing=0.5),
        "newton",
        "lbfgs",
        LBFGS(warm_up=False),
        "squarem",
        Adam(learning_rate=0.01),
        SGD(learning_rate=0.01),
    )


def climb_settings(rng: Rng, seed: int) -> dict[str, Any]:
    """Settings of a climb that flat mixtures and trees have."""
    return {
        "n_init": int(rng.integers(1, 4)),
        "max_iter": int(pick(rng, 1, 5, 30)),
        "init": pick(rng, "auto", "auto", "auto", "principal", "kmeans", "residual"),
        "standardize": bool(rng.random() < 0.85),
        "block_size": pick(rng, None, None, 7),
        "warm_start": bool(rng.random() < 0.15),
        "random_state": seed,
    }


def _flat(rng: Rng, kind: str, expert: Any, seed: int) -> Any:
    cls = MoEClassifier if kind == "class" else MoERegressor
    K = int(rng.integers(1, 5))
    gate, settings = _gate(rng), climb_settings(rng, seed)
    # What scikit-learn fits is refitted on all rows at once.
    whole = isinstance(gate, EstimatorGate) or not isinstance(expert, (str, Expert))
    solver = pick(rng, "em", EM(finish=None)) if whole else some_solver(rng)
    settings |= {"warm_start": False} if whole else {}
    return cls(K, expert=expert, gate=gate, solver=solver, **settings)


def _tree(rng: Rng, kind: str, family: Any, seed: int) -> Any:
    cls = HierarchicalMoEClassifier if kind == "class" else HierarchicalMoERegressor
    settings = climb_settings(rng, seed) | {"init": pick(rng, "auto", "auto", "cut")}
    if rng.random() < 0.2:
        settings |= {"max_leaves": 3, "criterion": pick(rng, "bic", "held_out")}
        return cls("grow", expert=family, **settings)
    branching = pick(rng, (2,), (3,), (2, 2))
    return cls(branching, node="softmax", expert=family, **settings)


def _blend(rng: Rng, kind: str, seed: int) -> Any:
    if kind == "class":
        experts = [GaussianNB(), DecisionTreeClassifier(max_depth=2)]
        meta, hard = MetaPiClassifier, HardMoEClassifier
    else:
        experts = [Ridge(), DecisionTreeRegressor(max_depth=2)]
        meta, hard = MetaPiRegressor, HardMoERegressor
    common = {"gate_features": None, "max_iter": 3, "random_state": seed}
    if rng.random() < 0.5:
        gate = pick(rng, "softmax", "sigmoid", "constant")
        hidden = pick(rng, 0, 2) if gate != "constant" else 0
        return meta(experts, gate=gate, hidden_units=hidden, **common)
    expert = pick(rng, None, experts[1])
    assignment = pick(rng, "greedy", "balanced")
    return hard(2, expert=expert, assignment=assignment, gate_iter=10, **common)


def _net(rng: Rng, kind: str, seed: int) -> Any:
    common = {"n_experts": 3, "expert_width": 4, "max_iter": 3, "random_state": seed}
    if rng.random() < 0.5:
        deep = DeepMoEClassifier if kind == "class" else DeepMoERegressor
        return deep(n_layers=1, gate_units=4, **common)
    sparse = SparseMoEClassifier if kind == "class" else SparseMoERegressor
    router = pick(rng, "top_k", "soft", "expert_choice", "hash")
    return sparse(router=router, width=6, mix=pick(rng, "outputs", "densities"), **common)
