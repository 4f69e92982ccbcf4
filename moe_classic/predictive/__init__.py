"""The predictive distribution at x: a mixture of the experts' densities, weighted by the gate.

::

    p(y | x) = sum_k g_k(x) p_k(y | x)

Means, variances and distribution functions are sums over experts; quantiles are roots of the
distribution function, bracketed by the experts' own quantiles; modes are fixed points of the
expectation-maximisation map for y.
"""

from moe_classic._components import Noise as Noise
from moe_classic._numerics import choose as choose

from ._crps import FAMILIES as FAMILIES
from ._crps import mixture_crps as mixture_crps
from ._crps import predictive_crps as predictive_crps
from ._mixture import Predictive
from ._observed import predictive_of as predictive_of
from ._top_k import TopExperts as TopExperts

__all__ = [
    "Predictive",
]
