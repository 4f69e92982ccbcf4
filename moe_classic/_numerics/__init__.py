"""Arrays: small dense systems, log-sum-exp, products in pieces, work memory."""

from .gammas import gamma_functions, log_factorial
from .linalg import (
    choose,
    exp_into,
    floored_cholesky,
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
    "floored_cholesky",
    "frame",
    "gamma_functions",
    "log_factorial",
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
