"""What gates and experts share."""

from .contract import Forward, check_alpha, pack_field, unpack_field
from .normal import normal_curvature, normal_scores
from .softmax import (
    EXPERT_LIMIT,
    GATE_LIMIT,
    ClassStats,
    LogitStats,
    assemble,
    block_rows,
    block_step,
    bohning_step,
    centring,
    curvature_rows,
    curvatures,
    moved_score,
    moved_score_blocks,
    newton_step,
    normalise,
)

__all__ = [
    "EXPERT_LIMIT",
    "GATE_LIMIT",
    "ClassStats",
    "Forward",
    "LogitStats",
    "assemble",
    "block_rows",
    "block_step",
    "bohning_step",
    "centring",
    "check_alpha",
    "curvature_rows",
    "curvatures",
    "moved_score",
    "moved_score_blocks",
    "newton_step",
    "normal_curvature",
    "normal_scores",
    "normalise",
    "pack_field",
    "unpack_field",
]
