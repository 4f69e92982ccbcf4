"""Lognormal experts whose means no number holds."""

import numpy as np

from moe_classic.experts import LognormalExpert
from moe_classic.experts._glm.joint import SpreadParams


def test_means_beyond_all_numbers_are_as_large_as_numbers_are():
    expert = LognormalExpert()
    params = SpreadParams(np.zeros((1, 1, 1)), np.array([[1e3]]))
    mean = expert.mean_at(params, np.zeros((1, 1, 2)))
    assert np.isfinite(mean).all()
    assert (mean > 1e307).all()
