"""Paths of penalties: order, ends, criteria, refusals."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic._results import fitted_mixture
from moe_classic.experts import GaussianExpert, LogisticExpert, PoissonExpert
from moe_classic.gates import SoftmaxGate, TreeGate
from moe_classic.model_selection import path, select, stability_selection
from moe_classic.penalties import GroupLasso, Lasso


@pytest.fixture(scope="module")
def sparse():
    """Two experts that need a feature each of eight, a gate that needs the first."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((240, 8))
    right = rng.random(240) < 1.0 / (1.0 + np.exp(-4.0 * X[:, 0]))
    y = np.where(right, 2.0 + 1.5 * X[:, 1], -2.0 - 1.5 * X[:, 3])
    return X, y + 0.5 * rng.standard_normal(240)


@pytest.fixture(scope="module")
def found(sparse):
    return path(*sparse, alphas=15)


def test_a_path_goes_from_no_slope_to_many_and_finds_those_that_are(sparse, found):
    table = found.table[found.table.highest]
    assert table.n_slopes.iloc[0] == 0
    assert (np.diff(np.log(table.alpha)) < 0.0).all()
    np.testing.assert_allclose(np.diff(np.log(table.alpha)), np.log(1.0 / 20.0) / 14, rtol=1e-8)
    assert table.converged.all()
    # The penalised objective of weaker penalties is never lower.
    assert (np.diff(table.objective) > -1e-6).all()
    best = found.best_estimator_
    assert {tuple(np.flatnonzero(e.coef_)) for e in best.experts_} == {(1,), (3,)}
    assert np.flatnonzero(best.gate_.coef_[0] - best.gate_.coef_[1]).tolist() == [0]


def test_numbers_of_a_path_are_those_of_its_fits(sparse, found):
    X, y = sparse
    row, best = found.table.iloc[found.best_index_], found.best_estimator_
    assert row.relaxed_log_likelihood == best.log_likelihood_ > row.log_likelihood
    assert row.ebic == pytest.approx(found.table.ebic.min(), abs=1e-6)  # of equals a higher fit
    assert row.n_parameters == best.n_parameters_ == row.n_slopes + 2 + 2 + 1
    assert row.bic == pytest.approx(best.bic(X, y), rel=1e-10)
    assert row.aic == pytest.approx(best.aic(X, y), rel=1e-10)
    m, total = int(row.n_slopes), 24
    models = np.log(float(np.prod(np.arange(total, total - m, -1.0))))
    models -= np.log(float(np.prod(np.arange(1.0, m + 1.0))))
    assert row.ebic == pytest.approx(row.bic + 2.0 * models, rel=1e-10)
    coefs = np.stack([e.coef_ for e in best.experts_])
    assert ((coefs == 0.0) == (found.coefs_[found.best_index_] == 0.0)).all()


def test_a_path_is_no_lower_than_fits_of_its_own(sparse, found):
    X, y = sparse
    row = found.table[found.table.highest].iloc[8]
    expert = GaussianExpert(penalty=Lasso(row.alpha))
    gate = SoftmaxGate(penalty=Lasso(row.alpha * row.gate_ratio))
    alone = MoERegressor(2, expert=expert, gate=gate, random_state=3).fit(X, y)
    assert row.objective > alone.trace_[-1] - 1e-6


def test_a_relaxed_fit_is_that_of_experts_with_these_features(sparse, found):
    X, y = sparse
    features = [np.flatnonzero(e.coef_).tolist() for e in found.best_estimator_.experts_]
    experts = [GaussianExpert(features=f) for f in features]
    gate = SoftmaxGate(features=[0])
    alone = MoERegressor(2, expert=experts, gate=gate, random_state=0).fit(X, y)
    best = found.best_estimator_
    assert best.log_likelihood_ == pytest.approx(alone.log_likelihood_, abs=1e-6)


def test_right_slopes_are_a_candidate_where_wide_noise_pays_less(sparse, found):
    """A strong penalty rates two flat experts higher; the other walk keeps those with slopes."""
    table = found.table
    lower = table[~table.highest]
    assert len(lower) > 0
    for _, row in lower.iterrows():
        partner = table[table.highest & (table.alpha == row.alpha)].iloc[0]
        assert row.objective <= partner.objective
        assert row.n_slopes != partner.n_slopes
    right = lower.loc[lower.ebic.idxmin()]
    partner = table[table.highest & (table.alpha == right.alpha)].iloc[0]
    assert right.ebic < partner.ebic - 50.0


def test_experts_keep_their_places_along_a_path(sparse, found):
    """Where the slopes are those of the chosen fit, so are their signs; the gate goes along."""
    chosen = np.sign(found.coefs_[found.best_index_])
    gate = np.sign(found.gate_coefs_[found.best_index_])
    weak = found.table.index[found.table.highest & (found.table.n_slopes >= 3)]
    assert len(weak) > 5
    for i in weak:
        assert (np.sign(found.coefs_[i])[chosen != 0.0] == chosen[chosen != 0.0]).all()
        assert (np.sign(found.gate_coefs_[i])[gate != 0.0] == gate[gate != 0.0]).all()
    assert found.terms_ == found.gate_terms_ == [f"x{j}" for j in range(8)]


def test_chosen_by_the_log_score_of_rows_that_were_held_out(sparse):
    X, y = sparse
    folds = [(np.arange(80, 240), np.arange(80)), (np.arange(160), np.arange(160, 240))]
    alphas = [0.7, 0.3, 0.02]
    found = path(X, y, n_experts=1, alphas=alphas, criterion="log_score", cv=folds)
    best = found.table.iloc[found.best_index_]
    assert best.log_score == found.table.log_score.max()
    for a, row in zip(alphas, found.table.itertuples(), strict=True):
        rows = []
        for train, test in folds:
            own = path(X[train], y[train], n_experts=1, alphas=[a]).best_estimator_
            rows.append(own.score_samples(X[test], y[test]))
        rows = np.concatenate(rows)
        assert row.log_score == pytest.approx(rows.mean(), abs=1e-6)
        assert row.log_score_std_error == pytest.approx(rows.std() / np.sqrt(160), rel=1e-5)
    with pytest.raises(ValueError, match="cv=3 has no meaning with criterion='ebic'"):
        path(X, y, cv=3)


def test_log_scores_of_two_experts_choose_their_slopes(sparse):
    found = path(*sparse, alphas=[0.7, 0.3], criterion="log_score", cv=3)
    assert found.table.log_score.notna().all()
    assert np.isin([1, 3], np.flatnonzero(found.coefs_[found.best_index_].any(axis=0))).all()


def test_shrunken_fits_may_be_chosen(sparse):
    X, y = sparse
    chosen = path(X, y, alphas=6, relaxed=False)
    assert chosen.table.relaxed_log_likelihood.isna().all()
    best = chosen.best_estimator_
    coefs = np.stack([e.coef_ for e in best.experts_]) * X.std(axis=0) / y.std()
    np.testing.assert_allclose(chosen.coefs_[chosen.best_index_], coefs, rtol=1e-6)


def test_strengths_and_ratios_may_be_given(sparse):
    X, y = sparse
    table = path(X, y, alphas=[0.1, 0.5], gate_ratios=[0.1, 0.5]).table
    table = table[table.highest]
    assert table.alpha.tolist() == [0.5, 0.1, 0.5, 0.1]
    assert table.gate_ratio.tolist() == [0.1, 0.1, 0.5, 0.5]


def test_other_families_penalties_and_gates(sparse):
    X, y = sparse
    quick = {"n_init": 2, "random_state": 0}
    counts = np.random.default_rng(0).poisson(np.exp(0.5 + 0.5 * X[:, 1]))
    templates = [
        (MoERegressor(expert=PoissonExpert(penalty=Lasso()), gate="constant", **quick), counts, 1),
        (MoERegressor(expert=GaussianExpert(penalty=GroupLasso()), **quick), y, 2),
        (MoEClassifier(expert=LogisticExpert(penalty=Lasso()), **quick), y > 0.0, 1),
    ]
    for template, target, K in templates:
        table = path(X, target, estimator=template, n_experts=K, alphas=4).table
        assert table.n_slopes.iloc[0] == 0
        assert table.n_slopes.iloc[-1] > 0


def test_weights_of_rows_are_repeated_rows(sparse):
    X, y = sparse
    X, y = X[:80], y[:80]
    w = np.tile([1.0, 2.0], 40)
    twice = np.repeat(np.arange(80), w.astype(int))
    a = path(X, y, n_experts=1, alphas=[0.5, 0.1], sample_weight=w).table
    b = path(X[twice], y[twice], n_experts=1, alphas=[0.5, 0.1]).table
    np.testing.assert_allclose(a.objective, b.objective, rtol=1e-8)
    np.testing.assert_allclose(a.ebic, b.ebic, rtol=1e-8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"estimator": MoERegressor()}, "need a penalty under which slopes may be zero"),
        ({"alphas": [0.0]}, "alphas=.* must be numbers > 0"),
        ({"alphas": 1}, "alphas"),
        ({"gate_ratios": [-1.0]}, "gate_ratios=.* must be numbers > 0"),
        ({"gate_ratios": "best"}, "gate_ratios='best'"),
        ({"criterion": "mdl"}, "criterion='mdl'"),
        ({"gamma": -1.0}, "gamma"),
    ],
)
def test_arguments_without_a_meaning_are_refused(sparse, options, words):
    with pytest.raises(ValueError, match=words):
        path(*sparse, **options)


def test_what_rows_separate_is_looked_for_in_the_chosen_fit_alone():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 4))
    right = X[:, 0] > 0.0
    y = np.where(right, 4.0 + X[:, 1], -4.0 - X[:, 1]) + 0.3 * rng.standard_normal(120)
    found = path(X, y, alphas=8, criterion="bic")
    best = found.best_estimator_
    again = clone(best).set_params(init=best.responsibilities(X, y), n_init=1).fit(X, y)
    own, other = fitted_mixture(best).separated, fitted_mixture(again).separated
    assert len(own) == len(other) == 1
    np.testing.assert_array_equal(own[0].directions, other[0].directions)
    assert best.n_iter_ > 2
    assert best.log_likelihood_ == found.table.relaxed_log_likelihood[found.best_index_]


def test_trees_are_refused_by_name_and_searched_over_instead(sparse):
    node, expert = SoftmaxGate(penalty=Lasso(0.1)), GaussianExpert(penalty=Lasso(0.1))
    tree = HierarchicalMoERegressor((2,), node=node, expert=expert, n_init=1, random_state=0)
    for caller in (path, stability_selection):
        with pytest.raises(ValueError, match=r"is a tree, .*Search over node__penalty__alpha"):
            caller(*sparse, estimator=tree)
    flat = MoERegressor(gate=TreeGate(node=node), expert=expert, n_init=1, random_state=0)
    with pytest.raises(ValueError, match=r"is a tree, .*Search over gate__node__penalty__alpha"):
        path(*sparse, estimator=flat)
    with pytest.raises(ValueError, match="is a tree"):
        select(*sparse, estimator=flat, n_experts=[2], alphas=3, criterion="ebic")
    alphas = {"node__penalty__alpha": [0.02, 5.0], "expert__penalty__alpha": [0.1]}
    found = GridSearchCV(tree, alphas, cv=2).fit(*sparse)
    assert found.best_params_["node__penalty__alpha"] == 0.02
