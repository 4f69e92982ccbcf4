"""Random parameters lie as far apart as asked."""

import numpy as np
import pytest

from moe_classic.datasets import _draw_params, make_moe


def test_centres_lie_apart_and_their_gap_is_the_smallest_squared_distance(rng):
    points = rng.uniform(-1, 1, (800, 2))
    centres, gap = _draw_params._centres(points, 4, rng)
    squares = np.square(centres[:, None] - centres).sum(axis=2)
    assert gap == squares[squares > 0].min()
    # Four equal regions of a square of side 2 have centres about 1 apart.
    assert gap == pytest.approx(1.0, abs=0.25)


def test_centres_of_one_expert_or_no_features_have_no_gap(rng):
    assert _draw_params._centres(np.ones((5, 2)), 1, rng)[1] == np.inf
    assert _draw_params._centres(np.empty((5, 0)), 3, rng)[0].shape == (3, 0)


def test_centres_need_as_many_values_as_experts(rng):
    points = np.repeat([[0.0], [1.0]], 10, axis=0)
    with pytest.raises(ValueError, match="n_experts=3 regions cannot be told apart"):
        _draw_params._centres(points, 3, rng)


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


def test_factors_have_eigenvalues_between_a_quarter_and_one(rng):
    chol = _draw_params._factors((5, 3, 3), rng, diagonal=False)
    values = np.linalg.eigvalsh(chol @ chol.transpose(0, 2, 1))
    # rounding
    assert values.min() >= 0.25 - 1e-12
    assert values.max() <= 1.0 + 1e-12


def test_correlated_factors_belong_to_correlation_matrices(rng):
    chol = _draw_params._correlated((6, 3, 3), rng)
    matrix = chol @ chol.transpose(0, 2, 1)
    np.testing.assert_allclose(np.einsum("kii->ki", matrix), 1.0, atol=1e-14)
    assert np.linalg.eigvalsh(matrix).min() > 0.01


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
