"""Experts by a fixed table: nothing to learn.

::

    key = signs of fixed projections of the features, or the values of some columns
    expert = table[key],   table: heaviest keys first, each to the lightest expert

Roller, Sukhbaatar, Szlam & Weston (2021), Hash layers for large sparse models, NeurIPS.
"""

from __future__ import annotations

import heapq
import zlib
from typing import Any, ClassVar

import numpy as np

from moe_classic._arguments import check_integer
from moe_classic._typing import Ints

from ._base import Array, Params, Router, Rows, State
from ._plans import Pairs, Plan, make_pairs


class HashRouter(Router):
    """Each row to the expert that a table has for its key.

    ::

        expert = table[key]

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        Columns whose values are the key, such as categories. None: the signs of random
        projections of all features.
    n_bits : int or None, default=None
        Signs in a key; None: eight times as many keys as experts.
    seed : int, default=0
        Seed of the projections.

    References
    ----------
    Roller et al. (2021), Hash layers for large sparse models, NeurIPS. Graham (1969), Bounds on
    multiprocessing timing anomalies, for the table.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import HashRouter
    >>> moe = SparseMoERegressor(8, router=HashRouter())
    """

    name: ClassVar[str] = "hash"

    def __init__(self, *, features: Any = None, n_bits: int | None = None, seed: int = 0) -> None:
        self.features = features
        self.n_bits = n_bits
        self.seed = seed

    def check(self, n_experts: int) -> None:
        """Raise unless the arguments make sense."""
        if self.n_bits is not None:
            check_integer("HashRouter: n_bits", self.n_bits, 1, "signs in a key")
        check_integer("HashRouter: seed", self.seed, 0, "seed of the projections")

    def convex(self) -> bool:
        """One expert of weight 1."""
        return True

    def full(self) -> bool:
        """One expert of weight 1."""
        return True

    def start(self, width: int, n_experts: int, rng: Any, dtype: Any) -> Params:
        """Nothing to learn."""
        return {}

    def state(self, n_experts: int) -> State:
        """An empty table."""
        empty = np.zeros(0, dtype=np.int64)
        return {"keys": empty, "experts": empty, "n_experts": np.asarray(n_experts)}

    def prepare(self, state: State, inputs: Array, w: Array, n_experts: int) -> State:
        """Fill the table from the frequencies of the keys in the training rows."""
        state = dict(state)
        if self.features is None:
            bits = self.n_bits or int(np.ceil(np.log2(n_experts))) + 3
            rng = np.random.default_rng(self.seed)
            state["planes"] = rng.standard_normal((inputs.shape[1], min(bits, 62)))
        keys, place = np.unique(self._keys(state, inputs), return_inverse=True)
        mass = np.bincount(place, weights=w)
        return {**state, "keys": keys, "experts": balanced_table(mass, n_experts)}

    def table(self, values: Array, experts: Ints, n_experts: int) -> State:
        """A table given by hand.

        Parameters
        ----------
        values : ndarray of shape (m, p)
            Distinct rows of values of ``features``.
        experts : ndarray of int of shape (m,)
        n_experts : int

        Returns
        -------
        state : dict of str to ndarray
        """
        keys = self._keys({}, np.asarray(values))
        order = np.argsort(keys)
        experts = np.asarray(experts, dtype=np.int64)[order]
        return {"keys": keys[order], "experts": experts, "n_experts": np.asarray(n_experts)}

    def _keys(self, state: State, inputs: Array) -> Array:
        """Keys of rows, int64 (n,)."""
        if self.features is None:
            signs = inputs.astype(np.float64) @ state["planes"] > 0.0
            return signs @ (1 << np.arange(signs.shape[1], dtype=np.int64))
        # 0.0 and -0.0 are one value of different bytes.
        values = np.ascontiguousarray(inputs, dtype=np.float64) + 0.0
        distinct, place = np.unique(values, axis=0, return_inverse=True)
        return np.array([_digest(row.tobytes()) for row in distinct], dtype=np.int64)[
            place.reshape(-1)
        ]

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Pairs:
        """The expert of each row's key."""
        inputs = rows.h if rows.inputs is None else rows.inputs
        E = int(state["n_experts"])
        keys = self._keys(state, inputs)
        chosen = np.empty(len(keys), dtype=np.intp)
        place = np.minimum(np.searchsorted(state["keys"], keys), max(len(state["keys"]) - 1, 0))
        known = np.zeros(len(keys), dtype=bool)
        if len(state["keys"]):
            known = state["keys"][place] == keys
            chosen[known] = state["experts"][place[known]]
        chosen[~known] = [zlib.crc32(key.tobytes()) % E for key in keys[~known]]
        ones = np.ones((len(keys), 1), dtype=rows.h.dtype)
        return make_pairs(chosen[:, None], ones, None, E)

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Nothing feels a gradient."""
        return None, {}


def _digest(data: bytes) -> int:
    """The same number in every process: 63 bits of two checksums."""
    return (zlib.crc32(data) << 31) ^ zlib.crc32(data[::-1], 1)


def balanced_table(mass: Array, n_experts: int) -> Ints:
    """Experts of the keys: heaviest key first, each to the lightest expert (Graham 1969).

    Parameters
    ----------
    mass : ndarray of shape (m,)
        Weight of each key.
    n_experts : int

    Returns
    -------
    experts : ndarray of int of shape (m,)
        Loads exceed the mean by no more than the heaviest key.
    """
    experts = np.empty(len(mass), dtype=np.int64)
    heap = [(0.0, e) for e in range(n_experts)]
    for key in np.argsort(-mass, kind="stable").tolist():
        load, e = heapq.heappop(heap)
        experts[key] = e
        heapq.heappush(heap, (load + float(mass[key]), e))
    return experts
