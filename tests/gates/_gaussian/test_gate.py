"""The Gaussian gate: Bayes' rule over normal densities of x, and the joint likelihood."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from moe_classic import MoERegressor
from moe_classic._data.blocks import Block, Design
from moe_classic._data.stats import Summary, summarise
from moe_classic._model.model import Group, Model, MoEParams
from moe_classic._numerics.linalg import unpack_symmetric
from moe_classic._objectives.likelihood import MixtureLikelihood
from moe_classic.experts import GaussianExpert
from moe_classic.experts._location_scale.gaussian import GaussianParams
from moe_classic.gates import GaussianGate
from moe_classic.gates._gaussian import GaussianGateParams
from moe_classic.inference._case import _draw_features, fitted_model

each_type = pytest.mark.parametrize("covariance_type", ["full", "diag", "tied"])


@pytest.fixture
def cloud(rng):
    """Two correlated features, weighted responsibilities of three experts."""
    x = np.array([[1.0, 0.0], [0.7, 0.5]]) @ rng.standard_normal((2, 90)) + [[1.0], [-2.0]]
    S = rng.uniform(0.2, 3.0, 90) * rng.dirichlet(np.ones(3), 90).T
    return Design(np.vstack([x, np.ones(90)])), S


def one_step(gate, design, S, params=None):
    summary = Summary(float(S.sum()), np.zeros(1), np.ones(1))
    params = gate.start(len(S), design.width, summary) if params is None else params
    fwd = gate.forward(params, design)
    grams = design.grams(gate.curvature(params, fwd, S))
    return gate.update(params, gate.statistics(params, fwd, design, S, grams), summary)


def covariances(params):
    C = params.chol @ params.chol.transpose(0, 2, 1)
    return np.broadcast_to(C, (len(params.means), *C.shape[1:]))


@each_type
def test_probabilities_follow_bayes_rule(cloud, covariance_type):
    design, S = cloud
    gate = GaussianGate(covariance_type=covariance_type)
    params = one_step(gate, design, S)
    joint = np.array(
        [
            np.log(pi) + stats.multivariate_normal.logpdf(design.Z[:-1].T, m, C)
            for pi, m, C in zip(params.proportions, params.means, covariances(params), strict=True)
        ]
    )
    np.testing.assert_allclose(gate.log_joint(params, design), joint, rtol=1e-10)
    log_gate = joint - logsumexp(joint, axis=0)
    np.testing.assert_allclose(gate.log_gate(params, design), log_gate, rtol=1e-8, atol=1e-10)


@each_type
def test_update_gives_weighted_moments(cloud, covariance_type):
    design, S = cloud
    params = one_step(GaussianGate(covariance_type=covariance_type), design, S)
    x, mass = design.Z[:-1], S.sum(axis=1)
    np.testing.assert_allclose(params.proportions, mass / mass.sum(), rtol=1e-13)
    np.testing.assert_allclose(params.means, S @ x.T / mass[:, None], rtol=1e-11)
    C = np.array([np.cov(x, aweights=row, ddof=0) for row in S])
    if covariance_type == "diag":
        C = C * np.eye(2)
    if covariance_type == "tied":
        C = np.tensordot(mass / mass.sum(), C, 1)[None]
    found = params.chol @ params.chol.transpose(0, 2, 1)
    np.testing.assert_allclose(found, C, rtol=1e-9, atol=1e-12)


def test_update_raises_variances_below_the_floor(cloud):
    design, S = cloud
    params = one_step(GaussianGate(reg_covar=0.9), design, S)
    values = np.linalg.eigvalsh(params.chol @ params.chol.transpose(0, 2, 1))
    # The floor is met up to rounding.
    assert values.min() == pytest.approx(0.9, rel=1e-12)


def test_tied_gate_is_linear_in_x(cloud):
    design, S = cloud
    gate = GaussianGate(covariance_type="tied")
    params = one_step(gate, design, S)
    log_gate = gate.log_gate(params, design)
    odds = log_gate[:-1] - log_gate[-1]
    # Xu, Jordan & Hinton (1995): slopes C^-1 (m_k - m_K).
    slopes = np.linalg.solve(covariances(params)[0], (params.means[:-1] - params.means[-1]).T).T
    fitted = np.linalg.lstsq(design.Z.T, odds.T, rcond=None)[0].T
    np.testing.assert_allclose(fitted @ design.Z, odds, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(fitted[:, :-1], slopes, rtol=1e-8, atol=1e-10)


@each_type
def test_gradient_from_moments_is_the_gradient(cloud, covariance_type, rng):
    design, S = cloud
    gate = GaussianGate(covariance_type=covariance_type)
    params = one_step(gate, design, S)
    signed = rng.standard_normal(S.shape)
    M = unpack_symmetric(design.grams(signed), design.width)
    direct = np.einsum("kn,in,jn->kij", signed, design.Z, design.Z)
    np.testing.assert_allclose(M, direct, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(
        gate.gradient_from_moments(params, M), gate.gradient(params, design, signed)
    )


@pytest.mark.parametrize(
    ("covariance_type", "factors"), [("full", 4 * 6), ("diag", 4 * 3), ("tied", 6)]
)
def test_parameters_are_counted(covariance_type, factors):
    gate = GaussianGate(covariance_type=covariance_type)
    params = gate.start(4, 4, Summary(1.0, np.zeros(1), np.ones(1)))
    assert gate.n_parameters(params) == 3 + 4 * 3 + factors


@each_type
def test_expert_without_mass_keeps_its_place(cloud, covariance_type):
    design, S = cloud
    gate = GaussianGate(covariance_type=covariance_type)
    params = one_step(gate, design, S)
    S = S.copy()
    S[2] = 0.0
    new = one_step(gate, design, S, params)
    np.testing.assert_array_equal(new.means[2], params.means[2])
    if covariance_type != "tied":
        np.testing.assert_array_equal(new.chol[2], params.chol[2])
    assert np.isfinite(gate.log_gate(new, design)).all()


@each_type
def test_collinear_columns_stay_finite_without_regularisation(rng, covariance_type):
    x = rng.standard_normal(50)
    design = Design(np.vstack([x, 2.0 * x, np.zeros(50), np.ones(50)]))
    S = rng.dirichlet(np.ones(2), 50).T
    gate = GaussianGate(covariance_type=covariance_type, reg_covar=0.0)
    params = one_step(gate, design, S)
    assert np.isfinite(gate.log_joint(params, design)).all()


def joint_mixture(params, gate_params):
    """Means and covariances over (x, y) of linear Gaussian experts under a Gaussian gate."""
    means, covariance = [], []
    C = covariances(gate_params)
    for k, m in enumerate(gate_params.means):
        slopes, intercept = params.coef[k][:, :-1], params.coef[k][:, -1]
        means.append(np.r_[m, slopes @ m + intercept])
        cross = C[k] @ slopes.T
        inner = np.diag(params.scale[k] ** 2) + slopes @ cross
        covariance.append(np.block([[C[k], cross], [cross.T, inner]]))
    return np.array(means), np.array(covariance)


def test_em_is_that_of_a_gaussian_mixture_over_x_and_y(cloud, rng):
    design, _ = cloud
    y = 2.0 * np.abs(design.Z[:1]) + 0.3 * rng.standard_normal((1, 90))
    gate, expert = GaussianGate(reg_covar=0.0), GaussianExpert()
    model = Model(gate, (Group(expert, 2, 0),))
    summary, block = summarise(y, np.ones(90)), Block((design,), y, np.ones(90))
    gate_params = GaussianGateParams(
        np.array([0.4, 0.6]), np.array([[0.0, -3.0], [2.0, -1.0]]), np.tile(np.eye(2), (2, 1, 1))
    )
    params = MoEParams(
        gate_params,
        (GaussianParams(np.array([[[-2.0, 0, 0]], [[2.0, 0, 0]]]), np.full((2, 1), 0.5)),),
    )
    means, C = joint_mixture(params.experts[0], gate_params)
    peer = GaussianMixture(
        2,
        weights_init=gate_params.proportions,
        means_init=means,
        precisions_init=np.linalg.inv(C),
        reg_covar=0.0,
        tol=1e-14,
        max_iter=1000,
    ).fit(np.vstack([design.Z[:-1], y]).T)
    for _ in range(peer.n_iter_ + 50):
        params = model.update(params, MixtureLikelihood(model)(params, block), summary)
    means, C = joint_mixture(params.experts[0], params.gate)
    value = MixtureLikelihood(model)(params, block).objective
    expected = 90 * peer.score(np.vstack([design.Z[:-1], y]).T)
    # Both have converged to rounding.
    assert value == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(means, peer.means_, rtol=1e-5)
    np.testing.assert_allclose(C, peer.covariances_, rtol=1e-4, atol=1e-6)


def test_unknown_covariance_type_is_refused():
    with pytest.raises(ValueError, match="covariance_type='spherical' is not known; choose one"):
        GaussianGate(covariance_type="spherical").check()


@pytest.mark.parametrize("value", [-1e-6, np.nan, np.inf, "little", None])
def test_impossible_reg_covar_is_refused(value):
    with pytest.raises(ValueError, match="finite number >= 0") as caught:
        GaussianGate(reg_covar=value).check()
    assert f"GaussianGate: reg_covar={value!r}" in str(caught.value)


# ------------------------------------------------------------------------- long tails


def bent_by_hand(x):
    """asinh about the median, in robust deviations from the quartiles."""
    low, high = np.quantile(x, [0.25, 0.75], method="inverted_cdf")
    median = np.quantile(x, 0.5, method="inverted_cdf")
    return np.arcsinh((x - median) / ((high - low) / (2.0 * stats.norm.ppf(0.75))))


@pytest.fixture
def tailed(rng):
    x, z = rng.uniform(-3.0, 3.0, 300), rng.standard_t(2.0, 300)
    y = np.where(x > 0.3, 2.0 * x + 1.0, -2.0 * x - 1.0) + 0.3 * rng.normal(size=300)
    return np.column_stack([x, z]), y


@pytest.mark.parametrize("covariance_type", ["full", "diag", "tied"])
def test_a_long_tail_is_bent_as_one_would_by_hand(tailed, covariance_type):
    X, y = tailed
    level = GaussianExpert(features=[0])
    gate = GaussianGate(covariance_type=covariance_type)
    model = MoERegressor(2, gate=gate, expert=level, random_state=0)
    bent = np.column_stack([X[:, 0], bent_by_hand(X[:, 1])])
    ours, theirs = (clone(model).fit(A, y) for A in (X, bent))
    assert ours.trace_[-1] == pytest.approx(theirs.trace_[-1], abs=1e-6)
    np.testing.assert_allclose(ours.gate_proba(X), theirs.gate_proba(bent), atol=1e-4)
    np.testing.assert_allclose(ours.gate_.means_, theirs.gate_.means_, atol=1e-4)
    assert ours.n_parameters_ == theirs.n_parameters_
    assert ours.gate_.feature_names_ == ("x0", "asinh(x1)")
    table = ours.summary()
    assert ("gate", "mean", "asinh(x1)") in table.index


def test_blocks_see_bent_features_as_arrays_do(tailed):
    X, y = tailed
    model = MoERegressor(2, gate="gaussian", random_state=0)
    whole = clone(model).fit(X, y)
    parts = clone(model).fit_blocks([(X[i], y[i]) for i in np.array_split(np.arange(300), 4)])
    np.testing.assert_allclose(parts.gate_proba(X), whole.gate_proba(X), atol=1e-6)


def test_units_that_are_to_stay_stay(tailed):
    X, y = tailed
    model = MoERegressor(2, gate="gaussian", standardize=False, random_state=0).fit(X, y)
    assert model.gate_.feature_names_ == ("x0", "x1")


def test_a_bootstrap_draws_features_in_their_units(tailed):
    X, y = tailed
    model = MoERegressor(1, gate="gaussian", random_state=0).fit(X, y)
    case = fitted_model(model, X, y, None)
    drawn = _draw_features(case, X, np.random.default_rng(0), None)[0]
    # The normal on the bent scale reaches as far as the data, and has their median.
    assert np.median(drawn[:, 1]) == pytest.approx(np.median(X[:, 1]), abs=0.3)
    assert 5.0 < np.abs(drawn[:, 1]).max() < 1e3


def test_subjects_are_bent_by_their_means(rng):
    groups = np.repeat(np.arange(60), 4)
    x, z = rng.normal(size=60), rng.standard_cauchy(60)
    X = np.column_stack([x, z])[groups]
    y = np.where(x[groups] > 0.0, X[:, 0], 4.0 - X[:, 0]) + 0.3 * rng.normal(size=240)
    model = MoERegressor(2, gate="gaussian", random_state=0).fit(X, y, groups=groups)
    assert model.gate_.feature_names_ == ("x0", "asinh(x1)")
    assert np.isfinite(model.log_likelihood_)
