"""All recorded cases: each is registered where its module is read."""

from . import answers, bayes, blends, flat, nets, penalised, trees
from .registry import CASES

__all__ = ["CASES", "answers", "bayes", "blends", "flat", "nets", "penalised", "trees"]
