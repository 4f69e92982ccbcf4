"""Numbers of cases, in two series: what a number meant when it was found, it means for ever."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from . import cases, wider
from .cases import Case

#: First number of the second series.
SECOND = 100_000


def draw(number: int) -> Case:
    """The case of a number; the same on every machine with the same NumPy."""
    return wider.draw(number) if number >= SECOND else cases.draw(number)


def numbers(first: int) -> Iterator[int]:
    """``first`` and all after it; of the first series, each with one of the second after it."""
    for number in itertools.count(first):
        yield number
        if first < SECOND:
            yield SECOND + number
