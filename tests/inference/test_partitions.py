"""Inference from Dask's partitions is that from all rows at once."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.inference import inference

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

N = 1200
SIZES = (500, 1, N - 501)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, 2))
    first = rng.uniform(size=N) < expit(0.5 + 2.0 * X[:, 0])
    y = np.where(first, X[:, 1], 1.0 - X[:, 1]) + 0.3 * rng.normal(size=N)
    return X, y, rng.integers(0, 3, size=N).astype(float), rng.integers(0, 40, size=N)


def cut(a):
    return da.from_array(a, chunks=(SIZES, *((w,) for w in a.shape[1:])))


@pytest.fixture(scope="module")
def moe(data):
    return MoERegressor(2, n_init=2, random_state=0).fit(*data[:2])


def assert_alike(there, here):
    pd.testing.assert_frame_equal(there.table, here.table, rtol=1e-9, atol=1e-12)
    pd.testing.assert_frame_equal(there.covariance, here.covariance, rtol=1e-8, atol=1e-14)
    assert str(there.summary()) == str(here.summary())


@pytest.mark.parametrize("kind", ["observed", "opg", "sandwich"])
def test_curvature_adds_up(data, moe, kind):
    X, y = data[:2]
    here = inference(moe, X, y, kind=kind)
    assert_alike(inference(moe, cut(X), cut(y), kind=kind), here)
    assert_alike(moe.inference(cut(X), cut(y), kind=kind), here)


def test_clusters_are_joined_across_partitions(data, moe):
    X, y, _, clusters = data
    here = inference(moe, X, y, kind="sandwich", clusters=clusters)
    there = inference(moe, cut(X), cut(y), kind="sandwich", clusters=cut(clusters))
    assert_alike(there, here)
    alone = inference(moe, X, y, kind="sandwich").table["std_error"]
    assert np.nanmax(np.abs(there.table["std_error"] / alone - 1.0)) > 1e-3


def test_weights_and_frames(data):
    X, y, w, clusters = data
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=y, w=w, who=clusters)
    rows = dd.from_pandas(frame, npartitions=3)
    moe = MoERegressor(2, n_init=2, random_state=0).fit(frame[["a", "b"]], y, w)
    here = inference(moe, frame[["a", "b"]], y, kind="sandwich", sample_weight=w, clusters=clusters)
    there = inference(
        moe,
        rows[["a", "b"]],
        rows["y"],
        kind="sandwich",
        sample_weight=rows["w"],
        clusters=rows["who"],
    )
    assert_alike(there, here)


def test_kinks_are_smoothed_by_the_masses_of_all_rows(data):
    X, y = data[:2]
    moe = MoERegressor(2, expert="laplace", n_init=1, random_state=0).fit(X, y)
    here = inference(moe, X, y, kind="sandwich")
    assert_alike(inference(moe, cut(X), cut(y), kind="sandwich"), here)


def test_classes(data):
    X, y = data[:2]
    labels = np.where(y + np.sin(9.0 * X[:, 0]) > 0.5, "high", "low")
    moe = MoEClassifier(1, random_state=0).fit(X, labels)
    assert_alike(inference(moe, cut(X), cut(labels)), inference(moe, X, labels))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "bootstrap"}, ValueError, "draws rows and needs them in memory"),
        ({"weight_kind": "precision"}, ValueError, "needs all weights at once"),
        ({"groups": np.arange(N)}, TypeError, "groups is a ndarray, and other"),
        ({"kind": "sandwich", "clusters": np.arange(N)}, TypeError, "clusters is a ndarray"),
    ],
)
def test_what_does_not_add_is_refused_before_any_pass(data, moe, options, error, message):
    X, y = data[:2]

    def read(block):
        raise AssertionError("a partition was read")

    rows = da.map_blocks(read, cut(X), dtype=float, meta=np.empty((0, 2)))
    with pytest.raises(error, match=message):
        inference(moe, rows, cut(y), **options)


def test_pipelines_are_refused_and_one_cluster_is(data, moe):
    X, y = data[:2]
    pipe = make_pipeline(StandardScaler(), moe).fit(X, y)
    with pytest.raises(TypeError, match="needs a mixture itself, not a Pipeline"):
        inference(pipe, cut(X), cut(y))
    with pytest.raises(ValueError, match="clusters has a single label"):
        inference(moe, cut(X), cut(y), kind="sandwich", clusters=cut(np.zeros(N)))


def test_bad_rows_are_named_by_partition(data, moe):
    X, y = (a.copy() for a in data[:2])
    X[501, 1] = np.nan
    with pytest.raises(ValueError, match=r"partition 2: .*NaN(.|\n)*row 0 of X"):
        inference(moe, cut(X), cut(y))
