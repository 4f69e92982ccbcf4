"""Paths that race: one that cannot come out on top any more ends where it is.

Maron & Moore (1994), Hoeffding races, NIPS 6, race models; here it is starts of one model that do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from moe_classic._model import MoEParams

from ._base import OUTDONE, Result
from ._paths import Path, Survey

#: Passes over which a gain is measured, and how many times as much a path may still gain: an
#: ascent that converges at a rate of .98 has five times the gain of its last ten passes ahead.
_PASSES, _MOST = 10, 5.0


@dataclass
class Race:
    """Paths that climb the same objective, of which only the highest counts.

    Parameters
    ----------
    sound : callable
        Whether parameters at which a path ended are those of a winner.
    margin : float
        Nats by which one end has to be above another to be worth the way.
    top : float
        No path gets above this height.
    on_the_way : bool
        Whether every end is sound, so that heights count before a path has ended.
    heights : list of float
        Heights to beat: those given, and that of each path as far as it counts.
    """

    sound: Callable[[MoEParams], bool]
    margin: float = 0.0
    top: float = np.inf
    on_the_way: bool = False
    heights: list[float] = field(default_factory=list)

    def watched(self, path: Path[Result]) -> Path[Result]:
        """The same path, which ends once another is out of its reach."""
        number = len(self.heights)
        self.heights.append(-np.inf)
        seen, answer = None, None
        while True:
            try:
                asked = path.send(answer)
            except StopIteration as end:
                return self._ended(number, end.value)
            answer = yield asked
            params = asked.params if isinstance(asked, Survey) else asked
            seen = _Seen(params) if seen is None else seen
            seen.note(params, float(answer.value))
            if self.on_the_way:
                self.heights[number] = seen.value
            if self._outdone(number, seen):
                path.close()
                return seen.result()

    def _ended(self, number: int, result: Result) -> Result:
        """Take note of an end."""
        self.heights[number] = result.objective if self.sound(result.params) else -np.inf
        return result

    def _outdone(self, number: int, seen: _Seen) -> bool:
        """Whether a path is below another, and will not be above it by as much as counts."""
        others = self.heights[:number] + self.heights[number + 1 :]
        highest = max(others, default=-np.inf)
        reach = min(seen.value + seen.ahead, self.top)
        return seen.value < highest and reach < highest + self.margin


class _Seen:
    """The heights that a path has come to, and the parameters at the last of them."""

    def __init__(self, params: MoEParams) -> None:
        self.trace: list[float] = []
        self.passes, self.params = 0, params
        self._last: deque[float] = deque(maxlen=_PASSES + 1)

    @property
    def value(self) -> float:
        """The height that was reached."""
        return self.trace[-1] if self.trace else -np.inf

    @property
    def ahead(self) -> float:
        """What may still be to gain, in nats."""
        full = len(self._last) > _PASSES
        return _MOST * (self._last[-1] - self._last[0]) if full else np.inf

    def note(self, params: MoEParams, value: float) -> None:
        """The objective at ``params`` has come out as ``value``."""
        self.passes += 1
        if value > self.value:
            self.params = params
            self.trace.append(value)
        self._last.append(self.value)

    def result(self) -> Result:
        """What the path has led to."""
        return Result(
            self.params,
            self.value,
            self.trace,
            self.passes,
            converged=False,
            gain_left=self.ahead,
            message=OUTDONE,
        )
