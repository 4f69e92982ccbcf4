"""A gate and groups of experts, bound to the designs they see: the whole model, without numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from moe_classic._components import Forward
from moe_classic._data import Block, Design, Stats, Subjects, Summary
from moe_classic._numerics import choose, log_sum_exp, softmax_in_place
from moe_classic._typing import Bools, Floats, Ints
from moe_classic.experts import Expert
from moe_classic.gates import Gate


@dataclass(frozen=True)
class Group:
    """``count`` like experts that see design number ``design``."""

    expert: Expert
    count: int
    design: int
    label: str | None = None


@dataclass(frozen=True)
class MoEParams:
    """Parameters of the gate and of each group of experts."""

    gate: Any
    experts: tuple[Any, ...]


def same_shapes(a: Any, b: Any) -> bool:
    """Whether two parameter records have the same types and shapes throughout."""
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same_shapes, a, b))
    if is_dataclass(a):
        return all(same_shapes(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return np.shape(a) == np.shape(b)


@dataclass(frozen=True)
class MoEStats(Stats):
    """What one pass gives: objective without penalties, and the statistics of every component.

    Of several starts at once the objective is an array (S,).
    """

    objective: Any
    gate: Stats
    experts: tuple[Stats, ...]

    def row_weights(self) -> Floats | None:
        """Weights that rows or subjects have for components that are refitted on them, (m,)."""
        kept = [part.row_weights() for part in (self.gate, *self.experts)]
        found = [S for S in kept if S is not None]
        return np.concatenate([S.ravel() for S in found]) if found else None


@dataclass(frozen=True)
class ModelForward:
    """Forward records of one block."""

    gate: Forward
    experts: tuple[Forward, ...]
    subjects: Subjects | None = None

    @property
    def log_prob(self) -> Floats:
        """Log densities of all experts at every row, (K, n), or (S, K, n) with several starts."""
        lead = self.gate.log_prob.shape[:-2]
        parts = [f.log_prob.reshape(*lead, -1, f.log_prob.shape[-1]) for f in self.experts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)

    @property
    def density(self) -> Floats:
        """Log densities of all experts, of all rows of a subject together, (K, G)."""
        return self.log_prob if self.subjects is None else self.subjects.sums(self.log_prob)

    def log_joint(self, out: Floats | None = None) -> Floats:
        """``log g_k + log p_k``, (K, G)."""
        return np.add(self.gate.log_prob, self.density, out=out)

    def posterior(self, out: Floats | None = None) -> tuple[Floats, Floats]:
        """Responsibilities (K, G), and the logarithms of what they were divided by, (G,).

        The latter are temporary inside a workspace.
        """
        R = self.log_joint(out)
        return R, softmax_in_place(R)


@dataclass(frozen=True)
class Model:
    """Gate and experts with the numbers of their designs.

    Rows of a block may belong to subjects, G of them, each to one expert as a whole; without, a row
    is a subject. What is said below of subjects, (G,), the gate says of their means, and experts of
    the sum of their rows.
    """

    gate: Gate
    groups: tuple[Group, ...]
    gate_design: int = 0

    @property
    def n_experts(self) -> int:
        """Number of experts K in all groups."""
        return sum(g.count for g in self.groups)

    def wide(self, params: MoEParams) -> bool:
        """Whether some experts have so many coefficients that gradients alone are affordable."""
        pairs = zip(self.groups, params.experts, strict=True)
        return any(group.expert.wide(p) for group, p in pairs)

    @property
    def bounded(self) -> bool:
        """Whether no log-likelihood is above 0: classes under a gate that says nothing of x."""
        return not self.gate.generative and all(g.expert.kind.classes for g in self.groups)

    @property
    def additive(self) -> bool:
        """Whether all statistics are sums over rows of bounded size."""
        return self.gate.additive and all(g.expert.additive for g in self.groups)

    @property
    def exchangeable(self) -> bool:
        """Whether experts may change places."""
        return len(self.groups) == 1 and self.gate.exchangeable

    @cached_property
    def shares(self) -> tuple[slice, ...]:
        """Rows of each group among all experts."""
        stops = accumulate(g.count for g in self.groups)
        return tuple(slice(s - g.count, s) for s, g in zip(stops, self.groups, strict=True))

    # -------------------------------------------------------------------- parameters

    def start(self, widths: list[int], summary: Summary) -> MoEParams:
        """Equal experts, each as likely as the others everywhere."""
        gate = self.gate.start(self.n_experts, widths[self.gate_design], summary.of_gate)
        experts = tuple(g.expert.start(g.count, widths[g.design], summary) for g in self.groups)
        return MoEParams(gate, experts)

    def pack(self, params: MoEParams) -> Floats:
        """All free parameters in one unconstrained vector."""
        parts = [self.gate.pack(params.gate)]
        parts += [g.expert.pack(p) for g, p in zip(self.groups, params.experts, strict=True)]
        return np.concatenate(parts)

    def layout(self, params: MoEParams) -> tuple[slice, ...]:
        """Coordinates in :meth:`pack` of the gate, and of each group of experts."""
        sizes = [self.gate.pack(params.gate).size]
        sizes += [g.expert.pack(p).size for g, p in zip(self.groups, params.experts, strict=True)]
        stops = accumulate(sizes)
        return tuple(slice(stop - size, stop) for stop, size in zip(stops, sizes, strict=True))

    def unpack(self, theta: Floats, like: MoEParams, summary: Summary) -> MoEParams:
        """Inverse of :meth:`pack`, with the shapes of ``like``."""
        first, *rest = self.layout(like)
        gate = self.gate.unpack(theta[first], like.gate, summary.of_gate)
        experts = tuple(
            g.expert.unpack(theta[place], old, summary)
            for g, old, place in zip(self.groups, like.experts, rest, strict=True)
        )
        return MoEParams(gate, experts)

    def between(self, a: MoEParams, b: MoEParams, summary: Summary) -> MoEParams:
        """Point half way from ``a`` to ``b`` in unconstrained coordinates.

        What has no coordinates, such as a fitted estimator, is that of ``b``: such components
        take a step only if it climbs, so that damping the others is enough.
        """
        return self.unpack(0.5 * (self.pack(a) + self.pack(b)), b, summary)

    def penalty_value(self, params: MoEParams, summary: Summary) -> float:
        """What the solver subtracts from the log-likelihood."""
        value = self.gate.penalty_value(params.gate, summary.of_gate)
        for group, p in zip(self.groups, params.experts, strict=True):
            value += group.expert.penalty_value(p, summary)
        return value

    @property
    def sparse(self) -> bool:
        """Whether some penalty makes slopes exactly zero."""
        return self.gate.sparse or any(g.expert.sparse for g in self.groups)

    def optimality(
        self, params: MoEParams, stats: MoEStats, summary: Summary
    ) -> tuple[Any, Floats]:
        """Violations of the conditions of optimality by the gate, and by the experts (K,)."""
        parts = [
            g.expert.optimality(p, s, summary)
            for g, p, s in zip(self.groups, params.experts, stats.experts, strict=True)
        ]
        return self.gate.optimality(params.gate, stats.gate, summary.of_gate), np.concatenate(parts)

    def support(self, params: MoEParams) -> tuple[Floats, Floats, Bools]:
        """Coordinates u of what is not held at zero.

        Returns
        -------
        T : ndarray of shape (D, r)
            ``pack(params) = T u``.
        u : ndarray of shape (r,)
        signed : ndarray of bool, shape (r,)
            Whose signs must stay for the penalty to be smooth.
        """
        parts = [self.gate.support(params.gate)]
        parts += [g.expert.support(p) for g, p in zip(self.groups, params.experts, strict=True)]
        bases, values, signed = zip(*parts, strict=True)
        return block_diag(*bases), np.concatenate(values), np.concatenate(signed)

    def penalty_gradient(self, params: MoEParams, summary: Summary) -> Floats:
        """Gradient of the penalty, (D,)."""
        parts = [self.gate.penalty_gradient(params.gate, summary.of_gate)]
        for group, p in zip(self.groups, params.experts, strict=True):
            parts.append(group.expert.penalty_gradient(p, summary))
        return np.concatenate(parts)

    def penalty_curvature(self, params: MoEParams, summary: Summary) -> Floats:
        """Diagonal of the Hessian of the penalty, (D,)."""
        parts = [np.diag(self.gate.penalty_hessian(params.gate, summary.of_gate))]
        for group, p in zip(self.groups, params.experts, strict=True):
            parts.append(group.expert.penalty_curvature(p, summary))
        return np.concatenate(parts)

    def penalty_hessian(self, params: MoEParams, summary: Summary) -> Floats:
        """Hessian of the penalty, (D, D)."""
        parts = [self.gate.penalty_hessian(params.gate, summary.of_gate)]
        for group, p in zip(self.groups, params.experts, strict=True):
            parts.append(group.expert.penalty_hessian(p, summary))
        stops = list(accumulate(map(len, parts)))
        out = np.zeros((stops[-1], stops[-1]))
        for stop, part in zip(stops, parts, strict=True):
            place = slice(stop - len(part), stop)
            out[place, place] = part
        return out

    def rescale(self, params: MoEParams, shift: Floats, factor: Floats) -> MoEParams:
        """Parameters for ``shift + factor * y``; what sees y as it is stays."""
        experts = tuple(
            g.expert.rescale(p, shift, factor) if g.expert.equivariant else p
            for g, p in zip(self.groups, params.experts, strict=True)
        )
        return replace(params, experts=experts)

    def reorder(self, params: MoEParams, order: Ints) -> MoEParams:
        """Parameters with the experts of the only group in a new order."""
        expert = self.groups[0].expert.reorder(params.experts[0], order)
        return MoEParams(self.gate.reorder(params.gate, order), (expert,))

    def take(self, params: MoEParams, k: int) -> Any:
        """Parameters of expert ``k`` of all as those of a group of one."""
        number = next(i for i, share in enumerate(self.shares) if k < share.stop)
        order = np.array([k - self.shares[number].start])
        return self.groups[number].expert.reorder(params.experts[number], order)

    @property
    def is_ours(self) -> bool:
        """Whether gate and experts run no code of the user's."""
        parts = (self.gate, *(g.expert for g in self.groups))
        package = __name__.partition(".")[0]
        return all(p.additive and type(p).__module__.partition(".")[0] == package for p in parts)

    def n_degenerate(self, params: MoEParams, summary: Summary) -> int:
        """How many experts sit at a bound that only keeps the likelihood finite.

        Their own, or one of what the gate says of them.
        """
        return int(self.at_bounds(params, summary).sum())

    def at_bounds(self, params: MoEParams, summary: Summary) -> Bools:
        """Which experts these are, (K,)."""
        pairs = zip(self.groups, params.experts, strict=True)
        own = np.concatenate([g.expert.degenerate(p, summary) for g, p in pairs])
        return np.asarray(own | self.gate.degenerate(params.gate))

    def online(self) -> Model:
        """The model with experts whose statistics may be carried along from batch to batch."""
        groups = tuple(replace(g, expert=g.expert.online()) for g in self.groups)
        return replace(self, groups=groups)

    def n_parameters(self, params: MoEParams) -> int:
        """Number of free parameters."""
        count = self.gate.n_parameters(params.gate)
        for group, p in zip(self.groups, params.experts, strict=True):
            count += group.expert.n_parameters(p)
        return count

    # -------------------------------------------------------------------- one block

    def evaluate(self, params: MoEParams, block: Block) -> ModelForward:
        """Forward records of gate and experts."""
        gate = self.gate.forward(params.gate, block.designs[self.gate_design])
        experts = tuple(
            g.expert.forward(p, block.designs[g.design], block.y)
            for g, p in zip(self.groups, params.experts, strict=True)
        )
        return ModelForward(gate, experts, block.subjects)

    def log_joint(self, params: MoEParams, block: Block) -> Floats:
        """Logarithms of gate times density, log p(y, k | x), (K, G).

        Under a generative gate of log p(x, y, k).
        """
        return self.evaluate(params, block).log_joint()

    def responsibilities(self, params: MoEParams, block: Block) -> Floats:
        """Posterior probabilities of the experts given x and y, (K, G)."""
        return self.evaluate(params, block).posterior()[0]

    def log_gate(self, params: MoEParams, block: Block) -> Floats:
        """Log gate probabilities, (K, G), or what is told in their place."""
        if block.told is not None:
            return block.told
        return self.gate.log_gate(params.gate, block.designs[self.gate_design])

    def log_gate_joint(self, params: MoEParams, block: Block) -> Floats:
        """What a gate says of experts and x: under a generative one log p(x, k), (K, G)."""
        return self.gate.log_joint(params.gate, block.designs[self.gate_design])

    def log_likelihood(self, params: MoEParams, block: Block) -> Floats:
        """Log density of y given x, one a subject, (G,)."""
        density = self.evaluate(params, block).density
        return log_sum_exp(self.log_gate(params, block) + density)

    def log_density(self, params: MoEParams, block: Block) -> Floats:
        """Log densities of the experts at every row, (K, n)."""
        parts = [
            g.expert.forward(p, block.designs[g.design], block.y).log_prob
            for g, p in zip(self.groups, params.experts, strict=True)
        ]
        return np.concatenate(parts)

    def statistics(
        self, params: MoEParams, forward: ModelForward, block: Block, S: Floats, objective: Any
    ) -> MoEStats:
        """Statistics of every component for the weights ``S`` (K, G) of subjects.

        Those of several starts are (S, K, G).

        Gram matrices that components ask for on the same design come from one BLAS call.
        """
        weights = block.by_row(S)
        own = [weights[..., share, :].reshape(-1, weights.shape[-1]) for share in self.shares]
        asked = [(self.gate_design, self.gate.curvature(params.gate, forward.gate, S))]
        for group, p, fwd, rows in zip(
            self.groups, params.experts, forward.experts, own, strict=True
        ):
            asked.append((group.design, group.expert.curvature(p, fwd, rows)))
        grams = _grams(block, asked)
        gate_design = block.designs[self.gate_design]
        gate = self.gate.statistics(params.gate, forward.gate, gate_design, S, grams[0])
        experts = tuple(
            g.expert.statistics(p, fwd, block.designs[g.design], rows, gram)
            for g, p, fwd, rows, gram in zip(
                self.groups, params.experts, forward.experts, own, grams[1:], strict=True
            )
        )
        return MoEStats(objective, gate, experts)

    def sample(
        self,
        params: MoEParams,
        designs: tuple[Design, ...],
        rng: np.random.Generator,
        experts: Ints | None = None,
        subjects: Subjects | None = None,
    ) -> tuple[np.ndarray, Ints]:
        """A target (d, n) or codes (n,), and the expert of every row (n,).

        The gate chooses, unless ``experts`` (G,) says which expert speaks for which subject.
        """
        if experts is None:
            gate = self.gate.log_gate(params.gate, designs[self.gate_design])
            experts = choose(np.exp(gate), rng)
        if subjects is not None:
            experts = subjects.at_rows(experts)
        draws = np.concatenate(
            [
                g.expert.sample(p, designs[g.design], rng)
                for g, p in zip(self.groups, params.experts, strict=True)
            ]
        )
        return np.moveaxis(draws[experts, ..., np.arange(experts.size)], 0, -1), experts

    def update(self, params: MoEParams, stats: MoEStats, summary: Summary) -> MoEParams:
        """One step of every component."""
        gate = self.gate.update(params.gate, stats.gate, summary.of_gate)
        experts = tuple(
            g.expert.update(p, s, summary)
            for g, p, s in zip(self.groups, params.experts, stats.experts, strict=True)
        )
        return MoEParams(gate, experts)


def check_said(model: Model, what: str, said: Floats, first: int = 0) -> Floats:
    """What experts from ``first`` on said (k, ..., n), or an error: who said NaN, and where."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = said.sum()
    if not np.isnan(total):
        return said
    wrong = np.argwhere(np.isnan(said))
    if not wrong.size:
        return said
    k, row = first + int(wrong[0, 0]), int(wrong[0, -1])
    owner = next(g for g, share in zip(model.groups, model.shares, strict=True) if k < share.stop)
    raise ValueError(
        f"{type(owner.expert).__name__} (expert {k + 1}): its {what} is NaN in row {row} of a "
        "block; an expert must say a number of every row."
    )


def check_densities(model: Model, params: MoEParams, block: Block) -> None:
    """Raise if gate or experts give NaN for a row; the message names who, and where."""
    forward = model.evaluate(params, block)
    # Of several starts, (S, K, n), the expert is what counts.
    wrong = np.argwhere(np.isnan(np.moveaxis(forward.gate.log_prob, -2, 0)))
    if wrong.size:
        raise ValueError(
            f"{type(model.gate).__name__}: its log probability of expert {wrong[0, 0] + 1} is NaN "
            f"in row {wrong[0, -1]} of a block; a gate must say a number of every row."
        )
    check_said(model, "log density", np.moveaxis(forward.log_prob, -2, 0))


def _grams(block: Block, asked: list[tuple[int, Floats]]) -> list[Floats]:
    """Packed Grams for each request, one product for all requests on a design."""
    result: list[Floats] = [rows for _, rows in asked]
    for number in {design for design, _ in asked}:
        mine = [i for i, (design, _) in enumerate(asked) if design == number]
        rows = [asked[i][1] for i in mine]
        grams = block.designs[number].grams(*rows)
        stop = 0
        for i, part in zip(mine, rows, strict=True):
            start, stop = stop, stop + len(part)
            result[i] = grams[start:stop]
    return result
