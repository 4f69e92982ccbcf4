"""Certified values of NIST's linear regression sets, by one expert."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from moe_classic import MoERegressor

from .nist import LONGLEY, SETS, Certified, solved


def longley():
    data = pytest.importorskip("statsmodels.datasets").longley.load_pandas()
    return data.exog.to_numpy(), data.endog.to_numpy()


def arrays(data: Certified):
    """The rows as floats; a line through the origin is one with an intercept on mirrored rows."""
    X, y = np.array(data.X, dtype=float), np.array(data.y, dtype=float)
    return (X, y) if data.intercept else (np.r_[X, -X], np.r_[y, -y])


def one_expert(X, y):
    model = MoERegressor(1, random_state=0).fit(X, y)
    expert = model.experts_[0]
    return model, np.r_[expert.intercept_, np.ravel(expert.coef_)], float(expert.scale_)


@pytest.mark.parametrize("name", SETS)
def test_rows_give_the_certified_values_in_exact_arithmetic(name):
    data = SETS[name]
    Z = [[1, *row] if data.intercept else row for row in data.X]
    coef, rss, inverse = solved(Z, data.y)
    np.testing.assert_allclose([float(c) for c in coef], data.coef, rtol=1e-13)
    variance = rss / (len(data.y) - len(coef))
    assert float(variance) ** 0.5 == pytest.approx(data.sd, rel=1e-13, abs=1e-30)
    if data.se:
        errors = [float(variance * v) ** 0.5 for v in inverse]
        np.testing.assert_allclose(errors, data.se, rtol=1e-12)


#: Error of the worst coefficient. Powers of Filip's x are rounded to floats before any fit: the
#: exact solution for the rounded rows is itself 2.5e-8 away from the certified one. Wampler5 has
#: noise ten million times the coefficients: 2.5e-7 to 7.2e-7, as the processor rounds.
DIGITS = dict.fromkeys(SETS, 1e-8) | {"Filip": 5e-8, "Wampler5": 2e-6}


@pytest.mark.filterwarnings("ignore:.*smallest scale allowed")
@pytest.mark.parametrize("name", SETS)
def test_coefficients_are_the_certified_ones(name):
    data = SETS[name]
    _, coef, _ = one_expert(*arrays(data))
    right = data.coef if data.intercept else [0.0, *data.coef]
    np.testing.assert_allclose(coef, right, rtol=DIGITS[name], atol=1e-13)


@pytest.mark.parametrize("name", [name for name, data in SETS.items() if data.sd])
def test_scales_are_the_certified_ones(name):
    data = SETS[name]
    _, _, scale = one_expert(*arrays(data))
    n = len(data.y)
    # The likeliest scale divides by n.
    certified = data.sd * np.sqrt((n - len(data.coef)) / n)
    assert scale == pytest.approx(certified, rel=1e-8)


@pytest.mark.parametrize("name", ["Norris", "Pontius", "Wampler3", "Wampler4", "Wampler5"])
def test_standard_errors_are_the_certified_ones(name):
    data = SETS[name]
    X, y = arrays(data)
    model, _, _ = one_expert(X, y)
    table = model.inference(X, y).experts
    n, q = len(data.y), len(data.coef)
    errors = table["std err"].to_numpy()[:q] if "std err" in table else table.iloc[:q, 1].to_numpy()
    certified = np.sort(data.se) * np.sqrt((n - q) / n)
    np.testing.assert_allclose(np.sort(errors), certified, rtol=1e-6)


def test_longley():
    X, y = longley()
    _, coef, scale = one_expert(X, y)
    np.testing.assert_allclose(coef, LONGLEY[0], rtol=1e-8)
    assert scale == pytest.approx(LONGLEY[1] * np.sqrt(9 / 16), rel=1e-8)


@pytest.mark.parametrize("name", ["Wampler1", "Wampler2"])
def test_an_exact_target_is_told(name):
    with pytest.warns(ConvergenceWarning, match="standard errors measure min_scale"):
        one_expert(*arrays(SETS[name]))


def test_experts_of_an_ill_conditioned_design_have_the_certified_values_side_by_side():
    X, y = arrays(SETS["Filip"])
    x = np.r_[np.c_[X, np.zeros(82)], np.c_[X, np.ones(82)]]
    model = MoERegressor(
        2, init=np.repeat([[1.0, 0.0], [0.0, 1.0]], 82, axis=0), expert="gaussian"
    ).fit(x, np.r_[y, y + 100.0])
    scales = np.ravel([e.scale_ for e in model.experts_])
    np.testing.assert_allclose(scales, SETS["Filip"].sd * np.sqrt(71 / 82), rtol=1e-4)
