"""Nets of layers with experts: forward, backward, training; no validation of data in it."""

from .activations import ACTIVATIONS
from .adam import Adam
from .buffers import Buffers, with_ones
from .experts import Experts
from .heads import Head
from .layers import Affine, Batch, SparseLayer
from .net import Net, Step
from .tokens import Features, Patches, check_tokens
from .training import Data, Outcome, Plan, Trainer
from .upcycling import net_of_copies

__all__ = [
    "ACTIVATIONS",
    "Adam",
    "Affine",
    "Batch",
    "Buffers",
    "Data",
    "Experts",
    "Features",
    "Head",
    "Net",
    "Outcome",
    "Patches",
    "Plan",
    "SparseLayer",
    "Step",
    "Trainer",
    "check_tokens",
    "net_of_copies",
    "with_ones",
]
