"""Choosing K, experts and gates, and testing K against K + 1."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import load_tone
from moe_classic.estimators import HardMoERegressor
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.gates import GaussianGate
from moe_classic.model_selection import bootstrap_lrt, select
from moe_classic.model_selection._path import _divided, _splits, path, split_expert
from moe_classic.model_selection._select import _best

FAST = MoERegressor(n_init=2, random_state=0)


def steps(rng, n=150, noise=0.3):
    """Three lines in three regions of one feature."""
    x = np.sort(rng.uniform(-3.0, 3.0, n))
    y = np.select([x < -1.0, x < 1.0], [2.0 * x + 4.0, -3.0 * x], 0.5 * x - 4.0)
    return x[:, None], y + noise * rng.standard_normal(n)


def line(rng, n=100):
    x = rng.standard_normal(n)
    return x[:, None], 1.0 + 2.0 * x + rng.standard_normal(n)


def crossing(rng, n=100):
    """Two lines that cross, each row on either."""
    x = rng.standard_normal(n)
    side = np.where(rng.random(n) < 0.5, 2.0, -2.0)
    return x[:, None], side * x + 0.3 * rng.standard_normal(n)


# ------------------------------------------------------------------------- select


@pytest.fixture(scope="module")
def steps_selection():
    X, y = steps(np.random.default_rng(0))
    return select(X, y, estimator=FAST, n_experts=range(1, 5)), X, y


def test_selection_finds_the_number_of_experts(steps_selection):
    chosen, X, y = steps_selection
    assert chosen.best_params_ == {"n_experts": 3, "expert": "gaussian", "gate": "softmax"}
    assert chosen.best_index_ == 2
    assert chosen.best_estimator_.bic(X, y) == chosen.table.bic.min()


def test_table_of_a_selection_holds_what_estimators_say(steps_selection):
    chosen, X, y = steps_selection
    table, best = chosen.table, chosen.best_estimator_
    row = table.loc[chosen.best_index_]
    assert table.n_experts.tolist() == [1, 2, 3, 4]
    assert row.log_likelihood == best.log_likelihood_
    assert row.n_parameters == best.n_parameters_
    assert row.aic == best.aic(X, y)
    assert row.icl == best.icl(X, y)
    assert row.objective == best.trace_[-1]
    np.testing.assert_allclose(table.delta, table.bic - table.bic.min())
    np.testing.assert_allclose(
        table.bic, -2.0 * table.log_likelihood + np.log(len(y)) * table.n_parameters
    )


def test_best_estimator_keeps_the_arguments_of_the_template(steps_selection):
    chosen, _, _ = steps_selection
    expected = FAST.get_params() | {"n_experts": 3}
    assert chosen.best_estimator_.get_params() == expected


@pytest.mark.parametrize("criterion", ["aic", "bic", "icl"])
def test_selection_minimises_its_criterion(rng, criterion):
    X, y = crossing(rng)
    chosen = select(X, y, estimator=FAST, n_experts=[1, 2], criterion=criterion)
    assert chosen.table.index[chosen.table[criterion].argmin()] == chosen.best_index_
    assert chosen.table.delta.min() == 0.0
    assert chosen.criterion == criterion


def test_selection_compares_families(rng):
    x = rng.standard_normal(300)
    X, y = x[:, None], 2.0 * x + rng.standard_t(2.5, 300)
    experts = ["gaussian", StudentTExpert(df=2.5)]
    gates = ["softmax", "constant", GaussianGate(covariance_type="diag")]
    chosen = select(X, y, estimator=FAST, n_experts=[1], experts=experts, gates=gates)
    pairs = list(zip(chosen.table.expert, chosen.table.gate, strict=True))
    names = ["gaussian", "StudentTExpert(df=2.5)"]
    titles = ["softmax", "constant", "GaussianGate(covariance_type='diag')"]
    assert pairs == [(e, g) for e in names for g in titles]
    assert chosen.best_params_["expert"] is chosen.best_estimator_.expert
    assert chosen.best_params_["expert"].df == 2.5


def test_selection_by_log_score_scores_held_out_rows(rng):
    X, y = line(rng)
    folds = KFold(4, shuffle=True, random_state=1)
    chosen = select(X, y, estimator=FAST, n_experts=[1], criterion="log_score", cv=folds)
    rows = []
    for train, test in folds.split(X):
        A = np.column_stack([np.ones(len(train)), X[train]])
        coef, rss, *_ = np.linalg.lstsq(A, y[train], rcond=None)
        variance = rss[0] / len(train)
        e = y[test] - coef[0] - X[test, 0] * coef[1]
        rows.append(-0.5 * e**2 / variance - 0.5 * np.log(2.0 * np.pi * variance))
    rows = np.concatenate(rows)
    assert chosen.table.log_score[0] == pytest.approx(rows.mean(), rel=1e-8)
    error = rows.std() / np.sqrt(len(rows))
    assert chosen.table.log_score_std_error[0] == pytest.approx(error, rel=1e-8)


def test_selection_by_log_score_maximises_it(rng):
    X, y = crossing(rng)
    chosen = select(
        X, y, estimator=FAST, n_experts=[1, 2], gates=["constant"], criterion="log_score", cv=3
    )
    assert chosen.best_params_["n_experts"] == 2
    assert chosen.table.delta.tolist()[1] == 0.0
    assert chosen.table.delta[0] > 0.1


def test_selection_of_classifiers(rng):
    X = rng.uniform(-1.0, 1.0, (300, 2))
    y = np.array(["same", "other"])[(X[:, 0] * X[:, 1] < 0.0).astype(int)]
    estimator = MoEClassifier(n_init=3, random_state=0)
    chosen = select(X, y, estimator=estimator, n_experts=[1, 2])
    assert chosen.best_params_["n_experts"] == 2
    assert chosen.best_estimator_.score(X, y) > 0.9


def test_selection_keeps_column_names(rng):
    X, y = line(rng)
    frame = pd.DataFrame(X, columns=["dose"])
    chosen = select(frame, y, estimator=FAST, n_experts=[1, 2], criterion="log_score", cv=2)
    assert list(chosen.best_estimator_.feature_names_in_) == ["dose"]


def test_weights_of_a_selection_count_rows(rng):
    X, y = crossing(rng)
    w = rng.integers(1, 3, len(y)).astype(float)
    rows = np.repeat(np.arange(len(y)), w.astype(int))
    options = {"estimator": FAST, "n_experts": [1, 2], "gates": ["constant"]}
    weighted = select(X, y, sample_weight=w, **options).table
    repeated = select(X[rows], y[rows], **options).table
    # Both end within tol of the same optimum.
    np.testing.assert_allclose(weighted.bic, repeated.bic, rtol=1e-5)


def test_selection_does_not_depend_on_the_number_of_processes(rng):
    X, y = crossing(rng)
    options = {"estimator": FAST, "n_experts": [1, 2], "gates": ["softmax", "constant"]}
    one = select(X, y, **options).table
    with joblib.parallel_config(backend="threading"):
        two = select(X, y, n_jobs=2, **options).table
    pd.testing.assert_frame_equal(one, two)


def test_models_whose_experts_interpolate_are_not_chosen():
    table = pd.DataFrame(
        {
            "bic": [10.0, -500.0, 8.0, 8.0],
            "log_score": [1.0, 9.0, 2.0, 2.0],
            "n_parameters": [3, 7, 9, 7],
            "degenerate_experts": [0, 1, 0, 0],
        }
    )
    # Of equals the one with fewest parameters.
    assert _best(table, "bic") == 3
    assert _best(table, "log_score") == 3
    assert _best(table.assign(degenerate_experts=0), "bic") == 1


def test_selection_warns_where_every_model_interpolates(rng):
    X = rng.standard_normal((40, 1))
    with pytest.warns(UserWarning, match="In every model some experts interpolate"):
        chosen = select(X, 1.0 + 2.0 * X[:, 0], estimator=FAST, n_experts=[1])
    assert chosen.table.degenerate_experts.tolist() == [1]


# ------------------------------------------------------------------------- nested starts


def test_objective_never_falls_with_another_expert(rng):
    X, y = steps(rng, n=80)
    # One poor start: without splits the objective does fall.
    poor = MoERegressor(n_init=1, init="segments", gate="constant", random_state=3, tol=1e-10)
    objectives = [fit.objective for fit in path(poor, 1, 5, X, y)]
    assert (np.diff(objectives) > -1e-6).all()


def test_gaps_between_numbers_of_experts_are_walked_through(rng):
    X, y = steps(rng)
    gaps = select(X, y, estimator=FAST, n_experts=(3, 1)).table
    whole = select(X, y, estimator=FAST, n_experts=range(1, 4)).table
    assert gaps.n_experts.tolist() == [1, 3]
    np.testing.assert_allclose(gaps.bic, whole.bic[[0, 2]])


def test_splits_divide_one_expert_and_leave_the_others(rng):
    X, y = steps(rng)
    fit = MoERegressor(2, n_init=2, random_state=0).fit(X, y)
    R = fit.responsibilities(X, y)
    names = []
    for name, divided in _splits(fit, X, y, None):
        names.append(name)
        k = int(name.split()[1]) - 1
        np.testing.assert_allclose(divided[:, k] + divided[:, 2], R[:, k], atol=1e-15)
        np.testing.assert_array_equal(divided[:, 1 - k], R[:, 1 - k])
        # Near the weighted median: either side has a good part of the expert.
        share = divided[:, 2].sum() / R[:, k].sum()
        assert 0.3 < share < 0.7
    assert names == [
        f"expert {k} split by {how}" for k in (1, 2) for how in ("residual", "features", "spread")
    ]


def test_an_even_division_preserves_the_function(rng):
    X, y = steps(rng)
    fit = MoERegressor(2, gate="constant", n_init=2, random_state=0, tol=1e-12).fit(X, y)
    R = _divided(fit.responsibilities(X, y), 0, np.full(len(y), 0.5))
    copied = MoERegressor(3, gate="constant", init=R, n_init=1, tol=1e-12).fit(X, y)
    assert copied.log_likelihood_ == pytest.approx(fit.log_likelihood_, abs=1e-6)
    np.testing.assert_allclose(copied.predict(X), fit.predict(X), atol=1e-5)


def test_growing_finds_what_its_own_starts_miss(rng):
    X, y = steps(rng)
    template = MoERegressor(n_init=1, init="principal", random_state=0)
    first = next(path(template, 2, 2, X, y))
    grown = split_expert(template, first, X, y)
    assert grown.estimator.n_experts == 3
    assert "split by" in grown.start
    assert grown.objective > first.objective + 20.0
    assert grown.estimator.converged_


def test_rows_that_nothing_tells_apart_get_a_copied_expert():
    estimator = MoEClassifier(n_init=1, random_state=0)
    X, y = np.zeros((20, 1)), np.arange(20) % 2
    first = next(path(estimator, 1, 1, X, y))
    # Errors of two classes differ, features do not: the only splits are by the errors.
    assert {name.split(" by ")[1] for name, _ in _splits(first.estimator, X, y, None)} <= {
        "residual",
        "spread",
    }
    fits = list(path(estimator, 1, 2, X, y))
    assert fits[1].objective >= fits[0].objective - 1e-6


# ------------------------------------------------------------------------- arguments of select


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "dic"}, "criterion='dic' is not known"),
        ({"cv": 3}, "cv=3 has no meaning with criterion='bic'"),
        ({"n_experts": []}, "n_experts=.* must be integers >= 1"),
        ({"n_experts": [0, 1]}, "n_experts=.* must be integers >= 1"),
        ({"n_experts": [True]}, "n_experts=.* must be integers >= 1"),
        ({"n_experts": [1.5]}, "n_experts=.* must be integers >= 1"),
        ({"n_experts": None}, "n_experts=None must be integers >= 1"),
        ({"experts": []}, "experts=.* must name at least one"),
        ({"gates": ["softmax", "softmax"]}, "gates=.* none of them twice"),
        ({"estimator": MoERegressor(warm_start=True)}, "warm_start=True has no meaning"),
        ({"estimator": MoERegressor(init=np.ones((9, 2)))}, "init gives responsibilities"),
        (
            {"estimator": MoERegressor(expert=[("a", "gaussian"), ("b", "laplace")])},
            "lists unlike experts",
        ),
        ({"experts": ["poisson?"]}, "expert='poisson\\?' is not known"),
    ],
)
def test_argument_of_select_without_meaning_is_refused(rng, options, message):
    X, y = line(rng)
    with pytest.raises(ValueError, match=message):
        select(X, y, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"experts": "gaussian"}, r"experts='gaussian' must be a sequence"),
        ({"gates": GaussianGate()}, "must be a sequence"),
        ({"estimator": MoERegressor}, "must be a MoERegressor or MoEClassifier"),
        ({"estimator": GaussianExpert()}, "must be a MoERegressor or MoEClassifier"),
        ({"estimator": HardMoERegressor()}, "must be a MoERegressor or MoEClassifier"),
    ],
)
def test_argument_of_select_of_the_wrong_kind_is_refused(rng, options, message):
    X, y = line(rng)
    with pytest.raises(TypeError, match=message):
        select(X, y, **options)


# ------------------------------------------------------------------------- likelihood ratio


def test_likelihood_ratio_rejects_one_expert_where_lines_cross(rng):
    X, y = crossing(rng, n=60)
    estimator = MoERegressor(n_init=1, gate="constant", random_state=0)
    test = bootstrap_lrt(X, y, estimator=estimator, n_bootstrap=9, random_state=0)
    assert test.p_value == pytest.approx(0.1)
    small, large = test.estimators_
    assert (small.n_experts, large.n_experts, test.n_experts) == (1, 2, 1)
    gain = large.log_likelihood_ - small.log_likelihood_
    assert test.statistic == pytest.approx(2.0 * gain, rel=1e-12)


def test_likelihood_ratio_keeps_one_expert_where_there_is_one(rng):
    X, y = line(rng, n=60)
    estimator = MoERegressor(n_init=1, gate="constant", random_state=0)
    test = bootstrap_lrt(X, y, estimator=estimator, n_bootstrap=9, random_state=0)
    assert test.p_value > 0.1
    assert (test.null >= -1e-6).all()
    expected = (1 + (test.null >= test.statistic).sum()) / 10
    assert test.p_value == pytest.approx(expected)


@pytest.mark.parametrize("gate", ["gaussian", "softmax"])
def test_likelihood_ratio_draws_from_any_model(rng, gate):
    X, y = crossing(rng, n=60)
    frame = pd.DataFrame(X, columns=["dose"])
    estimator = MoERegressor(n_init=1, gate=gate, random_state=0)
    test = bootstrap_lrt(frame, y, n_experts=2, estimator=estimator, n_bootstrap=1, random_state=0)
    assert test.null.shape == (1,)
    # Far below what a missing expert would gain, which is some 60 nats.
    assert (np.abs(test.null) < 60.0).all()


def test_likelihood_ratio_of_classifiers(rng):
    X = rng.uniform(-1.0, 1.0, (120, 1))
    y = np.where(rng.random(120) < 1.0 / (1.0 + np.exp(-3.0 * X[:, 0])), "yes", "no")
    estimator = MoEClassifier(n_init=1, random_state=0)
    test = bootstrap_lrt(X, y, estimator=estimator, n_bootstrap=3, random_state=0)
    assert test.p_value >= 0.25


def test_likelihood_ratio_does_not_depend_on_the_number_of_processes(rng):
    X, y = line(rng, n=50)
    estimator = MoERegressor(n_init=1, gate="constant")
    options = {"estimator": estimator, "n_bootstrap": 3, "random_state": 5}
    one = bootstrap_lrt(X, y, **options)
    with joblib.parallel_config(backend="threading"):
        two = bootstrap_lrt(X, y, n_jobs=2, **options)
    np.testing.assert_array_equal(one.null, two.null)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_experts": 0}, "n_experts=.* must be integers >= 1"),
        ({"n_bootstrap": 0}, "n_bootstrap=0 must be an integer >= 1"),
        ({"n_bootstrap": 1.5}, r"n_bootstrap=1\.5 must be an integer >= 1"),
    ],
)
def test_argument_of_the_likelihood_ratio_is_checked(rng, options, message):
    X, y = line(rng)
    with pytest.raises(ValueError, match=message):
        bootstrap_lrt(X, y, **options)


def test_likelihood_ratio_takes_one_number_of_experts(rng):
    X, y = line(rng)
    with pytest.raises(TypeError, match="must be one integer"):
        bootstrap_lrt(X, y, n_experts=[1, 2])


def test_comparison_reads_as_a_page():
    X, y = load_tone(return_X_y=True)
    found = select(X, y, n_experts=[1, 2], experts=["gaussian", "laplace"])
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80
    for row in found.table.itertuples():
        assert f"{row.bic:.2f}" in text
        assert f"{row.log_likelihood:.2f}" in text
    starred = [line for line in text.splitlines() if line.endswith("*")]
    assert len(starred) == 1
    assert f"{found.table.bic[found.best_index_]:.2f}" in starred[0]
    assert found._repr_html_() == found.summary().to_html()


def test_bootstrap_test_reads_as_a_page():
    X, y = load_tone(return_X_y=True)
    test = bootstrap_lrt(X, y, n_bootstrap=3, random_state=0)
    text = str(test)
    assert "Likelihood ratio of 2 experts to 1 expert" in text
    assert f"{test.statistic:.4g}" in text
    for fit in test.estimators_:
        assert f"{fit.log_likelihood_:.2f}" in text
    assert test._repr_html_() == test.summary().to_html()


def test_precisions_are_weights_of_mean_one(rng):
    X = rng.normal(size=(120, 1))
    y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=120)
    w = rng.uniform(0.5, 2.0, 120)
    settings = {"estimator": MoERegressor(n_init=2, random_state=0), "n_experts": [1, 2]}
    right = select(X, y, sample_weight=w / w.mean(), **settings).table
    tiny = select(X, y, sample_weight=1e14 * w, weight_kind="precision", **settings)
    np.testing.assert_allclose(tiny.table.bic, right.bic, rtol=1e-8)
    best = tiny.best_estimator_
    bic = best.bic(X, y, 1e14 * w, weight_kind="precision")
    assert bic == pytest.approx(tiny.table.bic.min(), rel=1e-9)
    with pytest.raises(ValueError, match="weight_kind='odd' must be one of"):
        select(X, y, sample_weight=w, weight_kind="odd")
