"""Standard errors after a choice of features are not what they seem: they are refused."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.penalties import Lasso


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
