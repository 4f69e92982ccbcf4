"""Penalties on slopes: what is subtracted from a log-likelihood.

::

    ridge           alpha / 2 sum b^2                        Ridge
    lasso           alpha sum w |b|                          Lasso
    elastic net     alpha (r sum w |b| + (1 - r) / 2 sum b^2)   ElasticNet
    group lasso     alpha sum_j w_j sqrt(size) |b_j|         GroupLasso

per unit of sample weight, of slopes in standardised units. Slopes of softmax gates and multinomial
experts are squared about their mean over classes and have absolute values about their median, so
that no class is special. Intercepts, scales and offsets are free.

A description (``Lasso(0.1)``) is bound to the weight of the rows; what is bound works on
coefficients (..., M, q) whose last column, the intercept, is free.
"""

from ._centred import CentredRidge as CentredRidge
from ._centred import centring as centring
from ._centred import coupling as coupling
from ._penalty import Bound as Bound
from ._penalty import ElasticNet, GroupLasso, Lasso, Penalty, Ridge
from ._penalty import Support as Support
from ._penalty import check_penalty as check_penalty
from ._pooled import PooledRidge as PooledRidge
from ._sparse import SparseSlopes as SparseSlopes
from ._sparse import centred_slopes as centred_slopes
from ._squares import SquaredSlopes as SquaredSlopes

__all__ = [
    "ElasticNet",
    "GroupLasso",
    "Lasso",
    "Penalty",
    "Ridge",
]
