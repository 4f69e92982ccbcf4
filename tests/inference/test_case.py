"""Rows of a fit, in blocks and with weights."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inference import inference
from moe_classic.penalties import Lasso

from .fits import errors, two_lines


def test_a_row_of_weight_two_is_two_rows(lines, rng):
    X, y = lines
    w = rng.integers(1, 3, len(y)).astype(float)
    rows = np.repeat(np.arange(len(y)), w.astype(int))
    estimator = MoERegressor(2, n_init=2, random_state=0, tol=1e-12)
    for kind in ("observed", "opg", "sandwich"):
        weighted = inference(estimator.fit(X, y, w), X, y, kind=kind, sample_weight=w)
        repeated = inference(estimator.fit(X[rows], y[rows]), X[rows], y[rows], kind=kind)
        np.testing.assert_allclose(errors(weighted), errors(repeated), rtol=1e-6)


def test_rows_of_weight_zero_do_not_count(pair):
    fit, X, y = pair
    w = np.r_[np.ones(len(y)), 0.0]
    more = inference(fit, np.vstack([X, [[9.0, 9.0]]]), np.r_[y, 50.0], sample_weight=w)
    np.testing.assert_allclose(errors(more), errors(inference(fit, X, y)), rtol=1e-12)


def test_blocks_do_not_matter(rng):
    X, y = two_lines(rng, n=9000)
    fit = MoERegressor(2, n_init=1, init="kmeans", random_state=0).fit(X, y)
    whole = inference(fit, X, y, kind="sandwich", clusters=np.arange(9000) // 3)
    order = rng.permutation(9000)
    mixed = inference(fit, X[order], y[order], kind="sandwich", clusters=order // 3)
    np.testing.assert_allclose(errors(whole), errors(mixed), rtol=1e-10)


# Standard errors after a choice of features are not what they seem.
@pytest.mark.parametrize(
    "parts",
    [{"expert": GaussianExpert(penalty=Lasso(0.1))}, {"gate": SoftmaxGate(penalty=Lasso(0.1))}],
)
def test_penalties_with_zeros_have_no_standard_errors(parts):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 2))
    moe = MoERegressor(2, n_init=1, random_state=0, **parts).fit(X, X[:, 0] + rng.normal(size=80))
    with pytest.raises(ValueError, match="take the choice of features as given"):
        moe.inference(X, X[:, 0])
