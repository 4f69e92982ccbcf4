"""Models are compared on Dask's partitions as they are on rows in memory."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoERegressor
from moe_classic.model_selection import path, select, stability_selection

da = pytest.importorskip("dask.array")

N = 900
TEMPLATE = MoERegressor(n_init=3, random_state=0)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, 2))
    y = np.where(X[:, 0] > 0.0, X[:, 1], 1.0 - X[:, 1]) + 0.1 * rng.normal(size=N)
    return X, y, rng.integers(1, 3, size=N).astype(float)


def cut(a):
    return da.from_array(a, chunks=((400, 500), *((w,) for w in a.shape[1:])))


def test_criteria_are_those_of_all_rows(data):
    X, y, w = data
    there = select(*map(cut, (X, y)), estimator=TEMPLATE, n_experts=[1, 2], sample_weight=cut(w))
    assert there.best_params_["n_experts"] == 2
    assert there.table["start"].tolist() == ["portfolio"] * 2
    here = select(X, y, estimator=TEMPLATE, n_experts=[1, 2], sample_weight=w)
    columns = ["n_parameters", "log_likelihood", "aic", "bic", "icl"]
    pd.testing.assert_frame_equal(there.table[columns], here.table[columns], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "log_score"}, "holds rows out"),
        ({"n_jobs": 2}, "n_jobs has no meaning"),
        ({"weight_kind": "precision"}, "all weights at once"),
        ({"estimator": make_pipeline(StandardScaler(), MoERegressor())}, "fit them to a sample"),
    ],
)
def test_what_partitions_cannot_say_is_refused_before_any_pass(data, options, message):
    X, y, _ = data

    def read(block):
        raise AssertionError("a partition was read")

    rows = da.map_blocks(read, cut(X), dtype=float, meta=np.empty((0, 2)))
    with pytest.raises(ValueError, match=message):
        select(rows, cut(y), n_experts=[1, 2], **options)


def test_groups_are_those_in_memory(data):
    X, y, w = data
    w, groups = np.repeat(w[: N // 2], 2), np.repeat(np.arange(N // 2), 2)
    options = {"estimator": TEMPLATE, "n_experts": [1, 2]}
    there = select(*map(cut, (X, y)), sample_weight=cut(w), groups=cut(groups), **options)
    here = select(X, y, sample_weight=w, groups=groups, **options)
    columns = ["n_parameters", "log_likelihood", "aic", "bic", "icl"]
    pd.testing.assert_frame_equal(there.table[columns], here.table[columns], rtol=1e-5)


def test_a_path_is_that_of_all_rows(data):
    X, y, w = data
    X = np.hstack([X, np.random.default_rng(0).normal(size=(N, 2))])
    options = {"n_experts": 2, "alphas": [0.3, 0.1, 0.03]}
    there = path(*map(cut, (X, y)), sample_weight=cut(w), **options)
    here = path(X, y, sample_weight=w, **options)
    columns = ["alpha", "n_slopes", "n_parameters", "log_likelihood", "ebic"]
    pd.testing.assert_frame_equal(there.table[columns], here.table[columns], rtol=1e-5)
    # Experts are matched along the path; which one is first is for the fits to say.
    same = [
        np.allclose(there.coefs_[:, order], here.coefs_, atol=1e-3) for order in ([0, 1], [1, 0])
    ]
    assert any(same)


def test_what_holds_rows_out_is_refused(data):
    X, y, _ = map(cut, data)
    with pytest.raises(ValueError, match="holds rows out"):
        path(X, y, criterion="log_score")
    with pytest.raises(TypeError, match="halves of the rows"):
        stability_selection(X, y)
