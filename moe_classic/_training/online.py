"""On-line EM: statistics that are averaged with forgetting, one update a batch.

::

    s <- (1 - gamma_t) s + gamma_t s(batch; theta),   theta <- update(theta, s)

Cappe & Moulines (2009), On-line expectation-maximization algorithm for latent data models,
equation 10. Statistics here are in residual form, relative to the parameters at which they were
taken; when the parameters move they are *translated* to the new ones, which is exact for least
squares. With one linear Gaussian expert and no forgetting the recursion is therefore recursive
least squares to the last digit; with experts weighted by their posteriors it is the weighted form
of Jordan & Jacobs (1994), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from moe_classic._components import require
from moe_classic._data import Block, Summary, total
from moe_classic._model import Model, MoEParams, MoEStats
from moe_classic._objectives import MixtureLikelihood
from moe_classic.experts import Expert
from moe_classic.gates import Gate
from moe_classic.solvers import Solver

#: Exponent of the step sizes t^-a where experts are latent; 1 (a plain average) where not. Cappe &
#: Moulines take 0.6 from a poor start; here learning starts near the top, where noise costs more.
_EXPONENT = 0.8


@dataclass(frozen=True)
class OnlineState:
    """Where on-line learning stands.

    Attributes
    ----------
    params : MoEParams
        For the target as the model sees it.
    stats : MoEStats
        Running statistics per unit of weight, relative to ``params``.
    weight : float
        Weight seen so far.
    """

    params: MoEParams
    stats: MoEStats
    weight: float


def check_online(components: Sequence[Gate | Expert], solver: Solver) -> None:
    """Raise if a component cannot learn from running sums, or the solver climbs something else."""
    require(components, ("translate",), who="partial_fit", instead="Use fit or fit_blocks.")
    if not solver.maximises_likelihood:
        raise ValueError(
            f"partial_fit climbs the likelihood batch by batch; {solver!r} climbs another "
            "objective. Use fit, or solver='em'."
        )


def observe(model: Model, params: MoEParams, blocks: list[Block]) -> OnlineState:
    """State after seeing only ``blocks``, at given parameters."""
    for block in blocks:
        for group in model.groups:
            group.expert.check_target(block.y)
    objective = MixtureLikelihood(model.online())
    stats = total(objective(params, block) for block in blocks)
    weight = float(sum(block.w.sum() for block in blocks))
    return OnlineState(params, stats.scaled(1.0 / weight), weight)


def step(model: Model, state: OnlineState, blocks: list[Block], summary: Summary) -> OnlineState:
    """State after one more batch."""
    new = observe(model, state.params, blocks)
    weight = state.weight + new.weight
    gamma = new.weight / weight
    if model.n_experts > 1:
        gamma = gamma**_EXPONENT
    stats = state.stats.scaled(1.0 - gamma) + new.stats.scaled(gamma)
    params = model.update(state.params, stats, replace(summary, weight=1.0))
    return OnlineState(params, translate(model, stats, state.params, params), weight)


def translate(model: Model, stats: MoEStats, old: MoEParams, new: MoEParams) -> MoEStats:
    """Statistics taken at ``old`` as they would be, to second order, at ``new``."""
    gate = model.gate.translate(stats.gate, old.gate, new.gate)
    experts = tuple(
        g.expert.translate(s, p, q)
        for g, s, p, q in zip(model.groups, stats.experts, old.experts, new.experts, strict=True)
    )
    return replace(stats, gate=gate, experts=experts)
