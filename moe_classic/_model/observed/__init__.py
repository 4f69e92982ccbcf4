"""The likelihood of what was observed, where features are missing at random."""

from .laws import Ahead
from .model import ObservedModel
from .scores import observed_information, row_scores

__all__ = ["Ahead", "ObservedModel", "observed_information", "row_scores"]
