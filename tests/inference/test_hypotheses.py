"""Wald tests and likelihood ratios: against statsmodels at one expert, each other, simulation."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import chi2

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert, LogisticExpert
from moe_classic.inference import inference, likelihood_ratio_test
from moe_classic.penalties import Lasso

from .fits import classes_of, line_data, two_lines

EXPERT_2 = "expert 2"


@pytest.fixture(scope="module")
def lines():
    return two_lines(np.random.default_rng(0))


@pytest.fixture(scope="module")
def fit(lines):
    return MoERegressor(2, n_init=2, random_state=0, tol=1e-10).fit(*lines)


@pytest.fixture(scope="module")
def found(fit, lines):
    return inference(fit, *lines)


def contrast(found, *names):
    """A row of zeros with ones where asked; names are (expert, term), the second negative."""
    row = pd.Series(0.0, index=found.table.index)
    for sign, (expert, term) in zip((1.0, -1.0), names, strict=False):
        row.loc["expert", expert, :, term] = sign
    return row.to_numpy()


# ------------------------------------------------------------------------- against others


def test_one_expert_tests_as_a_linear_regression_does(rng):
    X, y = line_data(rng)
    found = inference(MoERegressor(1, expert=GaussianExpert(alpha=0.0)).fit(X, y), X, y)
    other = sm.GLM(y, sm.add_constant(X)).fit(
        scale=float(found.table.loc[("expert",), "estimate"].xs("scale", level="kind").iloc[0] ** 2)
    )
    theirs = other.wald_test("x1 = 2.1, x2 = -0.04", scalar=True)
    mine = found.wald_test("x0 = 2.1, x1 = -0.04")
    np.testing.assert_allclose(mine.statistic, theirs.statistic, rtol=1e-6)
    np.testing.assert_allclose(mine.p_value, theirs.pvalue, rtol=1e-5)
    assert mine.df == 2


def test_one_logistic_expert_tests_as_a_logit_model_does(rng):
    X, y = line_data(rng)
    y = classes_of(y, 2)
    moe = MoEClassifier(1, expert=LogisticExpert(alpha=0.0)).fit(X, y)
    other = sm.Logit(1 - y if moe.experts_[0].coef_[0] < 0 else y, sm.add_constant(X)).fit(disp=0)
    theirs = other.wald_test("x1 = 0, x2 = 0", scalar=True)
    mine = inference(moe, X, y).wald_test("x0 = 0, x1 = 0")
    np.testing.assert_allclose(mine.statistic, theirs.statistic, rtol=1e-6)


def test_single_hypothesis_is_the_square_of_its_z(found):
    row = found.table.loc["expert", EXPERT_2, "slope", "x1"]
    test = found.wald_test("x1[2] = 0")
    np.testing.assert_allclose(test.statistic, row["z"] ** 2, rtol=1e-10)
    np.testing.assert_allclose(test.p_value, row["p_value"], rtol=1e-8)


def test_wald_and_likelihood_ratio_agree_on_many_rows(rng):
    X, y = two_lines(rng, 4000)
    # x2 has no effect at all; both statistics are chi-squared and close to each other.
    X = np.column_stack([X, rng.standard_normal(len(X))])
    full = MoERegressor(2, expert=GaussianExpert(alpha=0.0), n_init=2, random_state=0, tol=1e-10)
    small = MoERegressor(
        2, expert=GaussianExpert(features=[0, 1], alpha=0.0), n_init=2, random_state=0, tol=1e-10
    )
    wald = inference(full.fit(X, y), X, y).wald_test("x2 = 0")
    ratio = likelihood_ratio_test(small.fit(X, y), full)
    assert (wald.df, ratio.df) == (2, 2)
    # They differ in the next order, 1 / sqrt(n).
    assert abs(wald.statistic - ratio.statistic) < 0.05 * max(1.0, ratio.statistic)


@pytest.mark.parametrize("hypothesis", ["x2 = 0", "gate: x2 = 0"])
def test_size_is_five_per_cent(hypothesis):
    """Within three standard errors of 60 sets that are without the effect."""
    rng, rejected = np.random.default_rng(1), 0
    X, y = two_lines(rng, 400)
    start = MoERegressor(2, n_init=2, random_state=0, warm_start=True, max_iter=50)
    start.fit(np.column_stack([X, np.zeros(len(X)) + rng.standard_normal(len(X))]), y)
    count = 60
    for _ in range(count):
        X, y = two_lines(rng, 400)
        X = np.column_stack([X, rng.standard_normal(len(X))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rejected += inference(start.fit(X, y), X, y).wald_test(hypothesis).p_value < 0.05
    assert abs(rejected / count - 0.05) < 3.0 * np.sqrt(0.05 * 0.95 / count)


# ------------------------------------------------------------------------- equations


def test_equations_are_the_rows_they_say(found):
    b = found.table["estimate"]
    value = b["expert", "expert 1", "slope", "x0"] - b["expert", EXPERT_2, "slope", "x0"]
    R = contrast(found, ("expert 1", "x0"), (EXPERT_2, "x0"))
    by_text, by_matrix = found.wald_test("x0[1] = x0[2]"), found.wald_test(R)
    error = np.sqrt(R @ found.covariance.to_numpy() @ R)
    for test in (by_text, by_matrix, found.wald_test("0 = x0[1] - x0[`expert 2`]")):
        np.testing.assert_allclose(test.statistic, (value / error) ** 2, rtol=1e-10)
    shifted = found.wald_test(f"2 * x0[1] - 2 * x0[2] + 1 = {2 * value + 1}")
    assert shifted.statistic < 1e-12
    with_value = found.wald_test((R, value))
    assert with_value.statistic < 1e-12


def test_name_without_brackets_is_all_experts(found):
    assert found.wald_test("x0 = 0").df == 2
    assert found.wald_test("x0 = 0, x1 = 0").df == 4
    assert found.wald_test("x0 = x1").df == 2
    assert found.wald_test("gate: x0 = 0").df == 1
    assert found.wald_test("x0[1] = x0[2] = x1[1]").df == 2


def test_hypothesis_said_twice_counts_once(found):
    once, twice = found.wald_test("x0[1] = 2"), found.wald_test("x0[1] = 2, 2 * x0[1] = 4")
    assert twice.df == 1
    np.testing.assert_allclose(twice.statistic, once.statistic, rtol=1e-8)
    with pytest.raises(ValueError, match="contradicts itself"):
        found.wald_test("x0[1] = 2, x0[1] = 3")


def test_outputs_and_names_with_spaces(rng):
    X, y = line_data(rng)
    frame = pd.DataFrame(X, columns=["body mass", "scale"])
    Y = pd.DataFrame({"a": y, "b": y + rng.standard_normal(len(y))})
    found = inference(MoERegressor(1).fit(frame, Y), frame, Y)
    assert found.wald_test("`body mass` = 0").df == 2
    assert found.wald_test("a: `body mass` = b: `body mass`").df == 1
    assert found.wald_test("a: `slope scale` = 0").df == 1


@pytest.mark.parametrize(
    ("hypothesis", "message"),
    [
        ("x0[1]", "has no '='"),
        ("x0[3] = 0", "names expert 3; they are 1 to 2"),
        ("x0[third] = 0", "names expert 'third'"),
        ("z = 0", "names 'z', which is not there; the tables have 'intercept', 'x0'"),
        ("door: x0 = 0", "names a part 'door'"),
        ("x0 = x1, ", "ends too early"),
        ("x0[1 = 0", r"lacks a '\]'"),
        ("x0 = 0 x1", "goes on with 'x1'"),
        ("1 = 2", "without a parameter"),
        ("x0 ? 0", "cannot be read from"),
        ("x0 + * = 0", r"has '\*' where a parameter should be"),
        (np.ones((1, 3)), "one column a parameter"),
        (np.zeros((1, 9)), "one column a parameter"),
    ],
)
def test_hypothesis_that_cannot_be_read_is_refused(found, hypothesis, message):
    with pytest.raises(ValueError, match=message):
        found.wald_test(hypothesis)


def test_parameters_without_a_standard_error_are_refused(lines):
    X, y = lines
    X = np.column_stack([X, np.ones(len(X))])
    moe = MoERegressor(2, n_init=2, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="does not vary|constant"):
        found = inference(moe, X, y)
    with pytest.raises(ValueError, match="no standard error"):
        found.wald_test("x2 = 0")
    terms = found.wald_test_terms()
    assert terms.loc[("expert", "x2", "absent")].isna()["p_value"]
    assert terms.loc[("expert", "x1", "absent"), "p_value"] < 0.05


def test_tests_of_terms_are_the_tests_they_name(found):
    terms = found.wald_test_terms()
    for key, hypothesis in {
        ("expert", "x0", "absent"): "x0 = 0",
        ("expert", "x0", "equal"): "x0[1] = x0[2]",
        ("gate", "x1", "absent"): "gate: x1 = 0",
    }.items():
        test = found.wald_test(hypothesis)
        np.testing.assert_allclose(terms.loc[key], [test.statistic, test.df, test.p_value])


# ------------------------------------------------------------------------- likelihood ratios


def test_likelihood_ratio_counts_restrictions(fit, lines):
    tied = MoERegressor(2, expert=GaussianExpert(tied=True), n_init=2, random_state=0)
    tied.fit(*lines)
    test = likelihood_ratio_test(tied, fit)
    gain = 2.0 * (fit.log_likelihood_ - tied.log_likelihood_)
    assert test.df == 1
    np.testing.assert_allclose(test.statistic, gain)
    np.testing.assert_allclose(test.p_value, chi2.sf(gain, 1))
    assert str(test).startswith("likelihood ratio test of 1 restriction: chi-squared")


def test_likelihood_ratio_refuses_what_is_not_nested(fit, lines):
    X, y = lines
    with pytest.raises(ValueError, match=r"bootstrap_lrt"):
        likelihood_ratio_test(MoERegressor(1).fit(X, y), fit)
    with pytest.raises(ValueError, match="same rows"):
        likelihood_ratio_test(MoERegressor(2, n_init=1, random_state=0).fit(X[:99], y[:99]), fit)
    with pytest.raises(ValueError, match="must have more of them"):
        likelihood_ratio_test(fit, fit)


def test_likelihood_ratio_refuses_penalties_with_zeros(fit, lines):
    sparse = MoERegressor(2, expert=GaussianExpert(penalty=Lasso(0.1)), n_init=1, random_state=0)
    with pytest.raises(ValueError, match="restricted has a penalty that sets slopes to zero"):
        likelihood_ratio_test(sparse.fit(*lines), fit)


# ------------------------------------------------------------------------- intervals


def test_intervals_of_another_level(found):
    np.testing.assert_allclose(found.conf_int(), found.table[["low", "high"]])
    wide, narrow = found.conf_int(0.99), found.conf_int(0.5)
    assert ((wide["low"] < narrow["low"]) & (narrow["high"] < wide["high"])).all()
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        found.conf_int(1.0)


def test_intervals_of_a_bootstrap_are_quantiles_of_its_draws(fit, lines):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = inference(fit, *lines, kind="bootstrap", n_bootstrap=20, random_state=0)
    expected = np.quantile(found.draws, [0.25, 0.75], axis=0).T
    np.testing.assert_allclose(found.conf_int(0.5), expected)
