"""Rows that are read block by block give the fit of all rows at once."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.gates import SoftmaxGate


@pytest.fixture
def data(rng):
    X = rng.normal(size=(3000, 2))
    y = np.where(X[:, 0] > 0.0, X[:, 1], 1.0 - X[:, 1]) + 0.1 * rng.normal(size=3000)
    return X, y, rng.integers(0, 3, size=3000).astype(float)


def cut(*arrays, size=700):
    return [tuple(a[i : i + size] for a in arrays) for i in range(0, len(arrays[0]), size)]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_fit_blocks_equals_fit(data, n_jobs):
    X, y, w = data
    options = {"n_init": 3, "random_state": 0}
    whole = MoERegressor(2, **options).fit(X, y, sample_weight=w)
    parts = MoERegressor(2, n_jobs=n_jobs, **options).fit_blocks(lambda: iter(cut(X, y, w)))
    # The same optimum: what differs is rounding and where in the last digits a run stops.
    assert parts.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-8)
    np.testing.assert_allclose(parts.gate_proba(X), whole.gate_proba(X), atol=1e-5)


def test_fit_blocks_reads_frames_with_names(data):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=["a", "b"])
    gate = SoftmaxGate(features=["a"])
    blocks = [(frame.iloc[i : i + 900], y[i : i + 900]) for i in range(0, len(y), 900)]
    moe = MoERegressor(2, gate=gate, n_init=2, random_state=0).fit_blocks(blocks)
    assert list(moe.feature_names_in_) == ["a", "b"]
    assert moe.gate_.feature_names_ == ("a",)


def test_fit_blocks_fits_transformers_on_its_sample(data):
    X, y, _ = data
    gate = SoftmaxGate(features=PolynomialFeatures(2, include_bias=False))
    options = {"gate": gate, "n_init": 2, "random_state": 0}
    whole = MoERegressor(2, **options).fit(X, y)
    parts = MoERegressor(2, **options).fit_blocks(cut(X, y))
    # Polynomials have nothing to learn from rows, so that the two agree up to where runs stop.
    assert parts.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=3e-3)


def test_fit_blocks_collects_classes_from_all_blocks(data):
    X, y, _ = data
    labels = np.where(y > 1.0, "high", np.where(y > 0.0, "mid", "low"))
    order = np.argsort(labels, kind="stable")
    options = {"n_init": 2, "random_state": 0}
    whole = MoEClassifier(2, **options).fit(X, labels)
    parts = MoEClassifier(2, **options).fit_blocks(cut(X[order], labels[order]))
    assert list(parts.classes_) == ["high", "low", "mid"]
    # Many flat directions between classes: the heights agree, the digits of the way there do not.
    assert parts.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-5)


def test_fit_blocks_refuses_an_iterator(data):
    X, y, _ = data
    with pytest.raises(TypeError, match="only once"):
        MoERegressor(2).fit_blocks(iter(cut(X, y)))


def test_fit_blocks_refuses_a_source_without_rows():
    with pytest.raises(ValueError, match="no rows"):
        MoERegressor(2).fit_blocks(list)


def test_fit_blocks_tells_a_source_that_can_be_read_once_from_one_without_rows(data):
    X, y, _ = data
    once = iter(cut(X, y))
    with pytest.raises(ValueError, match="rows in an earlier pass and none now"):
        MoERegressor(2).fit_blocks(lambda: once)


def test_fit_blocks_refuses_a_callable_that_returns_no_blocks():
    with pytest.raises(TypeError, match=r"blocks\(\) returned None"):
        MoERegressor(2).fit_blocks(lambda: None)


def test_fit_blocks_refuses_unequal_widths(data):
    X, y, _ = data
    with pytest.raises(ValueError, match=r"block 1: .*features"):
        MoERegressor(2).fit_blocks([(X, y), (X[:, :1], y)])


def test_fit_blocks_refuses_what_is_not_a_block(data):
    X, _, _ = data
    with pytest.raises(ValueError, match="block 0 must be a tuple"):
        MoERegressor(2).fit_blocks([X])
    with pytest.raises(TypeError, match="callable"):
        MoERegressor(2).fit_blocks(3)


def test_fit_blocks_refuses_responsibilities(data):
    X, y, _ = data
    moe = MoERegressor(2, init=np.full((len(y), 2), 0.5))
    with pytest.raises(ValueError, match="strategy's name"):
        moe.fit_blocks(cut(X, y))


def test_fit_takes_a_read_only_memory_map(data, tmp_path):
    X, y, _ = data
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    options = {"n_init": 2, "random_state": 0}
    from_map = MoERegressor(2, **options).fit(mapped, y)
    from_array = MoERegressor(2, **options).fit(X, y)
    assert from_map.log_likelihood_ == from_array.log_likelihood_


def test_single_precision_is_not_copied_and_agrees(data):
    X, y, _ = data
    X = X.astype(np.float32)
    options = {"n_init": 2, "random_state": 0}
    single = MoERegressor(2, **options).fit(X, y)
    double = MoERegressor(2, **options).fit(X.astype(np.float64), y)
    # Work is done in double precision on the very same numbers.
    assert single.log_likelihood_ == pytest.approx(double.log_likelihood_, rel=1e-9)
