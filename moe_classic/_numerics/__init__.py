"""Arrays: small dense systems, log-sum-exp, products in pieces, work memory."""

from .atoms import atom_variance, indicator_variances
from .exact import least_absolute_change, least_squares_change
from .gammas import gamma_functions, log_factorial
from .linalg import (
    choose,
    exp_into,
    floored_cholesky,
    log_sum_exp,
    matmul_by_rows,
    pack_symmetric,
    pieces,
    ring_in,
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
from .robust import (
    ROUNDING,
    has_wild,
    noise_scale,
    tame_range,
    weighted_quantile,
    weighted_quantiles,
)

__all__ = [
    "ROUNDING",
    "atom_variance",
    "choose",
    "empty",
    "exp_into",
    "floored_cholesky",
    "frame",
    "gamma_functions",
    "has_wild",
    "indicator_variances",
    "least_absolute_change",
    "least_squares_change",
    "log_factorial",
    "log_sum_exp",
    "matmul_by_rows",
    "noise_scale",
    "pack_symmetric",
    "pieces",
    "ring_in",
    "ring_of",
    "ring_pairs",
    "ring_products",
    "softmax_in_place",
    "solve_psd",
    "sums_by_rows",
    "tame_range",
    "unpack_symmetric",
    "unring",
    "weighted_products",
    "weighted_quantile",
    "weighted_quantiles",
    "workspace",
]
