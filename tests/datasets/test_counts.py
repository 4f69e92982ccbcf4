"""Counts of patients: columns, and mean and variance by cause as they are said to be."""

import numpy as np
import pytest
from scipy.special import expit

from moe_classic.datasets import make_counts


def means(X, slope=-0.3):
    """Mean counts of patients whose rates are not changed."""
    return X.Weeks * np.exp(-0.1 + 0.4 * X.Severity + slope * X.Dose)


def test_columns_and_ranges():
    X, y = make_counts(2000, random_state=0)
    assert list(X) == ["Weeks", "Age", "Severity", "Dose"]
    assert (y.name, len(y)) == ("Seizures", 2000)
    assert X.Weeks.between(4, 16).all()
    assert X.Age.between(18, 75).all()
    assert set(X.Dose) == {0.0, 1.0, 2.0, 3.0}
    assert X.Severity.mean() == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(("cause", "spread"), [("none", 0.0), ("spread", 0.6)])
def test_variance_is_that_of_the_law(cause, spread):
    X, y = make_counts(200_000, cause=cause, random_state=1)
    mu = means(X)
    assert y.sum() == pytest.approx(mu.sum(), rel=0.01)
    # Pearson's statistic, an average of 1 under the right variance.
    assert ((y - mu) ** 2 / (mu + spread * mu**2)).mean() == pytest.approx(1.0, abs=0.03)


def test_zeros_are_those_of_the_cured():
    X, y = make_counts(200_000, cause="zeros", random_state=2)
    cured = expit(-1.0 + 0.05 * (45.0 - X.Age))
    zeros = cured + (1.0 - cured) * np.exp(-means(X))
    young = X.Age < 40
    for rows in (young, ~young):
        assert (y[rows] == 0).mean() == pytest.approx(zeros[rows].mean(), abs=0.006)
        expected = ((1.0 - cured) * means(X))[rows]
        assert y[rows].mean() == pytest.approx(expected.mean(), rel=0.02)


def test_kinds_answer_to_the_dose_each_in_its_way():
    X, y = make_counts(200_000, cause="kinds", random_state=3)
    helped = expit(0.07 * (45.0 - X.Age))
    mu = helped * means(X, -1.1) + (1.0 - helped) * means(X, 0.0)
    for dose in range(4):
        rows = (X.Dose == dose) & (X.Age < 40)
        assert y[rows].mean() == pytest.approx(mu[rows].mean(), rel=0.03)


def test_seeds_decide():
    (X, y), (same, again), (_, other) = (make_counts(50, random_state=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(X, same)
    np.testing.assert_array_equal(y, again)
    assert (y != other).any()


@pytest.mark.parametrize("options", [{"n_samples": 0}, {"cause": "fish"}, {"cause": None}])
def test_impossible_arguments_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make_counts(**options)
