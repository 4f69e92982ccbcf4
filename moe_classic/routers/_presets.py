"""Published systems as settings of the routers; each gives a router for so many experts.

The number of choices is cut to the number of experts, and groups are used where they fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._balanced import BalancedRouter
from ._base import Router
from ._dense import DenseRouter
from ._expert_choice import ExpertChoiceRouter
from ._hash import HashRouter
from ._noisy import NoisyTopKRouter
from ._reinforce import ReinforceRouter
from ._shared_or_experts import SharedOrExpertsRouter
from ._soft import SoftRouter
from ._top_k import TopKRouter


def _top_k(k: int, n_experts: int, **options: Any) -> TopKRouter:
    """A router of k choices, or as many as there are experts."""
    k = min(k, n_experts)
    if k == 1:
        # One expert, or a single choice: what speaks of several has no meaning.
        options |= {"normalise": n_experts == 1, "second": "always"}
    return TopKRouter(k, **options)


def _groups(n_groups: int, top: int, k: int, n_experts: int) -> dict[str, int]:
    """Groups of experts, if they divide the experts and hold the choices."""
    k = min(k, n_experts)
    fits = n_experts % n_groups == 0 and top * (n_experts // n_groups) >= k
    return {"n_groups": n_groups, "top_groups": top} if fits else {}


def top_k(n_experts: int = 8) -> TopKRouter:
    """Two normalised choices and a balance loss: the default."""
    return _top_k(2, n_experts)


def switch(n_experts: int = 8) -> TopKRouter:
    """Switch transformer (Fedus, Zoph & Shazeer 2022): one choice, capacity 1.25, balance .01."""
    return _top_k(1, n_experts, normalise=False, balance_on="first", capacity=1.25, jitter=0.01)


def st_moe(n_experts: int = 8) -> TopKRouter:
    """ST-MoE (Zoph et al. 2022): two choices, capacity 1.25, z loss .001."""
    return _top_k(2, n_experts, balance_on="first", capacity=1.25, z=1e-3)


def gshard(n_experts: int = 8) -> TopKRouter:
    """GShard (Lepikhin et al. 2021): the second choice at random, capacity 2 n / E."""
    return _top_k(2, n_experts, balance_on="first", capacity=1.0, second="random")


def glam(n_experts: int = 8) -> TopKRouter:
    """GLaM (Du et al. 2022): two choices, capacity 2 n / E."""
    return _top_k(2, n_experts, balance_on="first", capacity=1.0)


def mixtral(n_experts: int = 8) -> TopKRouter:
    """Mixtral (Jiang et al. 2024): two normalised choices, no capacity, balance .02."""
    return _top_k(2, n_experts, balance=0.02)


def dbrx(n_experts: int = 16) -> TopKRouter:
    """DBRX (Databricks 2024): four normalised choices, balance .05."""
    return _top_k(4, n_experts, balance=0.05)


def olmoe(n_experts: int = 64) -> TopKRouter:
    """OLMoE (Muennighoff et al. 2025): eight plain choices, balance .01, z loss .001."""
    return _top_k(8, n_experts, normalise=False, z=1e-3)


def deepseek_v2(n_experts: int = 64) -> TopKRouter:
    """DeepSeek-V2 (2024): six plain choices times 16 in 3 of 8 groups, two shared experts."""
    groups = _groups(8, 3, 6, n_experts)
    return _top_k(6, n_experts, normalise=False, scale=16.0, n_shared=2, balance=0.003, **groups)


def deepseek_v3(n_experts: int = 64) -> TopKRouter:
    """DeepSeek-V3 (2024): eight sigmoid choices in 4 of 8 groups, balanced by a bias."""
    groups = _groups(8, 4, 8, n_experts)
    options = {"score": "sigmoid", "scale": 2.5, "n_shared": 1, "balance": 1e-4}
    return _top_k(8, n_experts, normalise=True, bias_rate=0.001, **options, **groups)


def noisy_top_k(n_experts: int = 8) -> NoisyTopKRouter:
    """The sparsely-gated layer (Shazeer et al. 2017)."""
    return NoisyTopKRouter(min(2, n_experts))


def v_moe(n_experts: int = 8) -> NoisyTopKRouter:
    """Vision MoE (Riquelme et al. 2021): fixed noise 1 / E, plain weights, losses .005 each."""
    return NoisyTopKRouter(min(2, n_experts), noise=1.0, importance=0.005, load=0.005)


def dense(n_experts: int = 8) -> DenseRouter:
    """All experts (Jacobs et al. 1991)."""
    return DenseRouter()


def deep(n_experts: int = 4) -> DenseRouter:
    """Deep mixture of experts (Eigen, Ranzato & Sutskever 2013): a gate with a hidden layer."""
    return DenseRouter(hidden_units=50)


def expert_choice(n_experts: int = 8) -> ExpertChoiceRouter:
    """Expert choice (Zhou et al. 2022), capacity 2."""
    return ExpertChoiceRouter()


def soft(n_experts: int = 8) -> SoftRouter:
    """Soft mixture of experts (Puigcerver et al. 2024), four slots an expert."""
    return SoftRouter()


def hash_layer(n_experts: int = 8) -> HashRouter:
    """Hash layer (Roller et al. 2021)."""
    return HashRouter()


def base(n_experts: int = 8) -> BalancedRouter:
    """BASE layer (Lewis et al. 2021)."""
    return BalancedRouter()


def reinforce(n_experts: int = 8) -> ReinforceRouter:
    """Conditional computation by REINFORCE (Bengio et al. 2015)."""
    return ReinforceRouter()


def nllb(n_experts: int = 8) -> SharedOrExpertsRouter:
    """A shared expert or the routed ones (NLLB team 2022)."""
    return SharedOrExpertsRouter(min(2, n_experts))


#: Routers by name: what makes one for a number of experts.
ROUTERS: dict[str, Callable[[int], Router]] = {
    "base": base,
    "dbrx": dbrx,
    "deep": deep,
    "deepseek_v2": deepseek_v2,
    "deepseek_v3": deepseek_v3,
    "dense": dense,
    "expert_choice": expert_choice,
    "glam": glam,
    "gshard": gshard,
    "hash": hash_layer,
    "mixtral": mixtral,
    "nllb": nllb,
    "noisy_top_k": noisy_top_k,
    "olmoe": olmoe,
    "reinforce": reinforce,
    "soft": soft,
    "st_moe": st_moe,
    "switch": switch,
    "top_k": top_k,
    "v_moe": v_moe,
}


def make_router(router: Any, n_experts: int, *, parameter: str = "router") -> Router:
    """A checked router from a name or an instance.

    Parameters
    ----------
    router : str or Router
    n_experts : int
    parameter : str, default="router"
        Name of the argument, for messages.

    Returns
    -------
    router : Router

    Raises
    ------
    ValueError, TypeError
        If there is no router of that name, or it does not suit the number of experts.

    Examples
    --------
    >>> from moe_classic.routers import make_router
    >>> make_router("switch", 8).top_k
    1
    """
    if isinstance(router, str):
        if router not in ROUTERS:
            raise ValueError(
                f"{parameter}={router!r} is no router; use one of {sorted(ROUTERS)} or an instance "
                "of a class of moe_classic.routers."
            )
        router = ROUTERS[router](n_experts)
    if not isinstance(router, Router):
        raise TypeError(
            f"{parameter}={router!r} must be one of {sorted(ROUTERS)} or an instance of a class of "
            "moe_classic.routers, such as TopKRouter(top_k=1)."
        )
    router.check(n_experts)
    return router
