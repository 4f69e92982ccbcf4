"""SQUAREM: the extrapolation, ascent, and what it saves."""

import numpy as np
import pytest

from moe_classic.experts import EXPERTS, LinearExpert
from moe_classic.solvers import EM, SQUAREM
from moe_classic.solvers._ascent import MonotoneAscent
from moe_classic.solvers._base import Limits
from moe_classic.solvers._paths import look, walk
from moe_classic.solvers._squarem import _extrapolate, _left

from .problems import beside, drawn


def two_steps(problem, start):
    first = look(problem, start)
    ascent = MonotoneAscent(problem, first, Limits(10, 0.0))
    return first, walk(problem, ascent.step(first))


def test_shortest_extrapolation_is_two_steps_of_em():
    problem, start = drawn(n=100, apart=0.7)
    first, second = two_steps(problem, start)
    proposal, length, _ = _extrapolate(problem, first, second, 1.0)
    third = second.ahead()
    assert length > 1.0
    np.testing.assert_array_equal(problem.model.pack(proposal), problem.model.pack(third))


def test_extrapolation_follows_the_formula():
    problem, start = drawn(n=100, apart=0.7)
    first, second = two_steps(problem, start)
    third = second.ahead()
    t0, t1, t2 = (problem.model.pack(p) for p in (first.params, second.params, third))
    r, v = t1 - t0, (t2 - t1) - (t1 - t0)
    a = np.linalg.norm(r) / np.linalg.norm(v)
    proposal, length, cautious = _extrapolate(problem, first, second, 1e9)
    assert length == pytest.approx(a, rel=1e-12)
    assert cautious == pytest.approx(r @ r / abs(r @ v), rel=1e-12)
    expected = t0 + 2.0 * a * r + a**2 * v
    np.testing.assert_allclose(problem.model.pack(proposal), expected, rtol=1e-12)


def test_gain_left_is_exact_for_a_single_direction():
    # Steps shrink by 0.9, gains by 0.81: after a gain of 1 what follows is 0.81 + 0.81^2 + ...
    assert _left(1.0, 1.0 / (1.0 - 0.9)) == pytest.approx(0.81 / 0.19, rel=1e-12)
    assert _left(1.0, 0.5) == pytest.approx(0.01)


@pytest.mark.parametrize("gate", ["constant", "gaussian", "softmax", "tree"])
@pytest.mark.parametrize(
    "expert", [n for n, cls in EXPERTS.items() if issubclass(cls, LinearExpert)]
)
def test_trace_never_falls(expert, gate):
    problem, start = drawn(expert, gate, n=80, n_experts=3)
    result = SQUAREM().run(problem, start, max_iter=30, tol=1e-8)
    assert (np.diff(result.trace) >= 0.0).all()
    assert problem.value(result.params) == pytest.approx(result.objective, rel=1e-11)


def test_squarem_takes_a_fraction_of_the_passes_of_em_where_experts_overlap():
    problem, near = drawn("logistic", "constant", n=150, apart=1.5, seed=1)
    start = beside(problem, near)
    plain = EM(finish=None).run(problem, start, max_iter=5000, tol=1e-10)
    fast = SQUAREM().run(problem, start, max_iter=5000, tol=1e-6)
    assert fast.converged
    assert fast.objective == pytest.approx(plain.objective, abs=1e-6)
    assert fast.n_iter < 0.5 * plain.n_iter


def test_squarem_keeps_to_the_cap():
    problem, start = drawn(n=200, apart=0.7, seed=1)
    for cap in (1, 2, 3, 4, 5):
        result = SQUAREM().run(problem, start, max_iter=cap, tol=1e-12)
        assert result.n_iter == cap
        assert not result.converged
