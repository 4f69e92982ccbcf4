"""Routers of sparse mixtures of experts: which rows go to which experts, by name or by class.

``ROUTERS`` maps names to functions that make a router for a number of experts; published systems
are settings of a few classes.
"""

from ._balanced import BalancedRouter
from ._base import Router, Rows
from ._dense import DenseRouter
from ._expert_choice import ExpertChoiceRouter
from ._hash import HashRouter
from ._noisy import NoisyTopKRouter
from ._plans import Pairs, Plan, Slots
from ._presets import ROUTERS, make_router
from ._reinforce import ReinforceRouter
from ._shared_or_experts import SharedOrExpertsRouter
from ._soft import SoftRouter
from ._top_k import TopKRouter

__all__ = [
    "ROUTERS",
    "BalancedRouter",
    "DenseRouter",
    "ExpertChoiceRouter",
    "HashRouter",
    "NoisyTopKRouter",
    "Pairs",
    "Plan",
    "ReinforceRouter",
    "Router",
    "Rows",
    "SharedOrExpertsRouter",
    "Slots",
    "SoftRouter",
    "TopKRouter",
    "make_router",
]
