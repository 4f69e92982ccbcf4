"""Numbers of experts and penalties chosen together."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inspection import SelectionDisplay
from moe_classic.model_selection import path, select
from moe_classic.penalties import Lasso

TEMPLATE = MoERegressor(
    expert=GaussianExpert(penalty=Lasso()),
    gate=SoftmaxGate(penalty=Lasso()),
    n_init=3,
    random_state=0,
)


@pytest.fixture(scope="module")
def sparse():
    """Two experts that need a feature each of six, a gate that needs the first."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6))
    right = rng.random(200) < 1.0 / (1.0 + np.exp(-4.0 * X[:, 0]))
    y = np.where(right, 2.0 + 1.5 * X[:, 1], -2.0 - 1.5 * X[:, 3])
    return X, y + 0.5 * rng.standard_normal(200)


def test_each_number_of_experts_has_the_best_fit_of_its_path(sparse):
    X, y = sparse
    chosen = select(
        X, y, estimator=TEMPLATE, n_experts=[1, 2, 3], alphas=[0.6, 0.3, 0.1], criterion="ebic"
    )
    table = chosen.table
    assert table.n_experts.tolist() == [1, 2, 3]
    assert table.expert.nunique() == 1
    for K in (1, 2):
        own = path(X, y, estimator=TEMPLATE, n_experts=K, alphas=[0.6, 0.3, 0.1])
        assert table.ebic[K - 1] == pytest.approx(own.table.ebic.min(), rel=1e-9)
        assert table.bic[K - 1] == pytest.approx(own.best_estimator_.bic(X, y), rel=1e-9)
    best = chosen.best_estimator_
    assert chosen.best_params_["n_experts"] == best.n_experts == 2
    assert sorted(np.flatnonzero(e.coef_).tolist() for e in best.experts_) == [[1], [3]]
    asked = chosen.best_params_["expert"].penalty
    assert isinstance(asked, Lasso)
    assert table.start[1] == f"path, alpha={asked.alpha:.3g}"
    assert "EBIC" in str(chosen)
    assert SelectionDisplay.from_table(table, criterion="ebic").best_.n_experts.tolist() == [2]


def test_held_out_rows_and_pipelines_choose_too(sparse):
    X, y = sparse
    whole = make_pipeline(StandardScaler(), TEMPLATE)
    options = {"n_experts": [1, 2], "alphas": [0.5, 0.2], "criterion": "log_score", "cv": 2}
    chosen = select(X, y, estimator=whole, **options)
    assert chosen.best_params_["n_experts"] == 2
    assert chosen.table.log_score[1] > chosen.table.log_score[0] + 0.3
    assert chosen.best_estimator_.predict(X[:3]).shape == (3,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"criterion": "ebic"}, "criterion='ebic' counts slopes on a path .* give alphas="),
        ({"alphas": 5}, "select: the experts of .* need a penalty under which slopes may be zero"),
        ({"alphas": [0.0], "estimator": TEMPLATE}, "select: alphas=.* must be numbers > 0"),
        ({"alphas": 5, "estimator": TEMPLATE, "groups": np.arange(200)}, "take no groups"),
    ],
)
def test_combinations_without_a_meaning_are_refused(sparse, options, words):
    with pytest.raises(ValueError, match=words):
        select(*sparse, n_experts=[1], **options)
