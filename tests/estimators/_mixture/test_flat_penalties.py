"""Penalties shrink what they should."""

import numpy as np

from moe_classic.experts import GaussianExpert
from moe_classic.gates import ConstantGate, SoftmaxGate

from .models import regressor


def test_alpha_of_experts_shrinks_slopes_and_not_intercepts(real):
    X, y = real
    sizes, means = [], []
    for alpha in (0.0, 0.1, 1e6):
        model = regressor(1, expert=GaussianExpert(alpha=alpha)).fit(X, y + 10.0)
        sizes.append(np.abs(model.experts_[0].coef_).sum())
        means.append(model.predict(X).mean())
    assert sizes[0] > sizes[1] > sizes[2]
    # y has unit variance inside, so that slopes are about 1 / alpha
    assert sizes[2] < 1e-4
    np.testing.assert_allclose(means, (y + 10.0).mean(), rtol=1e-9)


def test_alpha_of_the_gate_flattens_it(real):
    X, y = real
    steep = []
    for alpha in (1e-6, 1e-2, 1e3):
        model = regressor(3, gate=SoftmaxGate(alpha=alpha), n_init=5).fit(X, y)
        slopes = model.gate_.coef_
        steep.append(np.square(slopes - slopes.mean(axis=0)).sum())
    assert steep[0] > steep[1] > steep[2]
    assert steep[2] < 1e-6


def test_constant_gate_ignores_the_features(real):
    X, y = real
    model = regressor(gate=ConstantGate()).fit(X, y)
    assert np.ptp(model.gate_proba(X), axis=0).max() == 0.0
