"""Routers of sparse mixtures of experts: which rows go to which experts, by name or by class.

``ROUTERS`` maps names to functions that make a router for a number of experts; published systems
are settings of a few classes.
"""

from ._balanced import BalancedRouter
from ._base import Router, RoutingWarning, Rows
from ._dense import DenseRouter
from ._expert_choice import ExpertChoiceRouter
from ._hash import HashRouter
from ._noisy import NoisyTopKRouter
from ._plans import Pairs, Plan, Slots
from ._presets import ROUTERS, make_router
from ._reinforce import ReinforceRouter
from ._shared_or_experts import SharedOrExpertsRouter
from ._soft import SoftRouter
from ._tokens import Features, Patches, Tokens, check_tokens
from ._top_k import TopKRouter

__all__ = [
    "ROUTERS",
    "BalancedRouter",
    "DenseRouter",
    "ExpertChoiceRouter",
    "Features",
    "HashRouter",
    "NoisyTopKRouter",
    "Pairs",
    "Patches",
    "Plan",
    "ReinforceRouter",
    "Router",
    "RoutingWarning",
    "Rows",
    "SharedOrExpertsRouter",
    "Slots",
    "SoftRouter",
    "Tokens",
    "TopKRouter",
    "check_tokens",
    "make_router",
]
