"""Arrays: small dense systems, log-sum-exp, products in pieces, work memory."""

from .linalg import (
    choose,
    exp_into,
    log_sum_exp,
    matmul_by_rows,
    pack_symmetric,
    pieces,
    ring_of,
    ring_pairs,
    ring_products,
    softmax_in_place,
    solve_psd,
    sums_by_rows,
    unpack_symmetric,
    unring,
    weighted_products,
)
from .memory import empty, frame, workspace

__all__ = [
    "choose",
    "empty",
    "exp_into",
    "frame",
    "log_sum_exp",
    "matmul_by_rows",
    "pack_symmetric",
    "pieces",
    "ring_of",
    "ring_pairs",
    "ring_products",
    "softmax_in_place",
    "solve_psd",
    "sums_by_rows",
    "unpack_symmetric",
    "unring",
    "weighted_products",
    "workspace",
]
