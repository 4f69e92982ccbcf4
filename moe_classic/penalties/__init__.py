"""Penalties on slopes: what is subtracted from a log-likelihood.

::

    ridge           pull / 2 sum |b|^2
    centred ridge   pull / 2 sum_c |b_c - mean b|^2,   b_last = 0

Hoerl & Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems,
Technometrics 12. Each works on coefficients (..., M, q) whose last column, the intercept, is free.
"""

from ._centred import CentredRidge
from ._centred import centring as centring
from ._centred import coupling as coupling
from ._ridge import Ridge

__all__ = [
    "CentredRidge",
    "Ridge",
]
