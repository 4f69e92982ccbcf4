"""Experts around others: censored, truncated, zero-inflated; and a background beside them."""

from .censored import CensoredExpert
from .truncated import TruncatedExpert
from .uniform import UniformExpert
from .zero_inflated import ZeroInflatedExpert

__all__ = [
    "CensoredExpert",
    "TruncatedExpert",
    "UniformExpert",
    "ZeroInflatedExpert",
]
