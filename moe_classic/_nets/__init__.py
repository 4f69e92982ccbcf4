"""Nets of layers with experts: forward, backward, training; no validation of data in it."""

from .activations import ACTIVATIONS
from .adam import Adam
from .buffers import Buffers, with_ones
from .experts import Experts
from .heads import Head
from .layers import Affine, Batch, SparseLayer
from .net import Net, Step
from .training import Data, Outcome, Schedule, Trainer
from .upcycling import net_of_copies

__all__ = [
    "ACTIVATIONS",
    "Adam",
    "Affine",
    "Batch",
    "Buffers",
    "Data",
    "Experts",
    "Head",
    "Net",
    "Outcome",
    "Schedule",
    "SparseLayer",
    "Step",
    "Trainer",
    "net_of_copies",
    "with_ones",
]
