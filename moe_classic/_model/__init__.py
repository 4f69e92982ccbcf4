"""Gate times experts: the joint density, its gradient, its information, its labels."""

from .evidence import spurious
from .gradient import GradientStats, diagonal, likelihood_gradient
from .information import InformationStats, available, observed_information, row_scores, supported
from .labelling import check_order_by, match_experts, order_of
from .model import Group, Model, MoEParams, MoEStats, same_shapes

__all__ = [
    "GradientStats",
    "Group",
    "InformationStats",
    "MoEParams",
    "MoEStats",
    "Model",
    "available",
    "check_order_by",
    "diagonal",
    "likelihood_gradient",
    "match_experts",
    "observed_information",
    "order_of",
    "row_scores",
    "same_shapes",
    "spurious",
    "supported",
]
