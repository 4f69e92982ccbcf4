"""How many experts, of which family, under which gate.

Likelihoods of mixtures with K and K + 1 experts do not differ by a chi-squared variable: under the
smaller model the parameters of the larger one are not identified. So models are compared by
information criteria or by the log score of held-out rows (:func:`select`), and tested against each
other by simulation (:func:`bootstrap_lrt`). Which slopes an expert and the gate need is seen along
a path of penalties (:func:`path`), and which come in again and again when halves of the rows are
drawn (:func:`stability_selection`).
"""

from ._adaptive import adaptive_weights
from ._likelihood_ratio import LikelihoodRatioTest, bootstrap_lrt
from ._regularization import RegularizationPath, path
from ._select import Selection, select
from ._stability import StabilitySelection, stability_selection

__all__ = [
    "LikelihoodRatioTest",
    "RegularizationPath",
    "Selection",
    "StabilitySelection",
    "adaptive_weights",
    "bootstrap_lrt",
    "path",
    "select",
    "stability_selection",
]
