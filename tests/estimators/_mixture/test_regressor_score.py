"""Scores: R^2, and D^2 of the deviance where scikit-learn's generalised linear models have it."""

import numpy as np
import pytest
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from sklearn.metrics import d2_tweedie_score, r2_score

from moe_classic import HierarchicalMoERegressor, MoERegressor
from moe_classic.experts import GammaExpert, InverseGaussianExpert, PoissonExpert


def positive(rng):
    """Features, and positive numbers whose logarithm is linear."""
    x = rng.uniform(-1.0, 1.0, (300, 2))
    return x, np.exp(0.5 + x[:, 0]) * rng.gamma(4.0, 0.25, 300)


SAME = [
    (PoissonExpert, PoissonRegressor(alpha=0.0, tol=1e-10, max_iter=1000), 1),
    (GammaExpert, GammaRegressor(alpha=0.0, tol=1e-10, max_iter=1000), 2),
    (InverseGaussianExpert, TweedieRegressor(power=3, alpha=0.0, tol=1e-10, max_iter=1000), 3),
]


@pytest.mark.parametrize(("expert", "glm", "power"), SAME)
def test_score_of_one_expert_is_that_of_scikit_learn(expert, glm, power, rng):
    X, y = positive(rng)
    y = np.rint(3.0 * y) if power == 1 else y
    w = rng.uniform(0.5, 2.0, 300)
    moe = MoERegressor(1, expert=expert(alpha=0.0), tol=1e-12).fit(X, y, sample_weight=w)
    glm.fit(X, y, sample_weight=w)
    assert moe.score(X, y, sample_weight=w) == pytest.approx(glm.score(X, y, w), abs=1e-7)
    assert moe.score(X, y) == pytest.approx(d2_tweedie_score(y, moe.predict(X), power=power))


def test_several_experts_of_one_family_are_scored_by_its_deviance(rng):
    X, y = positive(rng)
    for moe in (
        MoERegressor(2, expert="gamma", n_init=2, random_state=0),
        HierarchicalMoERegressor((2,), expert="gamma", n_init=2, random_state=0),
    ):
        moe.fit(X, y)
        assert moe.score(X, y) == pytest.approx(d2_tweedie_score(y, moe.predict(X), power=2))


@pytest.mark.parametrize(
    "expert", ["gaussian", "lognormal", [("a", "gamma"), ("b", "inverse_gaussian")]]
)
def test_other_experts_are_scored_by_squared_errors(expert, rng):
    X, y = positive(rng)
    K = 2 if isinstance(expert, list) else 1
    moe = MoERegressor(K, expert=expert, n_init=2, random_state=0).fit(X, y)
    assert moe.score(X, y) == pytest.approx(r2_score(y, moe.predict(X)))
