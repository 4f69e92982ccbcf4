"""Which rows go to which expert: the highest ranked, or as many as an expert may take."""

from .capacity import balanced_assignment, capacity_of, greedy_assignment, random_partition
from .top_k import check_top_k, routed_blend, top_k_weights

__all__ = [
    "balanced_assignment",
    "capacity_of",
    "check_top_k",
    "greedy_assignment",
    "random_partition",
    "routed_blend",
    "top_k_weights",
]
