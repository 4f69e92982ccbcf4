"""Fuzz the estimators by hand.

::

    python -m tests.fuzz --seconds 600      # as many cases as there is time for
    python -m tests.fuzz --cases 10000      # so many
    python -m tests.fuzz --case 1234        # one of them again, with its traceback

There are two series, the second from 100000 on: ``--first 0`` alternates them, ``--first 100000``
runs the second alone.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import sys
import time
import traceback

from .checks import FoundError, check
from .series import draw, numbers


def main() -> int:
    """Run cases; 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=None, help="stop after so long")
    parser.add_argument("--cases", type=int, default=None, help="stop after so many cases")
    parser.add_argument("--case", type=int, default=None, help="run this case alone")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--slow", type=float, default=20.0, help="CPU seconds a case may take")
    options = parser.parse_args()
    if options.case is not None:
        return _again(options.case)
    limit = 60.0 if options.seconds is None and options.cases is None else options.seconds
    return _many(options.first, options.cases, limit, options.slow)


def _again(number: int) -> int:
    """One case, with everything that is known of it."""
    case = draw(number)
    print(case)
    try:
        print(check(case))
    except FoundError:
        traceback.print_exc()
        return 1
    return 0


def _many(first: int, cases: int | None, seconds: float | None, slow: float) -> int:
    """Case after case; a line for each finding, and one at the end."""
    begun, last, ends = time.monotonic(), first, collections.Counter()
    for number in itertools.islice(numbers(first), cases):
        if seconds is not None and time.monotonic() - begun >= seconds:
            break
        case, at = draw(number), time.process_time()
        try:
            ends[check(case)] += 1
            if time.process_time() - at > slow:
                raise FoundError(f"took {time.process_time() - at:.0f} CPU seconds")
        except FoundError as finding:
            ends["found"] += 1
            print(f"{case}\n    {finding}", flush=True)
        last = number
    print(f"cases {first} to {last}: " + ", ".join(f"{v} {k}" for k, v in ends.items()))
    return int(ends["found"] > 0)


if __name__ == "__main__":
    sys.exit(main())
