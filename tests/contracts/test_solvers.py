"""All solvers end at the same height from one start on data whose experts overlap."""

import pytest

from moe_classic.experts import EXPERTS, LinearExpert
from moe_classic.solvers import EM, LBFGS, SGD, SQUAREM, Adam, Newton

from ..solvers.problems import beside, drawn

SMOOTH = [n for n, cls in EXPERTS.items() if cls.smooth and issubclass(cls, LinearExpert)]
GATE_NAMES = ["constant", "gaussian", "softmax", "tree"]

#: Solver, passes, tolerance. Plain EM and gradient ascent converge linearly: their tolerance is
#: what they must leave at most, per row. Gradient ascent takes all rows a step: under the noise of
#: batches a height of 1e-6 nats would take steps of that order, and endless epochs.
SOLVERS = [
    (EM(), 500, 1e-6),
    (EM(finish=None), 5000, 1e-10),
    (SQUAREM(), 5000, 1e-8),
    (Newton(), 500, 1e-8),
    (LBFGS(), 1000, 1e-8),
    (Adam(batch_size=None, learning_rate=0.05), 4000, 1e-9),
    (SGD(batch_size=None, learning_rate=0.3, momentum=0.95), 4000, 1e-9),
]


#: Pairs compared: every expert under the softmax gate and every gate over experts of lines, classes
#: and counts. Experts and gates know nothing of each other: a solver hands both the same weights.
PAIRS = [(e, "softmax") for e in SMOOTH]
PAIRS += [
    (e, g) for e in ("gaussian", "multinomial", "poisson") for g in GATE_NAMES if g != "softmax"
]


@pytest.mark.parametrize(("expert", "gate"), PAIRS)
def test_solvers_end_within_a_millionth_of_a_nat_of_each_other(expert, gate):
    n_experts = 3 if gate == "tree" else 2
    usual = EXPERTS[expert].target in ("real", "class")
    # Counts and the like tell less about the hill, and exponentials are steeper than lines: steps
    # of a learning rate that suits all leave the hill.
    n = (600 if expert.startswith("skew") else 120) if usual else 300
    problem, near = drawn(expert, gate, n=n, apart=1.5, n_experts=n_experts, seed=1)
    start = beside(problem, near, step=0.15)
    heights = {}
    for solver, max_iter, tol in SOLVERS if usual else SOLVERS[:-2]:
        result = solver.run(problem, start, max_iter=max_iter, tol=tol)
        assert result.converged
        heights[repr(solver)] = result.objective
    assert max(heights.values()) - problem.value(start) > 0.05
    assert max(heights.values()) - min(heights.values()) < 1e-6, heights


@pytest.mark.parametrize(
    "expert", [n for n in SMOOTH if EXPERTS[n].target not in ("real", "class")]
)
def test_gradient_ascent_comes_back_to_the_optimum_of_steep_families(expert):
    problem, near = drawn(expert, "softmax", n=300, apart=1.5, seed=3)
    start = beside(problem, near, step=0.03)
    best = EM().run(problem, start, max_iter=500, tol=1e-6)
    for solver, max_iter, tol in SOLVERS[-2:]:
        slow = Adam(batch_size=None, learning_rate=0.01) if isinstance(solver, Adam) else solver
        result = slow.run(problem, start, max_iter=max_iter, tol=tol)
        assert result.converged
        # What they must leave is an estimate; from further off they may end on another hill.
        assert abs(best.objective - result.objective) < 2e-6


@pytest.mark.parametrize("expert", SMOOTH)
def test_default_fit_reaches_the_optimum_where_experts_overlap(expert):
    problem, start = drawn(expert, "softmax", n=200, apart=0.7, seed=2)
    result = EM().run(problem, start, max_iter=500, tol=1e-6)
    best = Newton().run(problem, result.params, max_iter=100, tol=1e-13)
    assert result.converged
    assert best.objective - result.objective < 1e-6
