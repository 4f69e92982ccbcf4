"""Which rows go to which expert: the highest ranked, or as many as an expert may take."""

from .capacity import balanced_assignment, deal, greedy_assignment, room
from .top_k import check_top_k, routed_blend, top_k_weights

__all__ = [
    "balanced_assignment",
    "check_top_k",
    "deal",
    "greedy_assignment",
    "room",
    "routed_blend",
    "top_k_weights",
]
