"""Plans: which rows go to which expert, with which weights, and back.

::

    take(h)        rows to experts, sorted by expert
    put(Y)         experts to rows: a weighted sum
    pull_put(G)    gradient of put: what the experts' outputs feel, not yet weighted
    pull_take(g)   gradient of take: what the rows feel

Arrays are row-major here, (n, d) and (n, E), as products run over rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from moe_classic._typing import Ints

from ._select import sort_key

Array = np.ndarray

#: Numbers that are added up at a time, and the least rows.
_SLICE, _LEAST = 1 << 17, 64


class Plan(ABC):
    """Where the rows of a batch go.

    Attributes
    ----------
    offsets : ndarray of int of shape (n_experts + extra + 1,)
        Expert e has the rows ``offsets[e]`` to ``offsets[e + 1]`` of what :meth:`take` gives.
    load : ndarray of int of shape (n_experts,)
        Rows of each expert; always-on experts are left out.
    dropped : float
        Share of the pairs that found no room.
    uncovered : float
        Share of the rows that no expert looks at.
    losses : dict of str to float
        Auxiliary losses, with their coefficients.
    memo : dict
        What the router keeps for its gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic.routers import Pairs, Plan
    >>> pairs = Pairs(np.array([0, 1]), np.array([1, 0]), np.ones(2), n_rows=2, n_experts=2)
    >>> isinstance(pairs, Plan), pairs.offsets.tolist()
    (True, [0, 1, 2])
    """

    offsets: Ints
    load: Ints
    dropped: float = 0.0
    uncovered: float = 0.0

    def __init__(self) -> None:
        self.losses: dict[str, float] = {}
        self.memo: dict[str, Any] = {}

    #: What each row of ``take`` weighs in ``put``, or None where a product does it.
    weights: Array | None = None

    @abstractmethod
    def take(self, h: Array, *, out: Array | None = None) -> Array:
        """Rows (n, d) to experts, (m, d)."""

    @abstractmethod
    def put(self, Y: Array, *, onto: Array | None = None) -> Array:
        """Outputs of experts (m, o) to rows, (n, o); added to ``onto`` in place if given."""

    @abstractmethod
    def pull_put(self, G: Array, *, out: Array | None = None) -> Array:
        """Gradient in the rows (n, o) as the experts feel it, (m, o), not yet weighted."""

    @abstractmethod
    def pull_take(self, g: Array, *, onto: Array | None = None) -> Array:
        """Gradient in the experts' rows (m, d) as the rows feel it, (n, d); see :meth:`put`."""

    @abstractmethod
    def gradients(self, g_pairs: Array | None) -> Any:
        """What :meth:`Router.pull` wants, from the products <G_row, Y_pair> in the plan's order."""

    @abstractmethod
    def combine(self) -> Array:
        """Combine weights as a matrix (n, n_experts + extra); 0 where not consulted."""

    @property
    def n_pairs(self) -> int:
        """Rows that all experts together look at."""
        return int(self.offsets[-1])


class Pairs(Plan):
    """Rows sent to some experts each: pairs of a row and an expert, with a weight.

    Parameters
    ----------
    rows, experts : ndarray of int of shape (m,)
        Pairs in the router's own order, sorted by row.
    weights : ndarray of shape (m,)
    n_rows : int
    n_experts : int
        Routed experts.
    extra : int, default=0
        Always-on experts, numbered after the routed ones.
    k : int, default=0
        How many pairs every row has, 0 if that varies.

    Attributes
    ----------
    rows, weights : ndarray of shape (m,)
        Sorted by expert.
    inv : ndarray of int of shape (m,)
        Pair i of the router's own order stands at place ``inv[i]``.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic.routers import Pairs
    >>> pairs = Pairs(np.array([0, 1]), np.array([1, 0]), np.ones(2), n_rows=2, n_experts=2)
    >>> pairs.load.tolist()
    [1, 1]
    """

    weights: Array

    n_rows: int
    n_experts: int
    extra: int
    k: int
    inv: np.ndarray
    rows: np.ndarray

    def __init__(
        self,
        rows: Ints,
        experts: Ints,
        weights: Array,
        n_rows: int,
        n_experts: int,
        *,
        extra: int = 0,
        k: int = 0,
    ) -> None:
        super().__init__()
        self.n_rows, self.n_experts, self.extra, self.k = n_rows, n_experts, extra, k
        order = np.argsort(sort_key(experts, n_experts + extra), kind="stable")
        self.inv = np.empty(order.size, dtype=np.intp)
        self.inv[order] = np.arange(order.size)
        self.rows = order // k if k > 1 else rows[order]
        self._row_of = rows
        self.weights = weights[order]
        counts = np.bincount(experts, minlength=n_experts + extra)
        self.offsets: Ints = np.concatenate([[0], np.cumsum(counts)])
        self.load: Ints = counts[:n_experts]

    def own(self, values: Array) -> Array:
        """Values of pairs sorted by expert, in the router's own order."""
        return values[self.inv]

    def take(self, h: Array, *, out: Array | None = None) -> Array:
        """Rows of ``h`` that the experts look at, sorted by expert."""
        # Without a mode numpy fills a buffer first and copies it.
        return np.take(h, self.rows, axis=0, out=out, mode="clip")

    def put(self, Y: Array, *, onto: Array | None = None) -> Array:
        """Weighted sums over the pairs of each row."""
        return self._summed(Y, onto, self.weights)

    def pull_put(self, G: Array, *, out: Array | None = None) -> Array:
        """The gradient of each pair's row."""
        return np.take(G, self.rows, axis=0, out=out, mode="clip")

    def pull_take(self, g: Array, *, onto: Array | None = None) -> Array:
        """Sums over the pairs of each row."""
        return self._summed(g, onto, None)

    def _summed(self, values: Array, onto: Array | None, weights: Array | None) -> Array:
        """Sums over the pairs of each row, weighted, a slice of the rows at a time.

        Arrays as long as the batch would be fresh memory in every step, which costs as much as the
        sums do.
        """
        if self.k == 0:
            return self._summed_by_product(values, onto, weights)
        shape = self.n_rows, values.shape[1]
        found = np.zeros(shape, dtype=values.dtype) if onto is None else onto
        places = np.ascontiguousarray(self.inv.reshape(-1, self.k).T)
        w = None if weights is None else weights[places]
        step = max(_LEAST, _SLICE // max(values.shape[1], 1))
        for start in range(0, self.n_rows, step):
            part = slice(start, start + step)
            mine = places[:, part]
            found[part] += _sum_of_pairs(values, mine, None if w is None else w[:, part])
        return found

    def _summed_by_product(self, values: Array, onto: Array | None, weights: Array | None) -> Array:
        """The same where rows have different numbers of pairs."""
        starts = np.searchsorted(self._row_of, np.arange(self.n_rows + 1))
        w = np.ones(self.inv.size, values.dtype) if weights is None else self.own(weights)
        found = csr_matrix((w, self.inv, starts), shape=(self.n_rows, len(values))) @ values
        return found if onto is None else np.add(onto, found, out=onto)

    def gradients(self, g_pairs: Array | None) -> Any:
        """The gradient in the weights, (m,), sorted by expert."""
        return g_pairs

    def combine(self) -> Array:
        """Combine weights, (n, n_experts + extra)."""
        full = np.zeros((self.n_rows, self.n_experts + self.extra), dtype=self.weights.dtype)
        full[self.rows, np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))] = (
            self.weights
        )
        return full


class Slots(Plan):
    """Rows mixed into slots, and slots into rows (soft mixtures of experts).

    ::

        take(h) = D' h,    put(Y) = C Y

    Parameters
    ----------
    D : ndarray of shape (groups, T, S), or None
        Dispatch weights: columns sum to one in each group of T rows. None: slots are ``fixed``.
    C : ndarray of shape (groups, T, S)
        Combine weights: rows sum to one.
    n_experts : int
        Expert e has the slots ``e p`` to ``(e + 1) p``, p = S / n_experts.
    fixed : ndarray of shape (S, d), default=None
        Slots that do not depend on the rows.

    Examples
    --------
    >>> from moe_classic.routers import Plan, Slots
    >>> issubclass(Slots, Plan)
    True
    """

    n_experts: int
    fixed: Array | None
    groups: int
    each: int

    def __init__(
        self, D: Array | None, C: Array, n_experts: int, *, fixed: Array | None = None
    ) -> None:
        super().__init__()
        self.D, self.C, self.n_experts, self.fixed = D, C, n_experts, fixed
        self.groups, self.T, self.S = C.shape
        self.each = self.S // n_experts
        self._sets = self.groups if fixed is None else 1
        self.offsets: Ints = np.arange(n_experts + 1) * (self._sets * self.each)
        self.load: Ints = np.full(n_experts, self._sets * self.each)

    def _by_expert(self, A: Array) -> Array:
        """(sets, S, d) to (m, d), sorted by expert."""
        d = A.shape[2]
        cube = A.reshape(self._sets, self.n_experts, self.each, d)
        return np.ascontiguousarray(cube.transpose(1, 0, 2, 3)).reshape(-1, d)

    def _by_group(self, A: Array) -> Array:
        """(m, d), sorted by expert, to (sets, S, d)."""
        d = A.shape[1]
        cube = A.reshape(self.n_experts, self._sets, self.each, d)
        return np.ascontiguousarray(cube.transpose(1, 0, 2, 3)).reshape(self._sets, self.S, d)

    def take(self, h: Array, *, out: Array | None = None) -> Array:
        """Slots, sorted by expert."""
        if self.D is None:
            # What a layer takes may carry a last column of ones.
            slots = np.ones((1, self.S, h.shape[1]), dtype=h.dtype)
            fixed = np.asarray(self.fixed)
            slots[0, :, : fixed.shape[1]] = fixed
        else:
            self._h = h.reshape(self.groups, self.T, -1)
            slots = self.D.transpose(0, 2, 1) @ self._h
        found = self._by_expert(slots)
        if out is None:
            return found
        out[:] = found
        return out

    def put(self, Y: Array, *, onto: Array | None = None) -> Array:
        """Mixed outputs of the slots."""
        self._Y = self._by_group(Y)
        found = (self.C @ self._Y).reshape(self.groups * self.T, -1)
        return found if onto is None else np.add(onto, found, out=onto)

    def pull_put(self, G: Array, *, out: Array | None = None) -> Array:
        """``C' G``; the gradient in C is kept."""
        G = G.reshape(self.groups, self.T, -1)
        self._g_C = G @ self._Y.transpose(0, 2, 1)
        found = self._by_expert(self.C.transpose(0, 2, 1) @ G)
        if out is None:
            return found
        out[:] = found
        return out

    def pull_take(self, g: Array, *, onto: Array | None = None) -> Array:
        """``D g``; the gradient in D is kept."""
        g = self._by_group(g)
        h = self._h[:, :, : g.shape[2]]
        self._g_D = h @ g.transpose(0, 2, 1)
        found = (self.D @ g).reshape(self.groups * self.T, -1)
        return found if onto is None else np.add(onto, found, out=onto)

    def gradients(self, g_pairs: Array | None) -> Any:
        """Gradients in D and C."""
        return self._g_D, self._g_C

    def combine(self) -> Array:
        """Combine weights summed over the slots of each expert, (n, n_experts)."""
        n = self.groups * self.T
        return self.C.reshape(n, self.n_experts, self.each).sum(axis=2)


def _sum_of_pairs(values: Array, places: Ints, w: Array | None) -> Array:
    """Sums over the pairs of some rows, whose pairs stand at ``places`` (k, n)."""
    found: Array | None = None
    for j, place in enumerate(places):
        # Without a mode numpy fills a buffer first and copies it.
        more = np.take(values, place, axis=0, mode="clip")
        if w is not None:
            more *= w[j, :, None]
        found = more if found is None else np.add(found, more, out=found)
    return np.asarray(found)


def make_pairs(
    chosen: Ints, weights: Array, kept: Array | None, n_experts: int, *, extra: int = 0
) -> Pairs:
    """Pairs from the experts of each row.

    Parameters
    ----------
    chosen : ndarray of int of shape (n, k)
    weights : ndarray of shape (n, k)
    kept : ndarray of bool of shape (n, k), or None
        Pairs that are used; None: all.
    n_experts : int
    extra : int, default=0

    Returns
    -------
    plan : Pairs
    """
    n, k = chosen.shape
    rows, experts = np.repeat(np.arange(n), k), chosen.reshape(-1)
    if kept is None or kept.all():
        return Pairs(rows, experts, weights.reshape(-1), n, n_experts, extra=extra, k=k)
    flat = kept.reshape(-1)
    plan = Pairs(rows[flat], experts[flat], weights.reshape(-1)[flat], n, n_experts, extra=extra)
    plan.uncovered = float(1.0 - kept[:, : k - extra].any(axis=1).mean())
    return plan


def spread(plan: Pairs, g_weights: Array, kept: Array | None, shape: tuple[int, int]) -> Array:
    """Gradients of the weights, sorted by expert, as (n, k); 0 for pairs that are not used."""
    own = plan.own(g_weights)
    if own.size == shape[0] * shape[1]:
        return own.reshape(shape)
    full = np.zeros(shape, dtype=own.dtype)
    full[kept] = own
    return full
