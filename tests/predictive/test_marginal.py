"""Mixtures of a target that is a share of trials, against all of its values."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, gammaln

from moe_classic import MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import TARGETS, GLMExpert

VALUES = np.arange(11) / 10.0


class BinomialExpert(GLMExpert):
    """Shares of a fixed number of trials, with the logit as link."""

    name = "binomial"
    target = "proportion"
    link = "logit"

    def __init__(self, *, trials=10, lattice=True, features=None, alpha=1e-4):
        super().__init__(features=features, alpha=alpha)
        self.trials = trials
        self.lattice = lattice

    @property
    def kind(self):
        known = TARGETS["proportion"]
        return replace(known, step=1.0 / self.trials) if self.lattice else known

    def link_of(self, mean):
        return np.log(mean) - np.log1p(-mean)

    def log_density(self, eta, y):
        m, k = self.trials, np.rint(self.trials * y)
        choices = gammaln(m + 1.0) - gammaln(k + 1.0) - gammaln(m - k + 1.0)
        return choices + k * eta - m * np.logaddexp(0.0, eta)

    def slopes(self, eta, y):
        p = expit(eta)
        return self.trials * (y - p), -self.trials * p * (1.0 - p)

    def cdf_at(self, params, eta, y):
        return stats.binom.cdf(np.floor(self.trials * y + 1e-9), self.trials, expit(eta))


class LooseBinomialExpert(BinomialExpert):
    """The same, whose values are not told to lie on a lattice."""

    def cdf_at(self, params, eta, y):
        return stats.binom.cdf(np.floor(self.trials * y), self.trials, expit(eta))

    def mean_at(self, params, eta):
        return expit(eta)

    def variance_at(self, params, eta):
        return expit(eta) * expit(-eta) / self.trials


@pytest.fixture(scope="module", params=[True, False], ids=["lattice", "any share"])
def fitted(request):
    cls = BinomialExpert if request.param else LooseBinomialExpert
    expert = cls(lattice=request.param)
    X, y = make_moe(400, n_experts=2, expert=expert, random_state=0, separation=4.0)
    assert set(np.rint(10 * y)) <= set(range(11))
    return MoERegressor(2, expert=expert, random_state=0).fit(X, y), X[:25], y[:25]


@pytest.fixture
def probabilities(fitted):
    """Probability of every share, (n, 11)."""
    moe, X, _ = fitted
    rows = np.repeat(X, 11, axis=0)
    return np.exp(moe.score_samples(rows, np.tile(VALUES, len(X)))).reshape(-1, 11)


def test_probabilities_sum_to_one_and_moments_are_theirs(fitted, probabilities):
    moe, X, _ = fitted
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    mean, std = moe.predict(X, return_std=True)
    np.testing.assert_allclose(mean, probabilities @ VALUES, rtol=1e-9)
    np.testing.assert_allclose(std**2, probabilities @ VALUES**2 - mean**2, rtol=1e-8)


@pytest.mark.parametrize("q", [0.01, 0.5, 0.77, 0.999])
def test_quantiles_are_attained(fitted, probabilities, q):
    moe, X, _ = fitted
    expected = VALUES[(probabilities.cumsum(axis=1) >= q).argmax(axis=1)]
    np.testing.assert_allclose(moe.predict_quantile(X, q), expected, rtol=1e-14)


def test_mode_is_the_likeliest_share(fitted, probabilities):
    moe, X, _ = fitted
    height = np.exp(moe.score_samples(X, moe.predict_mode(X)))
    np.testing.assert_allclose(height, probabilities.max(axis=1), rtol=1e-6)


def test_score_is_the_expectation_over_pairs(fitted, probabilities):
    moe, X, y = fitted
    if not moe.expert.lattice:
        with pytest.raises(TypeError, match="give them a `kind` with a `step`"):
            moe.crps(X, y)
        return
    pairs = np.abs(VALUES[:, None] - VALUES)
    spread = np.einsum("ni,ij,nj->n", probabilities, pairs, probabilities)
    expected = (probabilities * np.abs(VALUES - y[:, None])).sum(axis=1) - 0.5 * spread
    np.testing.assert_allclose(moe.crps(X, y), expected, rtol=1e-9)


def test_shares_of_another_number_of_trials_are_refused():
    with pytest.raises(ValueError, match="describes a proportion target"):
        MoERegressor(1, expert=BinomialExpert()).fit([[0.0], [1.0]], [0.1, 0.25])
