"""Problems for solvers: rows drawn from a model whose experts overlap, and a start beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moe_classic._data.blocks import ArraySource
from moe_classic._data.stats import Summary, summarise
from moe_classic._model.model import Group, Model, MoEParams
from moe_classic._objectives.likelihood import FixedResponsibilities, MixtureLikelihood
from moe_classic.datasets import make_moe
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES
from moe_classic.gates._tree.gate import TreeGate
from moe_classic.solvers import EM, Problem

from ..contracts.scenes import guessed_summary


@dataclass(frozen=True)
class Bordered:
    """The first features as they are, and a row of ones: the simplest map of rows to a design."""

    width: int

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return np.vstack([np.asarray(X)[:, : self.width - 1].T, np.ones(len(X))])


def maps_of(gate: str, n_features: int) -> tuple[Bordered, Bordered]:
    """Designs 0 of the experts and 1 of the gate; a constant gate sees no features."""
    return Bordered(n_features + 1), Bordered(1 if gate == "constant" else n_features + 1)


def bound_model(expert: str, gate: str, n_experts: int, summary: Summary, **settings: Any) -> Model:
    """One group of ``n_experts`` like experts under a gate; a tree splits two and then the rest."""
    # Mixtures of single trials are hardly determined.
    known = {"trials": 12} if expert == "binomial" else {}
    one = EXPERTS[expert](**known, **settings).bind(summary)
    shape = [[2], n_experts - 2] if n_experts > 2 else (2,)
    chosen = TreeGate(shape) if gate == "tree" else GATES[gate]()
    return Model(chosen, (Group(one, n_experts, 0),), gate_design=1)


def problem_on(
    X: np.ndarray,
    y: np.ndarray,
    expert: str = "gaussian",
    gate: str = "softmax",
    *,
    n_experts: int = 2,
    w: np.ndarray | None = None,
    block_size: int | None = None,
    seed: int = 0,
    **settings: Any,
) -> Problem:
    """The fitting problem on rows ``X`` (n, p) and a target (d, n) or class codes (n,)."""
    w = np.ones(len(X)) if w is None else w
    classes = int(y.max()) + 1 if y.ndim == 1 else 0
    summary = summarise(y, w, classes)
    model = bound_model(expert, gate, n_experts, summary, **settings)
    source = ArraySource(X, y, w, maps_of(gate, X.shape[1]), block_size)
    return Problem(model, MixtureLikelihood(model), source, summary, seed=seed)


def drawn(
    expert: str = "gaussian",
    gate: str = "softmax",
    *,
    n: int = 200,
    n_features: int = 1,
    n_experts: int = 2,
    apart: float = 1.0,
    outputs: int = 1,
    seed: int = 0,
    **settings: Any,
) -> tuple[Problem, MoEParams]:
    """A problem whose rows come from its own model, and a start near the truth.

    ``apart`` is the distance between the experts' coefficients in standard deviations of the
    noise (classes: in logits): about 1 makes them overlap heavily.
    """
    rng = np.random.default_rng(seed)
    target = EXPERTS[expert].target
    classes = 3 if expert == "multinomial" else 2 * (target == "class")
    d = max(classes, outputs)
    guess = Summary(float(n), np.full(d, 1.0 / d), np.ones(d), classes)
    if target not in ("class", "real"):
        # On a log scale the same distance is that of a few orders of magnitude.
        guess, apart = guessed_summary(target, n, outputs), 0.5 * apart
    X = rng.standard_normal((n, n_features))
    model = bound_model(expert, gate, n_experts, guess, **settings)
    block = ArraySource(X, np.zeros((1, n)), np.ones(n), maps_of(gate, n_features), n)[0]
    design = block.designs[0]
    start = model.start([d.width for d in block.designs], guess)
    params = _spread(model, start, apart, rng)
    log_gate = model.log_gate(params, block)
    z = (np.exp(log_gate).cumsum(axis=0) < rng.random(n)).sum(axis=0)
    sample = model.groups[0].expert.sample(params.experts[0], design, rng)
    y = sample[z, ..., np.arange(n)].T
    problem = problem_on(X, y, expert, gate, n_experts=n_experts, seed=seed, **settings)
    return problem, _near(problem, z)


def _spread(model: Model, start: MoEParams, apart: float, rng: np.random.Generator) -> MoEParams:
    """Parameters with experts ``apart`` from each other and a gate that tells them apart a bit."""
    old = start.experts[0]
    coef = old.coef + apart * rng.standard_normal(old.coef.shape)
    theta = model.groups[0].expert.pack(old)
    theta = np.concatenate([coef.ravel(), theta[coef.size :]])
    expert = model.groups[0].expert.unpack(theta, old, _LOOSE)
    if hasattr(expert, "slant"):
        # Noise that leans: without, the information is singular and all converge slowly.
        sides = np.resize([3.0, -3.0], expert.slant.shape[0])
        expert = replace(expert, slant=sides[:, None])
    logits = model.gate.pack(start.gate)
    gate = model.gate.unpack(logits + 0.7 * rng.standard_normal(logits.size), start.gate, _LOOSE)
    return MoEParams(gate, (expert,))


def beside(problem: Problem, params: MoEParams, step: float = 0.3) -> MoEParams:
    """Parameters off an optimum that EM reaches from ``params``: a start inside its hill."""
    rng = np.random.default_rng(2)
    optimum = EM().run(problem, params, max_iter=2000, tol=1e-9).params
    theta = problem.model.pack(optimum)
    theta = theta + step * rng.standard_normal(theta.size)
    return problem.model.unpack(theta, optimum, problem.summary)


def hilly(
    seed: int, n_experts: int, p: int, separation: float, sharpness: float
) -> tuple[Problem, MoEParams]:
    """A problem with a saddle on the way, and a start before it."""
    X, y = make_moe(
        600,
        n_experts=n_experts,
        n_features=p,
        separation=separation,
        sharpness=sharpness,
        random_state=seed,
    )
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    problem = problem_on(X, y[None], n_experts=n_experts)
    model = problem.model
    start = model.start([p + 1, p + 1], problem.summary)
    noise = np.random.default_rng(1).standard_normal(model.pack(start).size)
    rough = model.unpack(model.pack(start) + 0.3 * noise, start, problem.summary)
    return problem, EM(finish=None).run(problem, rough, max_iter=10, tol=1e-6).params


_LOOSE = Summary(1.0, np.zeros(1), np.ones(1))


def _near(problem: Problem, z: np.ndarray) -> MoEParams:
    """Parameters after three updates under labels of which one in five is wrong."""
    model, rng = problem.model, np.random.default_rng(1)
    wrong = rng.random(z.size) < 0.2
    z = np.where(wrong, rng.integers(model.n_experts, size=z.size), z)
    R = np.full((model.n_experts, z.size), 0.1 / model.n_experts)
    R[z, np.arange(z.size)] += 0.9
    source = problem.source
    block = ArraySource(source.X, source.y, source.w, source.maps, z.size)[0]
    params = model.start([d.width for d in block.designs], problem.summary)
    for _ in range(3):
        params = model.update(
            params, FixedResponsibilities(model, R)(params, block), problem.summary
        )
    return params
