"""Sparse X: the optimum of the same rows laid out, other implementations, what is refused."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import get_tags

from moe_classic import (
    BayesianMoERegressor,
    HardMoERegressor,
    HierarchicalMoERegressor,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.experts import (
    EXPERTS,
    CensoredExpert,
    GaussianExpert,
    LogisticExpert,
    MultinomialExpert,
    PoissonExpert,
)
from moe_classic.experts._linear import LinearExpert
from moe_classic.gates import GATES, SoftmaxGate, _softmax
from moe_classic.solvers import SOLVERS

LINEAR = sorted(name for name, cls in EXPERTS.items() if issubclass(cls, LinearExpert))
#: Climb to the last digits.
FAR = {"tol": 1e-13, "max_iter": 3000}


def table(rng, n=600, p=6, density=0.3):
    """Sparse rows with values of either sign, and columns of unlike units."""
    X = sparse.random_array((n, p), density=density, rng=rng, data_sampler=rng.standard_normal)
    return sparse.csr_array(X * 10.0 ** np.arange(p).clip(max=3))


def target(name, X, rng):
    """A target of the kind that an expert describes, of two regimes; (n,) and which."""
    Z = X.toarray() / 10.0 ** np.arange(X.shape[1]).clip(max=3)
    first = rng.random(len(Z)) < expit(1.0 + 1.5 * Z[:, 0])
    eta = np.where(first, 1.0 + 0.5 * Z[:, 1], -1.0 - 0.5 * Z[:, 2])
    kind = EXPERTS[name].target
    if name == "binomial":
        return rng.binomial(1, expit(eta)), first
    if kind == "count":
        return rng.poisson(np.exp(eta) * rng.gamma(3.0, 1.0 / 3.0, len(Z))), first
    if kind == "positive":
        return np.exp(eta) * rng.gamma(3.0, 1.0 / 3.0, len(Z)), first
    if kind == "share":
        return rng.beta(4.0 * expit(eta), 4.0 * expit(-eta)), first
    if kind == "class":
        return (rng.random(len(Z)) < expit(2.0 * eta)).astype(int), first
    return 2.0 * eta + rng.standard_normal(len(Z)), first


def pair(cls, X, y, *, init=None, **settings):
    """Fits of sparse rows, and of the same laid out and scaled alike."""
    scaler = MaxAbsScaler().fit(X)
    moe = cls(random_state=0, **settings)
    if init is not None:
        R = np.where(init, 0.9, 0.1)
        moe.set_params(init=np.column_stack([R, 1.0 - R]))
    laid_out = clone(moe).set_params(standardize=False)
    return moe.fit(X, y), laid_out.fit(scaler.transform(X).toarray(), y), scaler


# ------------------------------------------------------------------------- the same optimum


@pytest.mark.parametrize(
    ("name", "density"),
    [(n, 0.05) for n in sorted(set(LINEAR) - {"laplace"})]
    + [(n, 0.3) for n in ("gaussian", "multinomial", "poisson")],
)
def test_optimum_is_that_of_the_rows_laid_out(rng, name, density):
    X = table(rng, density=density)
    y, first = target(name, X, rng)
    cls = MoEClassifier if EXPERTS[name].target == "class" else MoERegressor
    moe, dense, scaler = pair(cls, X, y, init=first, n_experts=2, expert=name, **FAR)
    assert moe.log_likelihood_ == pytest.approx(dense.log_likelihood_, rel=1e-8)
    assert moe.n_parameters_ == dense.n_parameters_
    rows, scaled = X[:50], scaler.transform(X[:50]).toarray()
    np.testing.assert_allclose(moe.gate_proba(rows), dense.gate_proba(scaled), atol=1e-5)
    np.testing.assert_allclose(moe.gate_proba(rows), moe.gate_proba(rows.toarray()), atol=1e-12)


@pytest.mark.parametrize("density", [0.05, 0.3])
def test_least_absolute_deviations_are_those_of_the_rows_laid_out(rng, density):
    # Of one expert: with two, climbs end on one of many kinks of the likelihood.
    X = table(rng, density=density)
    y, _ = target("laplace", X, rng)
    moe, dense, _ = pair(MoERegressor, X, y, n_experts=1, expert="laplace", **FAR)
    assert moe.log_likelihood_ == pytest.approx(dense.log_likelihood_, rel=1e-8)


@pytest.mark.parametrize("solver", sorted(set(SOLVERS) - {"sgd", "adam"}))
@pytest.mark.parametrize("gate", ["softmax", "constant"])
def test_every_solver_climbs_to_it(rng, solver, gate):
    X = table(rng)
    y, first = target("gaussian", X, rng)
    how = {"n_experts": 2, "gate": gate, "solver": solver, **FAR}
    moe, dense, _ = pair(MoERegressor, X, y, init=first, **how)
    assert moe.log_likelihood_ == pytest.approx(dense.log_likelihood_, rel=1e-8)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_batches_of_sparse_rows_climb_too(rng, solver):
    X = table(rng)
    y, first = target("gaussian", X, rng)
    how = {"n_experts": 2, "random_state": 0, "init": np.column_stack([first, ~first]) + 0.1}
    best = MoERegressor(**how).fit(X, y)
    moe = MoERegressor(solver=solver, max_iter=60, **how).fit(X, y)
    assert moe.log_likelihood_ >= best.log_likelihood_ - 0.01 * len(y)


def test_starts_find_it_by_themselves(rng):
    X = table(rng, p=40, density=0.05)
    y, _ = target("gaussian", X, rng)
    moe, dense, _ = pair(MoERegressor, X, 3.0 * y, n_experts=2)
    assert moe.log_likelihood_ >= dense.log_likelihood_ - 2.0


def test_wide_gates_and_lbfgs(rng, monkeypatch):
    # Where Newton's system would be large, the bound on its curvature takes its place.
    monkeypatch.setattr(_softmax, "GATE_LIMIT", 50)
    X = table(rng, n=500, p=100, density=0.03)
    first = rng.random(500) < 0.5
    y = np.where(first, 5.0, -5.0) + X[:, [1]].toarray()[:, 0] / 10.0 + rng.standard_normal(500)
    # Penalties are in units of y, which is scaled along with X.
    y = (y - y.mean()) / y.std()
    settings = {"expert": GaussianExpert(alpha=0.1), "gate": SoftmaxGate(alpha=0.1)}
    moe, dense, _ = pair(MoERegressor, X, y, init=first, n_experts=2, **FAR, **settings)
    assert moe.log_likelihood_ == pytest.approx(dense.log_likelihood_, rel=1e-8)
    climbed = moe.set_params(solver="lbfgs", max_iter=500).fit(X, y)
    assert climbed.log_likelihood_ >= dense.log_likelihood_ - 1e-3


# ------------------------------------------------------------------------- other implementations


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_one_expert_is_ridge_regression(rng, density):
    X = table(rng, density=density)
    y, _ = target("gaussian", X, rng)
    alpha = 0.02
    moe = MoERegressor(1, expert=GaussianExpert(alpha=alpha), standardize=False, **FAR).fit(X, y)
    noise = float(moe.experts_[0].scale_) ** 2
    ridge = Ridge(len(y) * alpha * noise, tol=1e-14, solver="sparse_cg").fit(X, y)
    np.testing.assert_allclose(moe.predict(X), ridge.predict(X.toarray()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_one_expert_is_least_squares(rng, density):
    X = table(rng, density=density)
    y, _ = target("gaussian", X, rng)
    moe = MoERegressor(1).fit(X, y)
    line = np.linalg.lstsq(np.column_stack([X.toarray(), np.ones(len(y))]), y, rcond=None)[0]
    np.testing.assert_allclose(moe.experts_[0].coef_, line[:-1], rtol=1e-8)
    assert moe.experts_[0].intercept_ == pytest.approx(line[-1], rel=1e-8)


@pytest.mark.parametrize("expert", [LogisticExpert, MultinomialExpert])
def test_one_expert_is_logistic_regression(rng, expert):
    X = table(rng, density=0.08) / 10.0 ** np.arange(6).clip(max=3)
    X = sparse.csr_array(X)
    y, _ = target("logistic", X, rng)
    moe = MoEClassifier(1, expert=expert(alpha=0.01), standardize=False, **FAR).fit(X, y)
    # Of two classes, slopes centred over both are half their difference, each.
    share = 1.0 if expert is LogisticExpert else 0.5
    other = LogisticRegression(C=1.0 / (0.01 * len(y) * share), tol=1e-12, max_iter=5000).fit(X, y)
    np.testing.assert_allclose(moe.predict_proba(X), other.predict_proba(X), atol=1e-6)


# ------------------------------------------------------------------------- what users see


def test_tables_are_in_the_units_of_the_user(rng):
    X = table(rng)
    y, _ = target("gaussian", X, rng)
    y = 3.0 * y
    moe = MoERegressor(2, random_state=0, **FAR).fit(X, y)
    dense = MoERegressor(2, random_state=0, **FAR).fit(X.toarray(), y)
    a, b = moe.summary(), dense.summary()
    assert list(a.index) == list(b.index)
    np.testing.assert_allclose(a.to_numpy(float), b.to_numpy(float), rtol=1e-3, atol=1e-4)
    for kind in ("sandwich", "observed"):
        one, other = moe.inference(X, y, kind=kind), dense.inference(X.toarray(), y, kind=kind)
        np.testing.assert_allclose(one.table.std_error, other.table.std_error, rtol=1e-3)
    said, told = moe.explain(X[:5]), dense.explain(X[:5].toarray())
    np.testing.assert_allclose(said["prediction"], told["prediction"], atol=1e-3)
    np.testing.assert_allclose(
        moe.predict_interval(X[:9]), dense.predict_interval(X[:9].toarray()), atol=1e-3
    )
    assert moe.crps(X, y).mean() == pytest.approx(dense.crps(X.toarray(), y).mean(), abs=1e-4)
    assert moe.bic(X, y) == pytest.approx(dense.bic(X.toarray(), y), abs=1e-2)


def test_bootstrap_takes_sparse_rows(rng):
    X = table(rng, n=200, p=3)
    y, _ = target("gaussian", X, rng)
    moe = MoERegressor(1, random_state=0).fit(X, y)
    found = moe.inference(X, y, kind="bootstrap", n_bootstrap=30, random_state=0)
    normal = moe.inference(X, y)
    np.testing.assert_allclose(found.table.std_error, normal.table.std_error, rtol=0.6)


def test_columns_that_say_nothing_are_no_parameters(rng):
    X = table(rng, p=4, density=0.05).toarray()
    full = np.column_stack([X, np.zeros(len(X)), X[:, 0] + X[:, 1], np.full(len(X), 2.0)])
    y, _ = target("gaussian", sparse.csr_array(X), rng)
    moe = MoERegressor(1).fit(sparse.csr_array(full), y)
    plain = MoERegressor(1).fit(X, y)
    assert moe.n_parameters_ == plain.n_parameters_ == 6
    np.testing.assert_allclose(moe.predict(sparse.csr_array(full)), plain.predict(X))
    assert moe.experts_[0].coef_[4] == moe.experts_[0].coef_[6] == 0.0


def test_blocks_of_sparse_rows(rng):
    X = table(rng)
    y, _ = target("gaussian", X, rng)
    blocks = [(X[:250], y[:250]), (sparse.coo_array(X[250:]), y[250:])]
    moe = MoERegressor(2, random_state=0, **FAR).fit_blocks(blocks)
    whole = MoERegressor(2, random_state=0, **FAR).fit(X, y)
    assert moe.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-9)


def test_weights_are_repeated_rows(rng):
    X = table(rng, n=150, p=4)
    y, _ = target("gaussian", X, rng)
    w = rng.integers(0, 3, 150)
    weighted = MoERegressor(2, random_state=0).fit(X, y, sample_weight=w)
    times = np.repeat(np.arange(150), w)[rng.permutation(int(w.sum()))]
    repeated = MoERegressor(2, random_state=0).fit(X[times], y[times])
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-9)


# ------------------------------------------------------------------------- who takes it


@pytest.mark.parametrize(
    ("estimator", "takes"),
    [
        (MoERegressor(), True),
        (MoERegressor(expert="student_t", gate="constant"), True),
        (MoERegressor(expert=[("a", "gaussian"), ("b", "uniform")]), True),
        (MoERegressor(expert=CensoredExpert("gaussian")), False),
        (MoERegressor(expert=PoissonExpert(offset=0)), False),
        (MoERegressor(gate="gaussian"), False),
        (MoERegressor(gate="mixed"), False),
        (MoERegressor(gate="tree"), False),
        (MoERegressor(1, gate=GATES["gaussian"](features=TruncatedSVD(2))), True),
        (MoERegressor(expert=Ridge()), False),
        (MoEClassifier(expert="multinomial"), True),
        (HierarchicalMoERegressor(), False),
        (BayesianMoERegressor(), False),
        (MetaPiRegressor([Ridge()]), False),
        (HardMoERegressor(), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_tag_tells_whether_sparse_rows_are_taken(rng, estimator, takes):
    assert get_tags(estimator).input_tags.sparse is takes
    X = table(rng)
    y = rng.poisson(2.0, 600) if "Poisson" in str(estimator) else target("gaussian", X, rng)[0]
    y = y > 0 if isinstance(estimator, MoEClassifier) else y
    if takes:
        assert estimator.fit(X, y).predict(X).shape == (600,)
    else:
        with pytest.raises(TypeError, match=r"[Ss]parse|dense"):
            estimator.fit(X, y)


def test_who_cannot_is_named_with_what_to_do(rng):
    X = table(rng)
    y, _ = target("gaussian", X, rng)
    with pytest.raises(TypeError, match=r"'gaussian' cannot see sparse features.*TruncatedSVD"):
        MoERegressor(gate="gaussian").fit(X, y)
    with pytest.raises(TypeError, match="partial_fit keeps its first rows laid out"):
        MoERegressor().partial_fit(X, y)
    with pytest.raises(TypeError, match="groups takes a dense X"):
        MoERegressor().fit(X, y, groups=np.arange(600) // 3)


def test_bad_values_are_refused(rng):
    X = table(rng)
    y, _ = target("gaussian", X, rng)
    moe = MoERegressor(1).fit(X, y)
    cases = [(np.nan, "NaN in column 'x"), (np.inf, "infinity"), (1e200, "1e\\+200 in row")]
    for bad, words in cases:
        broken = X.copy()
        broken.data[17] = bad
        for call in (lambda b=broken: moe.fit(b, y), lambda b=broken: moe.predict(b)):
            with pytest.raises(ValueError, match=words):
                call()


def test_a_gate_of_few_directions_of_sparse_rows(rng):
    X = table(rng, p=30, density=0.1)
    y, _ = target("gaussian", X, rng)
    gate = SoftmaxGate(features=TruncatedSVD(3, random_state=0))
    moe = MoERegressor(2, gate=gate, random_state=0).fit(X, y)
    np.testing.assert_allclose(moe.predict(X), moe.predict(sparse.csc_matrix(X)), rtol=1e-9)
