"""The order of the experts, and draws that keep it."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from moe_classic import MoERegressor
from moe_classic._model.labelling import check_order_by, match_experts
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.inference import inference, order_of

from .fits import fitted, two_lines


def test_experts_are_matched_by_their_responsibilities(rng):
    R = rng.dirichlet(np.full(4, 0.3), 100).T
    order = np.array([2, 0, 3, 1])
    noisy = R[order] * rng.uniform(0.8, 1.2, R.shape)
    noisy /= noisy.sum(axis=0)
    found = match_experts(R, noisy, np.ones(100))
    np.testing.assert_array_equal(order[found], np.arange(4))


def test_matching_heeds_the_weights():
    R = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.9]])
    other = np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]])
    np.testing.assert_array_equal(match_experts(R, other, np.array([9.0, 1.0, 1.0])), [0, 1])
    np.testing.assert_array_equal(match_experts(R, other, np.array([1.0, 9.0, 9.0])), [1, 0])


def test_draws_keep_their_labels_where_masses_are_equal(rng):
    X = rng.standard_normal((200, 1))
    side = np.arange(200) % 2
    y = np.where(side, 3.0, -3.0) * X[:, 0] + 0.5 * rng.standard_normal(200)
    fit = MoERegressor(2, gate="constant", n_init=2, random_state=0).fit(X, y)
    draws = inference(fit, X, y, kind="bootstrap", n_bootstrap=30, random_state=0).draws
    slopes = draws.xs("x0", axis=1, level="term")
    assert (np.sign(slopes) == np.sign(slopes.iloc[0])).all().all()


def test_experts_are_ordered_by_mass_or_by_a_term(rng):
    X, y = two_lines(rng)
    experts = MoERegressor(2, expert="student_t", n_init=2, random_state=0)
    experts = fitted(experts, X, y).experts_
    assert order_of(experts).tolist() == np.argsort([-e.weight_ for e in experts]).tolist()
    for term, values in {
        "x1": [e.coef_[1] for e in experts],
        "intercept": [e.intercept_ for e in experts],
        "scale": [e.scale_ for e in experts],
        "df": [e.df_ for e in experts],
    }.items():
        assert order_of(experts, term).tolist() == np.argsort(values, kind="stable").tolist()


def test_order_by_a_term_of_several_outputs_takes_its_number(lines):
    X, y = lines
    Y = np.column_stack([y, np.sin(5.0 * y) - 2.0 * y])
    fit = MoERegressor(2, n_init=2, random_state=0).fit(X, Y)
    first, second = order_of(fit.experts_, "x0"), order_of(fit.experts_, (1, "x0"))
    assert first.tolist() == order_of(fit.experts_, (0, "x0")).tolist() == second[::-1].tolist()
    with pytest.raises(ValueError, match="output number from 0 to 1"):
        order_of(fit.experts_, (2, "x0"))


def test_order_is_refused_by_a_term_that_experts_do_not_have(pair):
    fit, _, _ = pair
    with pytest.raises(ValueError, match="order_by='x7' is not a term of 'expert 1'"):
        order_of(fit.experts_, "x7")


@pytest.mark.parametrize("order_by", ["mass", "intercept", "x1", "scale", "df", (0, "x0")])
def test_order_that_can_be_followed_is_accepted(line, order_by):
    X, y = line
    fit = MoERegressor(1, expert=StudentTExpert(df=5.0)).fit(X, y)
    check_order_by(order_by, fit._fitted.model, fit._fitted.maps, 1)
    assert order_of(fit.experts_, order_by).tolist() == [0]


@pytest.mark.parametrize("order_by", ["weight", "df", (1, "x0"), ("x0",), None, 3])
def test_order_that_cannot_be_followed_is_refused_before_the_fit(line, order_by):
    X, y = line
    fit = MoERegressor(1).fit(X, y)
    with pytest.raises(ValueError, match="must be 'mass' or one of"):
        check_order_by(order_by, fit._fitted.model, fit._fitted.maps, 1)


def test_order_by_a_term_has_no_meaning_for_estimators(line):
    moe = MoERegressor(2, expert=LinearRegression(), order_by="intercept")
    with pytest.raises(ValueError, match="order_by='intercept' has no meaning for 'estimator'"):
        moe.fit(*line)


def test_order_has_no_meaning_where_it_is_given(lines):
    X, y = lines
    named = [("a", GaussianExpert()), ("b", GaussianExpert())]
    fit = MoERegressor(2, expert=named, n_init=1).fit(X, y)
    with pytest.raises(ValueError, match="list of unlike experts or by a tree"):
        check_order_by("x0", fit._fitted.model, fit._fitted.maps, 1)
