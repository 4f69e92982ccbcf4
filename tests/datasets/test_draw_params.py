"""Random parameters lie as far apart as asked."""

import numpy as np
import pytest

from moe_classic.datasets import _draw_params, make_moe


@pytest.mark.parametrize("sharpness", [1.0, 6.0])
def test_gaussian_gate_has_the_asked_log_odds_at_the_nearest_centres(sharpness):
    options = {"n_experts": 3, "n_features": 2, "gate": "gaussian", "random_state": 0}
    _, _, truth = make_moe(5, sharpness=sharpness, return_params=True, **options)
    means = truth.gate_.means_
    squares = np.square(means[:, None] - means).sum(axis=2) + 9.0 * np.eye(3)
    variances = np.linalg.eigvalsh(truth.gate_.covariances_)
    # |c1 - c2|^2 / (2 s^2) = sharpness at the largest variance, at most four times as much
    odds = squares.min() / (2.0 * variances)
    assert odds.min() >= sharpness
    assert odds.max() <= 4.0 * sharpness * (1 + 1e-9)


@pytest.mark.parametrize("sharpness", [1.0, 6.0])
def test_softmax_gate_has_the_asked_log_odds_at_the_nearest_centres(sharpness):
    _, _, truth = make_moe(5, sharpness=sharpness, random_state=0, return_params=True)
    slope, intercept = truth.gate_.coef_[0, 0], truth.gate_.intercept_[0]
    # Log odds slope * x + intercept = pull ((c1 - c2) x - (c1^2 - c2^2) / 2): centres are +-1/2
    # about the border; 400 pilot rows place them to some .05.
    assert -intercept / slope == pytest.approx(0.0, abs=0.15)
    assert abs(slope) * 0.5 == pytest.approx(sharpness, rel=0.15)


@pytest.mark.parametrize("K", [1, 2, 5])
def test_distance_is_the_root_mean_square_over_pairs(rng, K):
    eta = rng.standard_normal((K, 2, 50))
    if K == 1:
        expected = np.sqrt(2.0 * np.square(eta).mean())
    else:
        pairs = (eta[:, None] - eta)[np.triu_indices(K, 1)]
        expected = np.sqrt(np.square(pairs).mean())
    # rounding
    assert _draw_params._distance(eta) == pytest.approx(expected, rel=1e-12)
