"""Array aliases used by the whole package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]
#: Column names of X, or None if it has none.
Names: TypeAlias = Sequence[str] | None
Anything: TypeAlias = Any
