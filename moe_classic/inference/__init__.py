"""Standard errors, intervals and tests for the parameters of a fitted mixture of experts.

::

    table   estimate, standard error, z = estimate / standard error, p, interval

Everything is computed for the unconstrained parameters of the standardised data and carried to the
user's scales by the delta method: coefficients follow linearly, scales, degrees of freedom,
proportions and correlations smoothly. Louis (1982), Finding the observed information matrix when
using the EM algorithm, Journal of the Royal Statistical Society B 44, equation 3.2'; White (1982),
Maximum likelihood estimation of misspecified models, Econometrica 50.
"""

from moe_classic._model import order_of
from moe_classic._results import PrintedTable

from ._case import check_simulable as check_simulable
from ._case import fitted_model as fitted_model
from ._case import simulate as simulate
from ._found import Inference
from ._hypotheses import HypothesisTest, likelihood_ratio_test
from ._inference import inference
from ._influence import Influence, influence

__all__ = [
    "HypothesisTest",
    "Inference",
    "Influence",
    "PrintedTable",
    "inference",
    "influence",
    "likelihood_ratio_test",
    "order_of",
]
