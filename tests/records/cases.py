"""All recorded cases: each is registered where its module is read."""

from . import answers, blends, flat, trees
from .registry import CASES

__all__ = ["CASES", "answers", "blends", "flat", "trees"]
