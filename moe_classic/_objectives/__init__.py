"""What is climbed: the likelihood, assignments, the error functions of competing experts."""

from .assignment import SHARES, Classified, Sampled, Tempered, reseed
from .errors import ERRORS, has_outputs
from .likelihood import Assigned, Mixture

__all__ = [
    "ERRORS",
    "SHARES",
    "Assigned",
    "Classified",
    "Mixture",
    "Sampled",
    "Tempered",
    "has_outputs",
    "reseed",
]
