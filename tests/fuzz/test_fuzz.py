"""A fixed part of the cases; ``python -m tests.fuzz`` runs as many as there is time for."""

from functools import cache

import pytest

from .checks import check
from .series import SECOND, draw

#: Cases that were found and cured.
CURED = [
    *[101242, 101269, 102149, 102235, 102275, 110351, 110653, 111377, 111501, 111690, 111767],
    *[113077, 113766, 115346, 115973, 115979, 116374, 120681],
]
    101242,
    101269,
    102149,
    102235,
    102275,
    110351,
    110653,
    111377,
    111690,
    111767,
    113077,
    113766,
]


@cache
def end(number):
    """How a case ended; each is run once, whoever asks."""
    return check(draw(number))


@pytest.mark.parametrize("number", [*range(60), *range(SECOND, SECOND + 60), *CURED])
def test_case(number):
    case = draw(number)
    try:
        end(number)
    except AssertionError as finding:
        again = f"python -m tests.fuzz --case {number}"
        raise AssertionError(f"{case}: {finding}; {again}") from finding


def test_a_number_is_a_case():
    a, b = draw(7), draw(7)
    assert str(a) == str(b)
    assert a.X.tobytes() == b.X.tobytes()


def test_most_cases_are_fitted_and_some_are_refused():
    ends = [end(number) for number in range(40)]
    assert ends.count("fitted") > 20
    assert "refused" in ends
