"""Rows of one line and of two, and a fit of two experts."""

import pytest

from moe_classic import MoERegressor

from .fits import line_data, two_lines


@pytest.fixture
def line(rng):
    return line_data(rng)


@pytest.fixture
def lines(rng):
    return two_lines(rng)


@pytest.fixture
def pair(lines):
    """A fit of two experts, with its rows."""
    X, y = lines
    return MoERegressor(2, n_init=2, random_state=0, tol=1e-10).fit(X, y), X, y
