"""Arguments in any combination: refused before any work, or a sound fit; nothing in between."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import (
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.datasets import make_moe
from moe_classic.experts import (
    EstimatorExpert,
    GaussianExpert,
    LaplaceExpert,
    LogisticExpert,
    MultinomialExpert,
    StudentTExpert,
)
from moe_classic.gates import EstimatorGate, GaussianGate, SoftmaxGate
from moe_classic.solvers import EM, LBFGS, SGD, SQUAREM, Adam, DivergenceError, Newton, Problem

N = 60
some = settings(max_examples=20, deadline=None, derandomize=True)
features = st.sampled_from([None, [], [0], [1, 0], PolynomialFeatures(2, include_bias=False)])
alphas = st.sampled_from([0.0, 1e-4, 1.0])

REAL_EXPERTS = st.one_of(
    st.sampled_from(["gaussian", "laplace", "student_t", "multinomial", LinearRegression()]),
    st.builds(
        GaussianExpert,
        features=features,
        alpha=alphas,
        covariance_type=st.sampled_from(["full", "diag", "spherical"]),
        tied=st.booleans(),
    ),
    st.builds(LaplaceExpert, features=features, alpha=alphas),
    st.builds(StudentTExpert, features=features, alpha=alphas, df=st.sampled_from([None, 3.0])),
    st.builds(
        EstimatorExpert,
        st.just(LinearRegression()),
        density=st.sampled_from(["gaussian", "laplace", "student_t"]),
    ),
    st.just([("line", GaussianExpert()), ("robust", "student_t")]),
)
SHARED = st.sampled_from([[0], [1], [0, -1], [2]])
SHARING_EXPERTS = st.one_of(
    st.builds(
        GaussianExpert,
        features=features,
        alpha=alphas,
        covariance_type=st.sampled_from(["full", "diag", "spherical"]),
        tied=st.booleans(),
        shared=SHARED,
    ),
    st.builds(LaplaceExpert, features=features, alpha=alphas, shared=SHARED),
    st.builds(StudentTExpert, features=features, df=st.sampled_from([None, 3.0]), shared=SHARED),
)
CLASS_EXPERTS = st.one_of(
    st.sampled_from(["logistic", "multinomial", "gaussian", LogisticRegression()]),
    st.builds(LogisticExpert, features=features, alpha=alphas),
    st.builds(MultinomialExpert, features=features, alpha=alphas),
    st.just([("all", "multinomial"), ("few", MultinomialExpert(features=[0]))]),
)
GATES = st.one_of(
    st.sampled_from(["softmax", "gaussian", "constant", "tree", LogisticRegression()]),
    st.builds(SoftmaxGate, features=features, alpha=alphas),
    st.builds(
        GaussianGate,
        features=features,
        covariance_type=st.sampled_from(["full", "tied", "diag", "spherical"]),
    ),
    st.builds(EstimatorGate, st.just(LogisticRegression())),
)
ERRORS = st.sampled_from(["likelihood", "competitive", "cooperative", "unit_likelihood"])
SOLVERS = st.one_of(
    st.sampled_from(["em", "newton", "lbfgs", "squarem", "adam", "sgd"]),
    st.builds(
        EM,
        finish=st.sampled_from(["auto", "newton", "lbfgs", "squarem", None]),
        assignment=st.sampled_from(["soft", "hard", "stochastic"]),
        annealing=st.sampled_from([None, 0.5]),
    ),
    st.builds(Newton, warm_up=st.booleans()),
    st.builds(LBFGS, error=ERRORS, warm_up=st.booleans()),
    st.builds(SQUAREM),
    st.builds(Adam, error=ERRORS, batch_size=st.sampled_from([None, 32])),
    st.builds(SGD, error=ERRORS, scaling=st.sampled_from(["auto", None])),
)
COMMON = {
    "solver": SOLVERS,
    "init": st.sampled_from(["auto", "kmeans", "cut", "local"]),
    "n_init": st.integers(1, 3),
    "standardize": st.booleans(),
    "block_size": st.sampled_from([None, 7, 50]),
    "n_jobs": st.sampled_from([None, 2]),
}
FLAT = COMMON | {
    "n_experts": st.integers(1, 3),
    "gate": GATES,
    "order_by": st.sampled_from(["mass", "intercept"]),
}
TREES = COMMON | {
    "branching": st.sampled_from([(2, 2), (3,), (2,)]),
    "least_squares_iter": st.sampled_from([0, 2]),
}


def data(kind):
    """Rows, targets of one or two outputs or two or three classes."""
    X, y = make_moe(N, n_experts=2, n_features=2, random_state=0)
    if kind in ("y", "two outputs"):
        return X, y if kind == "y" else np.column_stack([y, X[:, 0] - y])
    return X, np.digitize(y, np.quantile(y, [0.5] if kind == "two classes" else [0.3, 0.6]))


def check(monkeypatch, moe, kind, weighted):
    """Fit, and look at everything that must hold whatever was asked for."""
    X, y = data(kind)
    w = np.random.default_rng(0).integers(0, 3, N).astype(float) if weighted else None
    passes = []
    with monkeypatch.context() as patch, warnings.catch_warnings():
        # Fits are short, and some experts have bounds: that much is said.
        warnings.simplefilter("ignore")
        for name in ("evaluate", "value", "slope"):
            original = getattr(Problem, name)
            patch.setattr(Problem, name, lambda *args, f=original: passes.append(1) or f(*args))
        refusal = None
        try:
            moe.fit(X, y, sample_weight=w)
        except DivergenceError:
            pass  # the last good parameters are kept
        except (ValueError, TypeError) as error:
            refusal = str(error)
    if refusal is not None:
        assert not passes, f"refused after {len(passes)} passes: {refusal}"
        assert len(refusal) > 30
        return
    assert passes
    assert np.isfinite(moe.log_likelihood_)
    trace = np.asarray(moe.trace_)
    assert np.isfinite(trace).all()
    assert (np.diff(trace) >= -1e-9 * np.abs(trace[:-1])).all()
    gate = moe.gate_proba(X)
    np.testing.assert_allclose(gate.sum(axis=1), 1.0, rtol=1e-9)
    answers = moe.predict_proba(X) if hasattr(moe, "classes_") else moe.predict(X)
    assert np.isfinite(answers).all()
    assert np.isfinite(moe.score_samples(X, y)).all()
    other = pickle.loads(pickle.dumps(moe))
    np.testing.assert_array_equal(other.gate_proba(X), gate)
    clone(moe)


@pytest.mark.parametrize("kind", ["y", "two outputs"])
def test_any_arguments_of_a_regressor(monkeypatch, kind):
    @some
    @given(options=st.fixed_dictionaries(FLAT | {"expert": REAL_EXPERTS}), weighted=st.booleans())
    def run(options, weighted):
        moe = MoERegressor(max_iter=8, random_state=0, **options)
        check(monkeypatch, moe, kind, weighted)

    run()


@pytest.mark.parametrize("kind", ["two classes", "three classes"])
def test_any_arguments_of_a_classifier(monkeypatch, kind):
    @some
    @given(options=st.fixed_dictionaries(FLAT | {"expert": CLASS_EXPERTS}), weighted=st.booleans())
    def run(options, weighted):
        moe = MoEClassifier(max_iter=8, random_state=0, **options)
        check(monkeypatch, moe, kind, weighted)

    run()


@pytest.mark.parametrize("kind", ["y", "three classes"])
def test_any_arguments_of_a_tree(monkeypatch, kind):
    experts = REAL_EXPERTS if kind == "y" else CLASS_EXPERTS
    tree = HierarchicalMoERegressor if kind == "y" else HierarchicalMoEClassifier

    @some
    @given(options=st.fixed_dictionaries(TREES | {"expert": experts}), weighted=st.booleans())
    def run(options, weighted):
        check(monkeypatch, tree(max_iter=8, random_state=0, **options), kind, weighted)

    run()


@pytest.mark.parametrize("kind", ["y", "two outputs"])
@pytest.mark.parametrize("shape", [FLAT, TREES], ids=["flat", "tree"])
def test_any_arguments_of_experts_that_share_slopes(monkeypatch, kind, shape):
    estimator = MoERegressor if shape is FLAT else HierarchicalMoERegressor

    @some
    @given(
        options=st.fixed_dictionaries(shape | {"expert": SHARING_EXPERTS}), weighted=st.booleans()
    )
    def run(options, weighted):
        moe = estimator(max_iter=8, random_state=0, **options)
        check(monkeypatch, moe, kind, weighted)
        if not hasattr(moe, "experts_"):
            return
        expert = moe.expert
        seen = [0, 1] if expert.features is None else expert.features
        places = [list(seen).index(j % 2) for j in expert.shared]
        slopes = np.array([np.atleast_2d(e.coef_)[:, places] for e in moe.experts_])
        np.testing.assert_array_equal(slopes, np.broadcast_to(slopes[0], slopes.shape))

    run()
