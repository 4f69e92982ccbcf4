"""Nothing that is not finite goes in or comes out."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression, LogisticRegression

from moe_classic import (
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
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.gates import GaussianGate, SoftmaxGate

REGRESSORS = [
    MoERegressor(2, random_state=0),
    HierarchicalMoERegressor((2,), random_state=0),
    MetaPiRegressor([LinearRegression(), LinearRegression()], random_state=0),
    HardMoERegressor(2, random_state=0),
    SparseMoERegressor(2, random_state=0, max_iter=2),
]
CLASSIFIERS = [
    MoEClassifier(2, random_state=0),
    HierarchicalMoEClassifier((2,), random_state=0),
    MetaPiClassifier([LogisticRegression(), LogisticRegression()], random_state=0),
    HardMoEClassifier(2, random_state=0),
    SparseMoEClassifier(2, random_state=0, max_iter=2),
]


def rows(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, X[:, 0] * np.sign(X[:, 1]) + 0.1 * rng.normal(size=n)


def target_for(estimator, y):
    return (y > 0.0).astype(int) if hasattr(estimator, "predict_proba") else y


def name_of(estimator):
    return type(estimator).__name__


# ------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("estimator", REGRESSORS + CLASSIFIERS, ids=name_of)
@pytest.mark.parametrize(
    ("factor", "sentence"), [(1e200, "X has the value .*overflow"), (1e-200, "X varies by no more")]
)
def test_features_that_cannot_be_squared_are_refused(estimator, factor, sentence):
    X, y = rows()
    with pytest.raises(ValueError, match=sentence):
        estimator.fit(factor * X, target_for(estimator, y))


@pytest.mark.parametrize("estimator", REGRESSORS, ids=name_of)
@pytest.mark.parametrize(
    ("factor", "sentence"), [(1e200, "y has the value .*overflow"), (1e-200, "y varies by no more")]
)
def test_targets_that_cannot_be_squared_are_refused(estimator, factor, sentence):
    X, y = rows()
    with pytest.raises(ValueError, match=sentence):
        estimator.fit(X, factor * y)


@pytest.mark.parametrize("estimator", [*REGRESSORS[:3], *CLASSIFIERS[:2]], ids=name_of)
@pytest.mark.parametrize("factor", [1e-120, 1e120])
def test_what_can_be_squared_fits_as_in_other_units(estimator, factor):
    X, y = rows()
    y = target_for(estimator, y)
    right = estimator.fit(X, y).predict(X)
    np.testing.assert_allclose(estimator.fit(factor * X, y).predict(factor * X), right, atol=1e-3)


@pytest.mark.parametrize("estimator", [MoERegressor(2), HierarchicalMoERegressor((2,))])
def test_blocks_and_batches_are_refused_alike(estimator):
    X, y = rows()
    with pytest.raises(ValueError, match="block 1: X has the value"):
        estimator.fit_blocks([(X[:30], y[:30]), (1e200 * X[30:], y[30:])])
    with pytest.raises(ValueError, match="X varies by no more"):
        estimator.fit_blocks([(1e-200 * X[:30], y[:30]), (1e-200 * X[30:], y[30:])])
    with pytest.raises(ValueError, match="y varies by no more"):
        estimator.fit_blocks([(X[:30], 1e-200 * y[:30]), (X[30:], 1e-200 * y[30:])])
    with pytest.raises(ValueError, match="y has the value"):
        estimator.partial_fit(X, 1e200 * y)
    with pytest.raises(ValueError, match="sample_weight has 1e\\+200"):
        estimator.fit(X, y, np.full(60, 1e200))


@pytest.mark.parametrize("estimator", REGRESSORS + CLASSIFIERS, ids=name_of)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rows_to_predict_are_refused_alike(estimator):
    X, y = rows()
    estimator.fit(X, target_for(estimator, y))
    with pytest.raises(ValueError, match="X has the value"):
        estimator.predict(1e200 * X)
    assert np.isfinite(estimator.predict(1e15 * X)).all()


def test_rows_too_far_from_the_fit_are_named():
    X, y = rows()
    model = MoERegressor(2, gate="gaussian", random_state=0).fit(1e-100 * X, y)
    with pytest.raises(ValueError, match=r"'x0' in row 0 .*standard deviations"):
        model.predict(1e100 * X)


@pytest.mark.parametrize("factor", [1e60, 1e-60])
def test_units_that_are_to_stay_must_bear_sums(factor):
    X, y = rows()
    raw = MoERegressor(2, standardize=False, random_state=0)
    with pytest.raises(ValueError, match=r"standardize=False .*'x0' has a standard deviation of"):
        raw.fit(factor * X, y)
    scaled = raw.fit(1e12 * X, y).predict(1e12 * X)
    right = MoERegressor(2, random_state=0).fit(X, y).predict(X)
    np.testing.assert_allclose(scaled, right, atol=2e-2)


@pytest.mark.parametrize("factor", [1e40, 1e-40])
def test_inverse_gaussian_experts_name_units_that_they_do_not_bear(factor):
    X, y = rows()
    with pytest.raises(ValueError, match="works in the units of y"):
        MoERegressor(2, expert="inverse_gaussian").fit(X, factor * np.exp(y))


# ------------------------------------------------------------------------- estimators inside


class NaNRegressor(LinearRegression):
    """Says NaN from the start, or of seven rows only."""

    def __init__(self, late=False):
        super().__init__()
        self.late = late

    def predict(self, X):
        return super().predict(X) * (1.0 if self.late and len(X) != 7 else np.nan)


class NaNClassifier(LogisticRegression):
    """Says NaN from the start, or of seven rows only."""

    def __init__(self, late=False):
        super().__init__()
        self.late = late

    def predict_proba(self, X):
        return super().predict_proba(X) * (1.0 if self.late and len(X) != 7 else np.nan)


class OddTransformer(TransformerMixin, BaseEstimator):
    """Gives NaN or half of the rows, from the start or of seven rows only."""

    def __init__(self, late=False, half=False):
        self.late, self.half = late, half

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X = np.array(X)
        if self.late and len(X) != 7:
            return X
        if self.half:
            return X[: len(X) // 2]
        X[0, 0] = np.nan
        return X


HOSTS = [
    lambda e: MoERegressor(2, expert=e, random_state=0),
    lambda e: HierarchicalMoERegressor((2,), expert=e, random_state=0),
    lambda e: MetaPiRegressor([e, e], random_state=0),
    lambda e: HardMoERegressor(2, expert=e, random_state=0),
]
CLASS_HOSTS = [
    lambda e: MoEClassifier(2, expert=e, random_state=0),
    lambda e: MetaPiClassifier([e, e], random_state=0),
]


@pytest.mark.parametrize("host", HOSTS)
def test_regressors_that_say_nan_are_refused_by_name(host):
    X, y = rows()
    with pytest.raises(ValueError, match=r"predict of NaNRegressor\(\) gave nan"):
        host(NaNRegressor()).fit(X, y)
    model = host(NaNRegressor(late=True)).fit(X, y)
    with pytest.raises(ValueError, match=r"NaNRegressor\(late=True\) gave nan in row 0 of 7"):
        model.predict(X[:7])


@pytest.mark.parametrize("host", CLASS_HOSTS)
def test_classifiers_that_say_nan_are_refused_by_name(host):
    X, y = rows()
    with pytest.raises(ValueError, match=r"predict_proba of NaNClassifier\(\) gave nan"):
        host(NaNClassifier()).fit(X, y > 0.0)
    model = host(NaNClassifier(late=True)).fit(X, y > 0.0)
    with pytest.raises(ValueError, match=r"NaNClassifier\(late=True\) gave nan in row 0 of 7"):
        model.predict(X[:7])


@pytest.mark.parametrize(
    "host",
    [
        lambda t: MoERegressor(2, expert=GaussianExpert(features=t), random_state=0),
        lambda t: MoERegressor(2, gate=SoftmaxGate(features=t), random_state=0),
    ],
)
@pytest.mark.parametrize(
    ("half", "sentence"), [(False, "NaN or infinite|no finite number"), (True, "one row for each")]
)
def test_transformers_that_lose_rows_or_numbers_are_refused(host, half, sentence):
    X, y = rows()
    with pytest.raises(ValueError, match=sentence):
        host(OddTransformer(half=half)).fit(X, y)
    model = host(OddTransformer(late=True, half=half)).fit(X, y)
    with pytest.raises(ValueError, match=sentence):
        model.predict(X[:7])


class ForgetfulExpert(GaussianExpert):
    """An expert of one's own whose density is NaN where the first feature is large."""

    def forward(self, params, design, y):
        fwd = super().forward(params, design, y)
        fwd.log_prob[:, design.Z[0] > 1.5] = np.nan
        return fwd


def test_an_expert_of_ones_own_that_says_nan_is_named():
    X, y = rows()
    with pytest.raises(ValueError, match=r"ForgetfulExpert \(expert 1\): its log density is NaN"):
        MoERegressor(2, expert=ForgetfulExpert(), random_state=0).fit(X, y)


# ------------------------------------------------------------------------- what comes out


@pytest.mark.parametrize("top_k", [None, 1, 2])
def test_an_expert_without_variance_and_without_weight_leaves_the_deviation_finite(top_k):
    X, y = rows()
    moe = MoERegressor(expert=[StudentTExpert(df=1.5), "gaussian"], random_state=0).fit(X, y)
    far = 1e6 * X
    std, weights = moe.predict(far, return_std=True, top_k=top_k)[1], moe.gate_proba(far)
    np.testing.assert_array_equal(np.isinf(std), weights[:, 0] > 0.0)
    assert not np.isnan(std).any()


def test_medians_of_inverse_gaussians_far_out_are_numbers():
    X, y = rows()
    moe = MoERegressor(1, expert="inverse_gaussian").fit(X, np.exp(3.0 * y))
    far = 100.0 * X
    median = moe.predict_quantile(far, 0.5)
    assert np.isfinite(median).all()
    inside = np.abs(np.log(moe.predict(far))) < 100.0
    cdf = moe.predict_cdf(far, median)
    np.testing.assert_allclose(cdf[inside], 0.5, atol=1e-6)


@pytest.mark.parametrize("covariance", ["full", "diag", "tied"])
def test_a_gaussian_gate_bears_constant_columns_whatever_the_solver(covariance):
    X, y = rows()
    X = np.c_[X, np.ones(60), np.zeros(60)]
    gate = GaussianGate(covariance_type=covariance)
    heights = []
    for solver in ("lbfgs", "em"):
        moe = MoERegressor(2, gate=gate, solver=solver, random_state=0, max_iter=2000)
        heights.append(moe.fit(X, y).log_likelihood_)
    assert np.isfinite(heights).all()


# ------------------------------------------------------------------------- blocks


def changing(later):
    """A source whose later passes are others."""
    X, y = rows()
    passes = iter([[(X[:40], y[:40]), (X[40:], y[40:])]])
    return lambda: next(passes, later(X, y))


@pytest.mark.parametrize(
    ("later", "how"),
    [
        (lambda X, y: [(X[:20], y[:20])], "60 rows, then 20"),
        (lambda X, y: [(2.0 * X, y)], "60 rows, other values"),
        (lambda X, y: [(X, y[::-1])], "60 rows, other values"),
    ],
)
def test_a_source_whose_rows_change_is_refused(later, how):
    with pytest.raises(ValueError, match=f"other rows than in an earlier pass .{how}"):
        MoERegressor(2, random_state=0).fit_blocks(changing(later))


def test_a_source_may_cut_and_order_its_rows_as_it_likes():
    later = [lambda X, y: [(X[::-1], y[::-1])]]
    model = MoERegressor(2, random_state=0).fit_blocks(changing(later[0]))
    right = MoERegressor(2, random_state=0).fit(*rows())
    assert model.log_likelihood_ == pytest.approx(right.log_likelihood_, abs=1e-6)


@pytest.mark.parametrize("estimator", [MoERegressor(2), MoEClassifier(2)], ids=name_of)
def test_a_first_block_of_one_row_is_fine(estimator):
    X, y = rows()
    y = target_for(estimator, y)
    parts = estimator.set_params(random_state=0).fit_blocks([(X[:1], y[:1]), (X[1:], y[1:])])
    right = parts.log_likelihood_
    assert right == pytest.approx(estimator.fit(X, y).log_likelihood_, abs=1e-6)


@pytest.mark.parametrize("block", [(None, None), (3, 4), (None, [1.0])])
def test_scalar_and_missing_blocks_are_named(block):
    with pytest.raises(ValueError, match=r"block 0 has X=.*rows of features"):
        MoERegressor(2).fit_blocks([block])


# ------------------------------------------------------------------------- trees, labels


def test_growing_on_rows_that_are_all_held_out_is_refused():
    X, y = np.ones((20, 2)), np.ones(20)
    with pytest.raises(ValueError, match="holds out 1 of the 1 distinct rows"):
        HierarchicalMoERegressor("grow", criterion="held_out").fit(X, y)


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=name_of)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_labels_of_another_type_get_a_sentence(estimator):
    X, y = rows()
    codes, words = (y > 0.0).astype(int), np.where(y > 0.0, "a", "b").astype(object)
    estimator.fit(X, codes)
    right = np.mean(estimator.predict(X) == codes)
    assert estimator.score(X, codes) == pytest.approx(right)
    for other in (words, np.array(["a", 1] * 30, dtype=object), np.array(["a", None] * 30)):
        with pytest.raises(ValueError, match=r"of another type \(.*\) than the fit \(int\)"):
            estimator.score(X, other)
    with pytest.raises(ValueError, match="y contains NaN"):
        estimator.score(X, np.where(codes, 1.0, np.nan))
    if hasattr(estimator, "log_likelihood"):
        with pytest.raises(ValueError, match="of another type"):
            estimator.log_likelihood(X, words)
    with pytest.raises(ValueError, match="cannot be put in order"):
        estimator.fit(X, np.array(["a", 1] * 30, dtype=object))


def test_gates_far_out_are_distributions():
    X, y = rows()
    moe = MoERegressor(3, gate="gaussian", random_state=0).fit(X, y)
    P = moe.gate_proba(1e9 * X)
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-12)
