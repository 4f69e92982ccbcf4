"""What a component sees of X: columns, transformers, standardised designs."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures

from moe_classic._data import units as _units
from moe_classic._data.features import same_features
from moe_classic._data.units import fit_design, slices_of


@pytest.fixture
def table(rng):
    """Rows (60, 3) on unlike scales, and weights."""
    return rng.standard_normal((60, 3)) * [1.0, 1e3, 1e-3] + [0.0, 5e3, 2.0], rng.uniform(size=60)


def fit(features, X, w=None, *, names=None, standardize=True, raw=False):
    w = np.ones(len(X)) if w is None else w
    return fit_design(
        features,
        slices_of(X, w),
        fit_on=(X, np.zeros(len(X))),
        names_in=names,
        standardize=standardize,
        raw=raw,
        owner="SoftmaxGate",
    )


# ------------------------------------------------------------------------- standardisation


def test_design_has_weighted_mean_zero_and_spread_one(table):
    X, w = table
    Z = fit(None, X, w)(X)
    assert Z.shape == (4, 60)
    np.testing.assert_array_equal(Z[-1], np.ones(60))
    np.testing.assert_allclose(Z[:-1] @ w / w.sum(), 0.0, atol=1e-12)
    np.testing.assert_allclose(Z[:-1] ** 2 @ w / w.sum(), 1.0, rtol=1e-12)


def test_units_of_wide_designs_are_at_least_a_quarter_of_the_range(rng):
    X = rng.uniform(size=(400, 4))
    X[:, 1] = 0.0
    X[7, 1] = 5.0  # almost always alike
    X[:, 2] = 3.0
    X[7, 3] = 1e9  # a sentinel, which stands for nothing
    fitted = {}
    for wide in (None, 5, 6):
        fitted[wide] = fit_design(
            None,
            slices_of(X, np.ones(400)),
            fit_on=(X, np.zeros(400)),
            names_in=None,
            standardize=True,
            wide=wide,
            owner="SoftmaxGate",
        ).inverse
    spread = X.std(axis=0)
    np.testing.assert_allclose(fitted[5][:3], [1.0 / spread[0], 4.0 / 5.0, 0.0])
    assert 0.5 < fitted[5][3] / fitted[5][0] <= 1.0
    np.testing.assert_allclose(fitted[None][:3], [1.0 / spread[0], 1.0 / spread[1], 0.0])
    np.testing.assert_array_equal(fitted[6], fitted[None])  # its width is five


def test_design_of_new_rows_uses_the_moments_of_the_old(table):
    X, w = table
    design = fit(None, X, w)
    np.testing.assert_allclose(design(X[:7]), design(X)[:, :7], rtol=1e-14)


def test_design_does_not_depend_on_its_slices(table, monkeypatch):
    X, w = table
    whole = fit(None, X, w)
    monkeypatch.setattr(_units, "_SLICE", 7)
    sliced = fit(None, X, w)
    np.testing.assert_allclose(sliced.centre, whole.centre, rtol=1e-12)
    np.testing.assert_allclose(sliced.inverse, whole.inverse, rtol=1e-12)


def test_rows_without_weight_do_not_count(table, monkeypatch):
    X, w = table
    w = np.where(np.arange(60) < 20, 0.0, w)
    monkeypatch.setattr(_units, "_SLICE", 10)
    all_rows, some = fit(None, X, w), fit(None, X[20:], w[20:])
    np.testing.assert_allclose(all_rows.centre, some.centre, rtol=1e-12)
    np.testing.assert_allclose(all_rows.inverse, some.inverse, rtol=1e-12)


def test_moments_survive_a_large_offset(rng):
    X = rng.standard_normal((500, 1))
    near, far = fit(None, X), fit(None, X + 1e8)
    # Features themselves are rounded at 1e-8 there.
    np.testing.assert_allclose(far.inverse, near.inverse, rtol=1e-7)


def test_constant_columns_vanish_from_the_design(table):
    X, _ = table
    X = X.copy()
    X[:, 1] = 0.1  # not a sum of powers of two: its mean is off by rounding
    design = fit(None, X)
    assert design.inverse[1] == 0.0
    np.testing.assert_array_equal(design(X)[1], np.zeros(60))


def test_raw_design_is_the_features_themselves(table):
    X, w = table
    np.testing.assert_array_equal(fit(None, X, w, raw=True)(X)[:-1], X.T)


def test_unstandardised_design_is_centred_and_keeps_the_scale(table):
    X, w = table
    X[:, 1] = 7.0
    Z = fit(None, X, w, standardize=False)(X)[:-1]
    centred = X - w @ X / w.sum()
    np.testing.assert_allclose(Z, np.where([[True], [False], [True]], centred.T, 0.0), atol=1e-9)


def test_coefficients_go_back_to_the_scale_of_the_features(table, rng):
    X, w = table
    design = fit(None, X, w)
    coef = rng.standard_normal((2, 5, 4))
    slopes, intercepts = design.original(coef)
    eta = np.einsum("abj,nj->abn", slopes, X) + intercepts[..., None]
    np.testing.assert_allclose(eta, coef @ design(X), rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------------- columns


@pytest.mark.parametrize(
    ("features", "columns"),
    [
        (None, [0, 1, 2]),
        ([2, 0], [2, 0]),
        ([-1], [2]),
        (["c", "a"], [2, 0]),
        (("b",), [1]),
        (np.array([0, 1]), [0, 1]),
        ([True, False, True], [0, 2]),
        (np.array([False, True, False]), [1]),
        (pd.Index(["a", "b"]), [0, 1]),
        ([], []),
    ],
)
def test_columns_are_chosen_by_name_index_or_mask(table, features, columns):
    X, _ = table
    design = fit(features, X, names=["a", "b", "c"], raw=True)
    assert design.width == len(columns) + 1
    assert design.names == tuple("abc"[j] for j in columns)
    np.testing.assert_array_equal(design(X)[:-1], X[:, columns].T)


def test_columns_without_names_are_numbered(table):
    X, _ = table
    assert fit([0, 2], X).names == ("x0", "x2")


@pytest.mark.parametrize("features", [["d"], [3], [-4], [0.0], [None], [True]])
def test_unknown_column_is_refused(table, features):
    X, _ = table
    with pytest.raises(ValueError, match="is not a column of X; X has 3 columns") as caught:
        fit(features, X, names=["a", "b", "c"])
    assert "SoftmaxGate" in str(caught.value)
    assert repr(features[0]) in str(caught.value)


@pytest.mark.parametrize("features", [[0, 0], ["a", 0], [-1, 2]])
def test_column_named_twice_is_refused(table, features):
    X, _ = table
    with pytest.raises(ValueError, match="names a column twice"):
        fit(features, X, names=["a", "b", "c"])


@pytest.mark.parametrize("features", ["a", 0, 1.5, {"a": 1}, object])
def test_what_is_neither_a_list_nor_a_transformer_is_refused(table, features):
    X, _ = table
    with pytest.raises(TypeError, match=r"SoftmaxGate: features=.* must be None, a list of column"):
        fit(features, X, names=["a", "b", "c"])


# ------------------------------------------------------------------------- transformers


def test_transformer_is_cloned_and_fitted_inside(table):
    X, w = table
    transformer = PolynomialFeatures(2, include_bias=False)
    design = fit(transformer, X, w, raw=True)
    assert not hasattr(transformer, "n_output_features_")
    expected = PolynomialFeatures(2, include_bias=False).fit_transform(X)
    np.testing.assert_allclose(design(X)[:-1], expected.T)
    assert design.names[:4] == ("x0", "x1", "x2", "x0^2")


def test_transformed_features_are_standardised(table):
    X, w = table
    Z = fit(PolynomialFeatures(2, include_bias=False), X, w)(X)
    np.testing.assert_allclose(Z[:-1] @ w / w.sum(), 0.0, atol=1e-9)
    np.testing.assert_allclose(Z[:-1] ** 2 @ w / w.sum(), 1.0, rtol=1e-9)


def test_transformer_may_name_columns(table):
    X, _ = table
    transformer = ColumnTransformer([("two", "passthrough", ["c", "a"])])
    design = fit(transformer, X, names=["a", "b", "c"], raw=True)
    np.testing.assert_array_equal(design(X)[:-1], X[:, [2, 0]].T)
    assert design.names == ("two__c", "two__a")


def test_sparse_output_becomes_dense(rng):
    X = rng.integers(0, 3, (30, 1)).astype(float)
    design = fit(OneHotEncoder(), X, raw=True)
    np.testing.assert_array_equal(design(X)[:-1].T, np.eye(3)[X[:, 0].astype(int)])


def test_output_without_names_is_numbered(table):
    X, _ = table
    design = fit(FunctionTransformer(lambda X: X[:, :2]), X)
    assert design.names == ("f0", "f1")


def test_transformer_that_gives_nan_is_refused(table):
    X, _ = table
    transformer = FunctionTransformer(lambda X: np.where(X > 0.0, X, np.nan))
    with pytest.raises(ValueError, match=r"SoftmaxGate: .*NaN or infinite values"):
        fit(transformer, X)


# ------------------------------------------------------------------------- sharing


def test_same_features_are_recognised_only_when_sure():
    transformer = PolynomialFeatures()
    assert same_features(None, None)
    assert same_features([0, 1], (0, 1))
    assert same_features(transformer, transformer)
    assert not same_features([0, 1], [1, 0])
    assert not same_features(None, [0])
    assert not same_features(transformer, PolynomialFeatures())


def test_names_that_come_twice_are_numbered(table):
    X, _ = table
    transformer = FunctionTransformer(
        lambda X: X[:, :3], feature_names_out=lambda self, names: ["a", "a", "a (2)"]
    )
    assert fit(transformer, X).names == ("a", "a (2)", "a (2) (2)")


def test_one_sentinel_does_not_set_the_units_of_a_feature():
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, (400, 2))
    clean = fit_design(
        None,
        slices_of(X, np.ones(400)),
        fit_on=(X, X[:, 0]),
        names_in=None,
        standardize=True,
        owner="test",
    )
    X[7, 0] = 99999.0
    spoilt = fit_design(
        None,
        slices_of(X, np.ones(400)),
        fit_on=(X, X[:, 0]),
        names_in=None,
        standardize=True,
        owner="test",
    )
    np.testing.assert_allclose(spoilt.unit, clean.unit, rtol=0.2)
    np.testing.assert_allclose(spoilt.centre, clean.centre, atol=0.1)
    assert spoilt.unit[1] == clean.unit[1]
    # Weights are repetitions.
    times = rng.integers(1, 4, 400)
    repeated = np.repeat(X, times, axis=0)
    units = [
        fit_design(
            None,
            slices_of(rows, w),
            fit_on=(rows, rows[:, 0]),
            names_in=None,
            standardize=True,
            owner="test",
        ).unit
        for rows, w in ((X, times.astype(float)), (repeated, np.ones(len(repeated))))
    ]
    np.testing.assert_allclose(*units, rtol=1e-12)
