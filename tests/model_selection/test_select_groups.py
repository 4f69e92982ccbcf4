"""Numbers of experts chosen for subjects."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoERegressor
from moe_classic.model_selection import bootstrap_lrt, select


@pytest.fixture(scope="module")
def table():
    """Two classes of subjects on lines that cross."""
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(40) % 2, 5)
    x = rng.uniform(-1.0, 1.0, 200)
    y = np.where(kind, 1.5 * x, -1.5 * x) + 0.7 * rng.normal(size=200)
    return x[:, None], y, np.repeat(np.arange(40), 5)


TEMPLATE = MoERegressor(gate="constant", n_init=3, random_state=0)


def test_criteria_of_a_path_are_those_of_groups(table):
    X, y, groups = table
    chosen = select(X, y, estimator=TEMPLATE, n_experts=[1, 2, 3], groups=groups)
    assert chosen.best_params_["n_experts"] == 2
    best = chosen.best_estimator_
    assert chosen.table.bic[1] == pytest.approx(best.bic(X, y, groups=groups))
    assert (np.diff(chosen.table.objective) > -1e-6).all()


def test_held_out_scores_are_means_over_groups(table):
    X, y, groups = table
    options = {"estimator": TEMPLATE, "n_experts": [1, 2], "criterion": "log_score"}
    chosen = select(X, y, groups=groups, cv=4, **options)
    assert chosen.best_params_["n_experts"] == 2
    values = []
    for train, test in GroupKFold(4).split(X, y, groups):
        model = TEMPLATE.set_params(n_experts=1).fit(X[train], y[train], groups=groups[train])
        values.append(model.score_samples(X[test], y[test], groups=groups[test]))
    assert chosen.table.log_score[0] == pytest.approx(np.concatenate(values).mean(), rel=1e-6)


def test_a_bootstrap_test_draws_subjects(table):
    X, y, groups = table
    test = bootstrap_lrt(X, y, estimator=TEMPLATE, n_bootstrap=19, random_state=0, groups=groups)
    assert test.p_value == pytest.approx(0.05)
    assert test.statistic > test.null.max()


def test_pipelines_and_groups_are_selected_together():
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(30), 4)
    X = 100.0 + 5.0 * rng.normal(size=(120, 1))
    y = np.where(member % 2, 1.0, -1.0) * (X[:, 0] - 100.0) + rng.normal(size=120)
    moe = MoERegressor(gate="constant", random_state=0)
    options = {"n_experts": [1, 2], "groups": member, "criterion": "log_score", "cv": 3}
    piped = select(X, y, estimator=make_pipeline(StandardScaler(), moe), **options)
    plain = select(X, y, estimator=moe, **options)
    assert piped.table["n_experts"][piped.best_index_] == 2
    columns = ["bic", "icl", "log_score"]
    np.testing.assert_allclose(piped.table[columns], plain.table[columns], rtol=1e-5)
    assert piped.best_estimator_[-1].n_experts == 2
