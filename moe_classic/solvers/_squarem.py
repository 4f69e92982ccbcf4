"""SQUAREM: squared extrapolation of EM.

::

    r = F(t) - t,   v = F(F(t)) - F(t) - r,   a = |r| / |v|,   t <- F(t + 2 a r + a^2 v)

with F one EM step in unconstrained coordinates. Near the optimum successive EM steps shrink along
the slowest direction by a constant factor; the extrapolation guesses where they lead. A proposal
that falls below what EM had reached is dropped for plain EM, so the trace never falls. It costs no
matrix and no derivative: for models whose information would be too large, or whose components are
not smooth. Varadhan & Roland (2008), Simple and globally convergent methods for accelerating the
convergence of any EM algorithm, Scandinavian Journal of Statistics 35, scheme S3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from moe_classic._model import MoEParams

from ._ascent import MonotoneAscent
from ._base import ENOUGH, Limits, Problem, Result, Solver
from ._paths import Path, Point, walk
from ._stopping import tight_tolerance

#: Factor by which the longest extrapolation grows when it was of use and shrinks when it was not.
_GROWTH = 4.0
#: Cycles in a row that must find next to nothing to gain, and cycles back whose rate counts: on a
#: plateau single cycles see fast directions only.
_QUIET_CYCLES = 3
_MEMORY = 5
#: Share of what may be left at which cycles count as quiet: estimates from few of them were seen to
#: miss by a factor of ten.
_CAUTION = 0.1


class SQUAREM(Solver):
    """EM with squared extrapolation: fewer passes where experts overlap, without a matrix.

    References
    ----------
    Varadhan & Roland (2008), Simple and globally convergent methods for accelerating the
    convergence of any EM algorithm, Scandinavian Journal of Statistics 35.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.solvers import SQUAREM
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, solver=SQUAREM(), random_state=0).fit(X, y)
    >>> round(moe.score(X, y), 2)
    0.36
    """

    name: ClassVar[str] = "squarem"
    requires: ClassVar[tuple[str, ...]] = ("additive", "pack")

    def climb(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """EM with extrapolation."""
        return walk(problem, squarem_path(problem, params, limits))


def squarem_path(
    problem: Problem,
    params: MoEParams,
    limits: Limits,
    leave: Callable[[MonotoneAscent], Path[bool]] | None = None,
) -> Path[Result]:
    """EM with extrapolation, until several cycles in a row find next to nothing to gain.

    ``leave`` is asked before every cycle whether there are faster ways.
    """
    longest, quiet = _GROWTH, 0
    lengths: deque[float] = deque(maxlen=_MEMORY)
    ascent = MonotoneAscent(problem, (yield params), limits)
    while not ascent.over:
        if leave is not None and (yield from leave(ascent)):
            break
        start = ascent.best
        point = yield from ascent.step(start)
        if point is None:
            break
        ascent.accept(point)
        proposal, length, slowest = _extrapolate(problem, start, point, longest)
        lengths.append(slowest)
        ascent.left = _left(point.value - start.value, max(lengths))
        little = max(
            _CAUTION * tight_tolerance(limits.enough, point.value), 1e-15 * abs(point.value)
        )
        quiet = quiet + 1 if ascent.left <= little else 0
        if quiet >= _QUIET_CYCLES:
            ascent.end(ENOUGH)
        if ascent.over or ascent.passes >= limits.max_iter:
            break
        ahead = yield from ascent.look(proposal)
        used = min(length, longest)
        if ascent.not_below(ahead, point):
            longest = longest * _GROWTH if used == longest else longest
            ascent.accept(ahead)
        else:
            longest = max(used / _GROWTH, 1.0)
    return ascent.result()


def _extrapolate(
    problem: Problem, start: Point, point: Point, longest: float
) -> tuple[MoEParams, float, float]:
    """Proposal beyond two EM steps, the length that S3 suggests, and the cautious one of S2."""
    model, summary = problem.model, problem.summary
    second = point.ahead()
    t0, t1, t2 = model.pack(start.params), model.pack(point.params), model.pack(second)
    r = t1 - t0
    v = t2 - t1 - r
    tiny = float(np.finfo(float).tiny)
    length = float(np.linalg.norm(r)) / max(float(np.linalg.norm(v)), tiny)
    slowest = float(r @ r) / max(abs(float(r @ v)), tiny)
    a = min(length, longest)
    proposal = second
    if a > 1.0:
        proposal = model.unpack(t0 + 2.0 * a * r + a**2 * v, point.params, summary)
    return proposal, length, slowest


def _left(gain: float, length: float) -> float:
    """What EM would still gain after a step that gained ``gain``.

    The length is 1 / (1 - rate) of the slowest direction, and gains shrink by the squared rate.
    """
    rate = max(1.0 - 1.0 / length, 0.0) if length > 0.0 else 0.0
    return max(gain * rate**2 / (1.0 - rate**2), 1e-2 * gain) if rate < 1.0 else np.inf
