"""Array aliases used by the whole package, and methods that several classes have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]
#: Column names of X, or None if it has none.
Names: TypeAlias = Sequence[str] | None
Anything: TypeAlias = Any

F = TypeVar("F", bound=Callable[..., Any])


def same_as(function: F) -> Callable[[Callable[..., Any]], F]:
    """Decorate a method that is ``function``, which is written once for several classes.

    An assignment would do where it runs, but type checkers and editors know it for a variable then:
    they need not tell its type, and would not let a subclass have a method of its own.
    """
    return lambda _: function
