"""Gate times experts: the joint density, its gradient, its information, its labels."""

from .evidence import spurious
from .gradient import GradientStats, diagonal, likelihood_gradient
from .identified import (
    aliased_terms,
    constant_columns,
    n_identified,
    null_directions,
    null_of_theta,
)
from .information import InformationStats, available, supported
from .labelling import check_order_by, match_experts, order_of
from .model import (
    Group,
    Model,
    MoEParams,
    MoEStats,
    check_densities,
    check_said,
    same_shapes,
)
from .observed import Ahead, ObservedModel, observed_information, row_scores
from .recession import Separation
from .separation import in_doubt, separated_terms, separated_theta, separations
from .stacked import by_itself, penalties, stack, stackable, unstack

__all__ = [
    "Ahead",
    "GradientStats",
    "Group",
    "InformationStats",
    "MoEParams",
    "MoEStats",
    "Model",
    "ObservedModel",
    "Separation",
    "aliased_terms",
    "available",
    "by_itself",
    "check_densities",
    "check_order_by",
    "check_said",
    "constant_columns",
    "diagonal",
    "in_doubt",
    "likelihood_gradient",
    "match_experts",
    "n_identified",
    "null_directions",
    "null_of_theta",
    "observed_information",
    "order_of",
    "penalties",
    "row_scores",
    "same_shapes",
    "separated_terms",
    "separated_theta",
    "separations",
    "spurious",
    "stack",
    "stackable",
    "supported",
    "unstack",
]
