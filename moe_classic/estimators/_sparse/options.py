"""Arguments that all nets share, checked before any work."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import check_integer, check_real, check_switch

_AUTO = "must be 'auto' or"


def check_training(owner: Any) -> None:
    """Raise unless the arguments about training make sense.

    Parameters
    ----------
    owner : estimator

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its value and what is allowed.
    """
    check_integer("n_experts", owner.n_experts, 1, "the number of experts of a layer")
    check_integer("max_iter", owner.max_iter, 1, "the largest number of epochs")
    check_integer("patience", owner.patience, 1, "epochs without a gain that end a fit")
    check_real("tol", owner.tol, 0.0, "gain per unit of weight that counts")
    check_real("weight_decay", owner.weight_decay, 0.0, "0 for none")
    _check_share("dropout", owner.dropout)
    _check_share("validation_fraction", owner.validation_fraction)
    _check_auto_real("learning_rate", owner.learning_rate)
    if not isinstance(owner.batch_size, str) or owner.batch_size != "auto":
        _check_auto("batch_size", owner.batch_size)
        check_integer("batch_size", owner.batch_size, 1, "rows a batch, or 'auto'")
    verbose = int(owner.verbose) if isinstance(owner.verbose, bool) else owner.verbose
    check_integer("verbose", verbose, 0, "0 is silent")
    check_switch(owner, "warm_start")
    if owner.dtype is not None and not _is_float(owner.dtype):
        raise ValueError(
            f"dtype={owner.dtype!r} must be None (that of X), numpy.float32 or numpy.float64."
        )


def _is_float(dtype: Any) -> bool:
    """Whether something names one of the two types of numbers."""
    try:
        return np.dtype(dtype) in (np.dtype(np.float32), np.dtype(np.float64))
    except TypeError:
        return False


def _check_share(name: str, value: Any) -> None:
    """Raise unless a number lies in [0, 1)."""
    number = check_real(name, value, 0.0, "a share in [0, 1)")
    if number >= 1.0:
        raise ValueError(f"{name}={value!r} must lie in [0, 1): it is a share, and less than all.")


def _check_auto(name: str, value: Any) -> None:
    """Raise for strings other than "auto"."""
    if isinstance(value, str):
        raise ValueError(f"{name}={value!r} {_AUTO} a number.")


def _check_auto_real(name: str, value: Any) -> None:
    """Raise unless a value is "auto" or a number above 0."""
    if isinstance(value, str) and value == "auto":
        return
    _check_auto(name, value)
    if check_real(name, value, 0.0, "a step length, or 'auto'") == 0.0:
        raise ValueError(f"{name}={value!r} {_AUTO} a number > 0: nothing would be learned.")


def batch_rows(batch_size: Any, n: int, n_experts: int, choices: float) -> int:
    """Rows a batch: by itself 64 rows an expert, at least 256, at most a sixteenth of all."""
    if not isinstance(batch_size, str):
        return int(min(batch_size, n))
    wanted = max(256, int(64 * n_experts / max(choices, 1.0)))
    return int(max(min(wanted, n // 16), min(16, n)))


def step_length(learning_rate: Any, batch: int) -> float:
    """Learning rate: by itself .008 for 256 rows, growing as the root of the batch."""
    if not isinstance(learning_rate, str):
        return float(learning_rate)
    return 0.008 * float(np.sqrt(batch / 256.0))
