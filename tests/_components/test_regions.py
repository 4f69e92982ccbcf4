"""Regions on which random gates are laid out."""

import numpy as np
import pytest

from moe_classic._components.regions import Regions
from moe_classic._data.stats import Summary
from moe_classic.gates import GaussianGate


def regions(points, K, rng):
    """Regions of K equal experts."""
    return Regions(points, np.full(K, 1.0 / K), 5.0, rng)


def test_centres_lie_apart_and_their_gap_is_the_smallest_squared_distance(rng):
    centres, gap = regions(rng.uniform(-1, 1, (800, 2)), 4, rng).layout
    squares = np.square(centres[:, None] - centres).sum(axis=2)
    assert gap == squares[squares > 0].min()
    # Four equal regions of a square of side 2 have centres about 1 apart.
    assert gap == pytest.approx(1.0, abs=0.25)


def test_centres_of_one_expert_or_no_features_have_no_gap(rng):
    assert regions(np.ones((5, 2)), 1, rng).layout[1] == np.inf
    assert regions(np.empty((5, 0)), 3, rng).centres.shape == (3, 0)


def test_centres_need_as_many_values_as_experts(rng):
    points = np.repeat([[0.0], [1.0]], 10, axis=0)
    with pytest.raises(ValueError, match="n_experts=3 regions cannot be told apart"):
        regions(points, 3, rng).layout  # noqa: B018 - computed when first asked for


def test_covariances_have_eigenvalues_between_a_quarter_of_the_size_and_the_size(rng):
    gate = GaussianGate()
    start = gate.start(5, 4, Summary(1.0, np.zeros(1), np.ones(1)))
    laid = regions(rng.uniform(-1, 1, (500, 3)), 5, rng)
    chol = gate.draw(start, laid).chol / laid.size
    values = np.linalg.eigvalsh(chol @ chol.transpose(0, 2, 1))
    # rounding
    assert values.min() >= 0.25 - 1e-12
    assert values.max() <= 1.0 + 1e-12
