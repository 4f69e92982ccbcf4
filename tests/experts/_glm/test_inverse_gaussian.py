"""The inverse Gaussian expert's draws, against limits of the distribution."""

from types import SimpleNamespace

import numpy as np
from scipy import stats

from moe_classic.experts import InverseGaussianExpert


def test_draws_keep_their_lower_tail_where_the_mean_is_far_above_it():
    """For a mean without end y is Levy distributed: 1 / (dispersion z^2)."""
    params = SimpleNamespace(dispersion=np.full((1, 1), 0.25))
    draws = InverseGaussianExpert().sample_at(
        params, np.full((1, 1, 4000), 60.0), np.random.default_rng(0)
    )
    assert stats.kstest(draws.ravel(), stats.levy(scale=4.0).cdf).pvalue > 0.01
