"""Recorded cases of mixtures with one level: experts, gates, solvers, starts, data."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import (
    BinomialExpert,
    CensoredExpert,
    EstimatorExpert,
    GammaExpert,
    GaussianExpert,
    LaplaceExpert,
    LogisticExpert,
    LognormalExpert,
    MultinomialExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentTExpert,
    TruncatedExpert,
    WeibullExpert,
    ZeroInflatedExpert,
)
from moe_classic.gates import EstimatorGate, GaussianGate, SoftmaxGate, TreeGate
from moe_classic.solvers import EM, LBFGS, SGD, SQUAREM, Adam, Newton

from .registry import (
    Values,
    add,
    between,
    case,
    classes,
    counts,
    fitted,
    gaps,
    lines,
    outputs,
    positives,
    quarters,
    shares,
    successes,
    weights,
    zeros,
)

#: Three starts that agree are enough on tables this clear; the seed fixes them.
QUICK = {"n_init": 3, "random_state": 0}


def _fit(moe: Any, table: Any, *, regular: bool = True) -> Values:
    X, y = table()
    return fitted(moe.fit(X, y), X.toarray() if issparse(X) else X, y, regular=regular)


def _regression(name: str, table: Any = lines, *, regular: bool = True, **settings: Any) -> None:
    moe = MoERegressor(settings.pop("n_experts", 2), **(QUICK | settings))
    add(f"regression, {name}", partial(_fit, moe, table, regular=regular))


def _classification(
    name: str, table: Any = classes, *, regular: bool = True, **settings: Any
) -> None:
    moe = MoEClassifier(settings.pop("n_experts", 2), **(QUICK | settings))
    add(f"classification, {name}", partial(_fit, moe, table, regular=regular))


heavy = partial(lines, tails=True)
two = partial(classes, n_classes=2)
square = PolynomialFeatures(2, include_bias=False)
boundary = SoftmaxGate(alpha=1e-3)

# ------------------------------------------------------------------------- experts

_regression("gaussian expert")
_regression("gaussian expert, alpha", expert=GaussianExpert(alpha=0.1))
_regression("gaussian expert, tied", expert=GaussianExpert(tied=True))
_regression("gaussian expert, floor", expert=GaussianExpert(min_scale=0.2))
for kind in ("full", "diag", "spherical"):
    for tied in (False, True):
        _regression(
            f"two outputs, {kind}{' tied' * tied}",
            outputs,
            expert=GaussianExpert(covariance_type=kind, tied=tied),
        )
_regression("laplace expert", heavy, expert="laplace")
_regression("laplace expert, alpha", heavy, expert=LaplaceExpert(alpha=0.1))
_regression("student_t expert", heavy, expert="student_t")
_regression("student_t expert, df given", heavy, expert=StudentTExpert(df=3.0, alpha=0.01))
_regression("student_t expert, df in bounds", heavy, expert=StudentTExpert(df_bounds=(2.0, 5.0)))
_regression("expert of columns", expert=GaussianExpert(features=[0]))
_regression("expert of a transformer", expert=GaussianExpert(features=square))
_regression(
    "unlike experts",
    expert=[("plane", GaussianExpert()), ("robust", StudentTExpert(df=4.0, features=[0]))],
)
_regression("estimator experts", expert=Ridge(alpha=0.1), regular=False)
_regression("skew_normal expert", heavy, expert="skew_normal", regular=False)
_regression("skew_t expert", heavy, expert="skew_t", regular=False)
for density in ("laplace", "student_t"):
    _regression(
        f"estimator experts, {density}",
        heavy,
        expert=EstimatorExpert(LinearRegression(), density=density),
        regular=False,
    )
_regression(
    "estimator beside linear expert",
    expert=[("ridge", Ridge()), ("line", "gaussian")],
    regular=False,
)
for family in ("gamma", "inverse_gaussian", "lognormal", "weibull"):
    _regression(f"{family} expert", positives, expert=family, regular=False)
_regression("gamma expert, offset", positives, expert=GammaExpert(offset=1), regular=False)
for family in ("poisson", "negative_binomial"):
    _regression(f"{family} expert", counts, expert=family, regular=False)
_regression("beta expert", between, expert="beta", regular=False)
_regression("binomial expert", successes, expert=BinomialExpert(trials=10), regular=False)
_regression(
    "zero-inflated experts",
    counts,
    expert=ZeroInflatedExpert(PoissonExpert(), features=[0]),
    regular=False,
)
_regression(
    "truncated experts",
    positives,
    expert=TruncatedExpert(LognormalExpert(), high=1e3),
    regular=False,
)
_regression("background", heavy, expert=["gaussian", "uniform"], regular=False)


def _censored(expert: Any) -> Values:
    X, y = positives()
    end = float(np.quantile(y, 0.8))
    ends = np.column_stack([np.minimum(y, end), np.where(y > end, np.inf, y)])
    return fitted(MoERegressor(2, expert=expert, **QUICK).fit(X, ends), X, y, regular=False)


add("regression, censored experts", partial(_censored, CensoredExpert(WeibullExpert())))
_regression("estimator experts, two outputs", outputs, expert=LinearRegression(), regular=False)

_classification("multinomial expert", expert=MultinomialExpert(alpha=1e-2), gate=boundary)
_classification("multinomial expert by name", regular=False)
_classification(
    "pooled experts",
    expert=MultinomialExpert(alpha=1e-2, pooling=0.1),
    gate=boundary,
    regular=False,
)
_classification("logistic expert", two, expert=LogisticExpert(alpha=1e-2), gate=boundary)
_classification("logistic expert by name", two, expert="logistic", regular=False)
_classification("multinomial expert of two classes", two, expert=MultinomialExpert(alpha=1e-2))
_classification(
    "unlike experts",
    expert=[("all", MultinomialExpert(alpha=1e-2)), ("one", MultinomialExpert(features=[1]))],
    regular=False,
)
_classification("estimator experts", expert=LogisticRegression(), regular=False)
_classification("estimator experts without slopes", expert=GaussianNB(), regular=False)

# ------------------------------------------------------------------------- gates

_regression("gaussian gate", gate="gaussian")
_regression("gaussian gate, gaps", gaps, gate="gaussian", missing="marginalize")
for kind in ("diag", "tied"):
    _regression(f"gaussian gate, {kind}", gate=GaussianGate(covariance_type=kind))
_regression("gaussian gate of a column", gate=GaussianGate(features=[0], reg_covar=1e-3))
_regression("mixed gate", gate="mixed")
_regression("sparse rows", zeros, expert=GaussianExpert(alpha=0.05), gate="constant", regular=False)
_regression("sparse rows, one expert", zeros, n_experts=1)
_regression("constant gate", gate="constant")
_regression("softmax gate, alpha", gate=SoftmaxGate(alpha=0.05))
_regression("softmax gate of a column", gate=SoftmaxGate(features=[0]))
_regression("softmax gate of a transformer", gate=SoftmaxGate(features=square, alpha=0.01))
_regression("four experts", quarters, n_experts=4, gate=boundary)
_regression("tree gate", quarters, n_experts=4, gate=TreeGate((2, 2), node=boundary), n_init=6)
_regression("uneven tree gate", quarters, n_experts=4, gate=TreeGate([[2], 1, 1]), regular=False)
_regression("estimator gate", gate=EstimatorGate(LogisticRegression()), regular=False)
_classification("gaussian gate", gate="gaussian", expert=MultinomialExpert(alpha=1e-2), n_init=8)
_classification("constant gate", gate="constant", regular=False)
_classification("tree gate", gate=TreeGate((2,)), expert=MultinomialExpert(alpha=1e-2))
_classification("estimator gate", gate=LogisticRegression(), regular=False)

# ------------------------------------------------------------------------- solvers

for finish in ("newton", "lbfgs", "squarem", None):
    _regression(f"EM finished by {finish}", solver=EM(finish=finish), tol=1e-9)
_regression("EM, hard assignment", solver=EM(assignment="hard"), regular=False)
_regression("EM, stochastic assignment", solver=EM(assignment="stochastic"))
_regression("EM, annealed", solver=EM(annealing=0.5))
_regression("Newton", solver="newton")
_regression("Newton without warm-up", solver=Newton(warm_up=False), regular=False)
_regression("L-BFGS", solver="lbfgs")
_regression("L-BFGS, memory", solver=LBFGS(memory=5, warm_up=False), regular=False)
_regression("SQUAREM", solver=SQUAREM())
_regression("SQUAREM, laplace expert", heavy, expert="laplace", solver="squarem")
_regression("Adam", solver="adam", regular=False, max_iter=60)
_regression("Adam, batches", solver=Adam(batch_size=32, decay=None), regular=False, max_iter=40)
_regression("SGD", solver="sgd", regular=False, max_iter=60)
_regression(
    "SGD, held out",
    solver=SGD(
        learning_rate=0.005, batch_size=32, scaling=None, validation_fraction=0.2, patience=4
    ),
    regular=False,
    max_iter=40,
)
for error in ("competitive", "cooperative", "unit_likelihood"):
    _regression(f"L-BFGS, {error} error", solver=LBFGS(error=error), regular=False, max_iter=80)
_regression("Adam, competitive error", solver=Adam(error="competitive"), regular=False, max_iter=30)
for name in ("newton", "lbfgs", "squarem"):
    _classification(f"{name}", solver=name, expert=MultinomialExpert(alpha=1e-2), gate=boundary)
_classification("SGD", solver="sgd", regular=False, max_iter=40)
_classification("hard assignment", solver=EM(assignment="hard"), regular=False)

# ------------------------------------------------------------------------- starts and data

for start in ("principal", "kmeans", "elemental", "residual", "segments", "local", "cut"):
    _regression(f"start {start}", init=start)
_regression("no standardisation", standardize=False)
_regression("small blocks", block_size=7)
_regression("threads", n_jobs=2, block_size=16)
_regression("order of intercepts", order_by="intercept")
_regression("one expert", n_experts=1)
_classification("small blocks", two, block_size=13, expert=LogisticExpert(alpha=1e-2))


@case("regression, given responsibilities")
def given_responsibilities() -> Values:
    X, y = lines()
    moe = MoERegressor(2, init=shares(X, 2), n_init=1).fit(X, y)
    return fitted(moe, X, y)


@case("regression, row weights")
def row_weights() -> Values:
    X, y = lines()
    w = weights(len(X))
    return fitted(MoERegressor(2, **QUICK).fit(X, y, w), X, y, w)


@case("classification, row weights")
def row_weights_of_classes() -> Values:
    X, y = classes()
    w = weights(len(X))
    moe = MoEClassifier(2, expert=MultinomialExpert(alpha=1e-2), gate=boundary, **QUICK)
    return fitted(moe.fit(X, y, w), X, y, w)


@case("regression, warm start")
def warm_start() -> Values:
    X, y = lines()
    moe = MoERegressor(2, warm_start=True, **QUICK).fit(X[:80], y[:80])
    return fitted(moe.fit(X, y), X, y)


@case("regression, shared slopes")
def shared_slopes() -> Values:
    X, y = lines()
    wave = np.sin(7.0 * np.arange(len(X)))
    X, y = np.column_stack([X, wave]), y + wave
    moe = MoERegressor(2, expert=GaussianExpert(shared=[2]), **QUICK).fit(X, y)
    return fitted(moe, X, y)


@case("counts, shared slopes")
def shared_slopes_of_counts() -> Values:
    X, y = lines()
    counts = np.rint(np.exp(0.5 * (y - y.mean()) / y.std()) * 3.0)
    moe = MoERegressor(2, expert=NegativeBinomialExpert(shared=[0]), **QUICK).fit(X, counts)
    return fitted(moe, X, counts)


@case("regression, named columns")
def named_columns() -> Values:
    X, y = lines()
    table = pd.DataFrame(X, columns=["speed", "load"])
    moe = MoERegressor(
        2, expert=GaussianExpert(features=["load", "speed"]), gate=SoftmaxGate(features=["speed"])
    )
    return fitted(moe.set_params(**QUICK).fit(table, y), table, y)


@case("regression, levels of a table")
def levels_of_a_table() -> Values:
    X, y = lines()
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
    table["city"] = np.array(["Rome", "Oslo", "Bern"])[np.arange(len(y)) % 3]
    table["grade"] = pd.Categorical(np.where(np.arange(len(y)) % 2, "low", "high"), ["low", "high"])
    table["flag"] = np.arange(len(y)) % 5 == 0
    return fitted(MoERegressor(2, **QUICK).fit(table, y), table, y)


@case("regression, target far from zero")
def far_target() -> Values:
    X, y = lines()
    X, y = 1e3 + 50.0 * X, 1e5 + 200.0 * y
    return fitted(MoERegressor(2, **QUICK).fit(X, y), X, y)


@case("classification, words as labels")
def words_as_labels() -> Values:
    X, y = classes()
    words = np.array(["high", "low", "middle"])[y]
    moe = MoEClassifier(2, expert=MultinomialExpert(alpha=1e-2), gate=boundary, **QUICK)
    return fitted(moe.fit(X, words), X, words) | {"classes_": " ".join(moe.classes_)}


@case("regression, fit_blocks")
def fit_blocks() -> Values:
    X, y = lines()
    w = weights(len(X))
    cut = [(X[i : i + 31], y[i : i + 31], w[i : i + 31]) for i in range(0, len(X), 31)]
    return fitted(MoERegressor(2, **QUICK).fit_blocks(cut), X, y, w)


@case("classification, fit_blocks")
def fit_blocks_of_classes() -> Values:
    X, y = classes()
    cut = [(X[i : i + 60], y[i : i + 60]) for i in range(0, len(X), 60)]
    moe = MoEClassifier(2, expert=MultinomialExpert(alpha=1e-2), gate=boundary, **QUICK)
    return fitted(moe.fit_blocks(cut), X, y)


def _learnt(moe: Any, X: np.ndarray, y: np.ndarray, **first: Any) -> Values:
    """Answers after learning in five batches."""
    for rows in np.array_split(np.arange(len(X)), 5):
        moe.partial_fit(X[rows], y[rows], **first)
    out = {"predict": moe.predict(X[:9]), "gate_proba": moe.gate_proba(X[:9])}
    return out | {"log_likelihood": moe.log_likelihood(X, y)}


@case("regression, partial_fit")
def partial_fit() -> Values:
    return _learnt(MoERegressor(2, **QUICK), *lines(200))


@case("regression, partial_fit of student_t experts")
def partial_fit_of_heavy_tails() -> Values:
    return _learnt(MoERegressor(2, expert=StudentTExpert(df=4.0), **QUICK), *lines(200, tails=True))


@case("classification, partial_fit")
def partial_fit_of_classes() -> Values:
    return _learnt(MoEClassifier(2, **QUICK), *classes(), classes=[0, 1, 2])


def _of_subjects(moe: Any, X: np.ndarray, y: np.ndarray) -> Values:
    """Answers of a fit whose rows belong to subjects of three, with half of them known."""
    groups = np.arange(len(X)) // 3
    w = 1.0 + groups % 2
    moe.fit(X, y, w, groups=groups)
    half = np.arange(len(X)) < len(X) // 2
    told = {"groups": groups, "history": (X[half], y[half], groups[half])}
    numbers = moe.inference(X, y, kind="sandwich", sample_weight=w, groups=groups)
    return {
        "log_likelihood_": moe.log_likelihood_,
        "last of trace_": moe.trace_[-1],
        "criteria": [getattr(moe, name)(X, y, w, groups=groups) for name in ("aic", "bic", "icl")],
        "gate_proba": moe.gate_proba(X, groups=groups)[:9],
        "responsibilities": moe.responsibilities(X, y, groups=groups)[:9],
        "expert_log_density": moe.expert_log_density(X, y)[:9],
        "score_samples": moe.score_samples(X, y, groups=groups),
        "predict with a history": moe.predict_expert(X, **told),
        "gate with a history": moe.gate_proba(X, **told),
        "agreement": moe.start_report_["agreement"],
        "standard errors": numbers.table["std_error"],
        "terms": "; ".join(map(str, numbers.table.index)),
    }


@case("regression, groups")
def groups_of_rows() -> Values:
    return _of_subjects(MoERegressor(2, **QUICK), *lines())


@case("classification, groups")
def groups_of_classes() -> Values:
    moe = MoEClassifier(2, expert=MultinomialExpert(alpha=1e-2), gate=boundary, **QUICK)
    return _of_subjects(moe, *classes())


@case("regression, fit_blocks of groups")
def fit_blocks_of_groups() -> Values:
    X, y = lines()
    cuts = [slice(i, i + 30) for i in range(0, len(X), 30)]
    blocks = [(X[c], y[c], None, np.arange(len(X))[c] // 3) for c in cuts]
    moe = MoERegressor(2, **QUICK).fit_blocks(blocks)
    return {"log_likelihood_": moe.log_likelihood_, "gate_proba": moe.gate_proba(X[:9])}
