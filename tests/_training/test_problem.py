"""Problems made from rows alone: the likelihood that a fit climbs."""

import numpy as np
import pytest

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._training import em_problem
from moe_classic.datasets import make_moe
from moe_classic.experts import GaussianExpert, LogisticExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.solvers import EM


def test_one_expert_climbs_to_the_likelihood_of_a_fit():
    X, y = make_moe(80, n_features=2, random_state=0)
    problem, start = em_problem(X, y, 1, expert=GaussianExpert(), gate=SoftmaxGate())
    result = EM().run(problem, start, max_iter=50, tol=1e-10)
    fitted = MoERegressor(1, n_init=1).fit(X, y)
    # The density of y / s is s times that of y.
    assert result.objective / 80 - np.log(y.std()) == pytest.approx(
        fitted.log_likelihood_ / 80, rel=1e-7
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_classes_are_taken_as_codes_and_blocks_do_not_matter(n_jobs):
    X, y = make_moe(80, expert="logistic", n_features=2, random_state=0)
    expert, gate = LogisticExpert(alpha=0.0), SoftmaxGate()
    problem, start = em_problem(X, y, 1, expert=expert, gate=gate, n_jobs=n_jobs, block_size=16)
    result = EM().run(problem, start, max_iter=100, tol=1e-10)
    fitted = MoEClassifier(1, expert=expert, n_init=1).fit(X, y)
    assert result.objective == pytest.approx(fitted.log_likelihood_, rel=1e-6)
