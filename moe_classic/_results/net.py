"""What the fit of a net with experts leaves: one record, which answers for rows in blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from moe_classic._data import LARGEST, DesignMap, checked_design
from moe_classic._engine import make_engine
from moe_classic._nets import Adam, Batch, Buffers, Data, Net, Outcome, SparseLayer
from moe_classic._targets import Target
from moe_classic._typing import Floats
from moe_classic.routers import HashRouter

T = TypeVar("T")
Array = np.ndarray

#: Rows predicted at a time: for each expert, at least, at most.
_EACH, _LEAST, _MOST = 16, 4096, 65536
#: Rows that are predicted with BLAS as it is.
_FEW = 512


class _OwnBuffers(threading.local):
    """Buffers of each thread, for all its blocks: fresh memory takes as long as the sums."""

    def __init__(self, dtype: Any) -> None:
        self.buffers = Buffers(dtype)

    def __call__(self) -> Buffers:
        return self.buffers


def tokens_of(design: DesignMap, tokens: Any, dtype: Any, X: Array) -> Array:
    """Standardised rows, or what they are cut into, (n, T, q + 1) with a column of ones."""
    largest = min(LARGEST, float(np.sqrt(np.finfo(dtype).max)))
    Z = checked_design(design, X, largest).T.astype(dtype)
    if tokens is None:
        return np.ascontiguousarray(Z)[:, None]
    cut = tokens.cut(np.ascontiguousarray(Z[:, :-1]))
    ones = np.ones((*cut.shape[:2], 1), dtype=cut.dtype)
    return np.concatenate([cut, ones], axis=2)


@dataclass(frozen=True, eq=False)
class FittedNet:
    """A net with layers of experts, and where its training may go on.

    Attributes
    ----------
    net : Net
    design : DesignMap
        From rows of X to what the net sees.
    route : DesignMap, or None
        From rows of X to what routers with ``features`` see.
    target : Target
        What y is, and how it was standardised.
    tokens : Patches, Features, or None
        How a sample is cut into rows of the stream.
    dtype : str
        Numbers throughout.
    outcome : Outcome
        How training went, all of it through warm starts.
    adam : Adam, or None
        Moments to go on with; None starts with none.
    weight : float
        Of the rows that were seen.
    drawn : dict, or None
        State of the generator when rows to hold out were drawn: fits that go on draw the same.
    """

    net: Net
    design: DesignMap
    route: DesignMap | None
    target: Target
    tokens: Any
    dtype: str
    outcome: Outcome = field(default_factory=Outcome)
    adam: Adam | None = None
    weight: float = 0.0
    drawn: dict[str, Any] | None = None

    def copied(self) -> FittedNet:
        """The same with a net and moments of its own, to be trained on."""
        return replace(self, net=deepcopy(self.net), adam=deepcopy(self.adam))

    # -------------------------------------------------------------------- rows

    @property
    def designs(self) -> tuple[DesignMap, ...]:
        """What is made of rows of X."""
        return (self.design,) if self.route is None else (self.design, self.route)

    def tokens_of(self, X: Array) -> Array:
        """Standardised rows (n, T, q + 1) with a column of ones."""
        return tokens_of(self.design, self.tokens, self.dtype, X)

    def inputs_of(self, X: Array) -> Array:
        """What a router with ``features`` sees, and hash routers always, (n, p)."""
        design = self.design if self.route is None else self.route
        return np.ascontiguousarray(design(X)[:-1].T.astype(self.dtype))

    @property
    def needs_inputs(self) -> bool:
        """Whether a router looks at X itself."""
        hashed = any(isinstance(layer.router, HashRouter) for layer in self.net.sparse)
        return hashed or self.route is not None

    def data(self, X: Array, columns: Floats, w: Floats) -> Data:
        """Validated rows and columns (c, n) of their target, as training sees them."""
        inputs = self.inputs_of(X) if self.needs_inputs else None
        tokens = self.tokens_of(X)
        group = tokens.shape[1] if self.tokens is not None else 0
        weights = (w / w.mean()).astype(self.dtype)
        return Data(tokens, self.target_of(columns), weights, inputs, group)

    def target_of(self, columns: Floats) -> Array:
        """What the net is to say: standardised outputs (n, d), or codes (n,)."""
        values = self.target.to_model(columns)
        if values.ndim == 1:
            return values
        return np.ascontiguousarray(values.T, dtype=self.dtype)

    def batch(self, X: Array) -> Batch:
        """Validated rows as layers see them."""
        tokens = self.tokens_of(X)
        inputs = self.inputs_of(X) if self.needs_inputs else None
        group = tokens.shape[1] if self.tokens is not None else 0
        ones = np.ones(len(X), dtype=tokens.dtype)
        return Batch(tokens.reshape(-1, tokens.shape[2]), ones, inputs, group)

    # -------------------------------------------------------------------- answers

    def answers(
        self, answer: Callable[[Batch], T], X: Array, *, n_jobs: int | None = None
    ) -> list[T]:
        """What ``answer`` says of each block of validated rows, in order, in ``n_jobs`` threads."""
        rows = min(max(_EACH * self.net.sparse[0].n_routed, _LEAST), _MOST)
        parts = [X[start : start + rows] for start in range(0, len(X), rows)]
        engine = make_engine(n_jobs if len(parts) > 1 else None)
        # BLAS has one thread, as in training; asking for that takes longer than a few rows do.
        with threadpool_limits(1, "blas") if len(X) > _FEW else nullcontext():
            return engine.map(lambda part: answer(self.batch(part)), parts)

    def predictions(self, X: Array, *, n_jobs: int | None = None) -> Array:
        """What the net says of validated rows: standardised outputs, or probabilities, (n, out)."""
        own = _OwnBuffers(self.net.dtype)
        # Answers may lie in the buffers, which the next block has as well.
        said = self.answers(lambda b: np.array(self.net.answer(b, own())), X, n_jobs=n_jobs)
        return np.concatenate(said)

    def pair_answers(self, X: Array, *, n_jobs: int | None = None) -> list[tuple[Any, Array]]:
        """Plans of the last layer and what is said of each pair, a block of rows each."""
        buffers = self.net.dtype
        return self.answers(lambda b: self.net.pair_answers(b, Buffers(buffers)), X, n_jobs=n_jobs)

    def layer(self, number: int) -> SparseLayer:
        """A layer with experts; raises if there is none of that number."""
        sparse = self.net.sparse
        if not -len(sparse) <= number < len(sparse):
            raise ValueError(f"layer={number!r} must lie in [-{len(sparse)}, {len(sparse)}).")
        return sparse[number]

    def weights(self, X: Array, layer: int, *, n_jobs: int | None = None) -> Array:
        """Weights of the routed experts of a layer, (n, E); of tokens the means over a sample."""
        chosen, own = self.layer(layer), _OwnBuffers(self.net.dtype)
        place = self.net.layers.index(chosen)

        def weights(batch: Batch) -> Array:
            h = self.net.stream_before(batch, place, own())
            full = chosen.plan(h, batch, None).combine()[:, : chosen.n_routed]
            if batch.group:
                full = full.reshape(-1, batch.group, full.shape[1]).mean(axis=1)
            return full

        return np.concatenate(self.answers(weights, X, n_jobs=n_jobs))

    def log_densities(self, X: Array, columns: Floats, *, n_jobs: int | None = None) -> Floats:
        """Log densities (n,) of y, where densities are mixed."""
        target, found, start = self.target_of(columns), [], 0
        for plan, said in self.pair_answers(X, n_jobs=n_jobs):
            rows = target[start : start + plan.n_rows]
            found.append(-self.net.head.mixed_losses(said, rows, plan)[0])
            start += plan.n_rows
        return np.concatenate(found) - self.target.log_unit

    # -------------------------------------------------------------------- as users see it

    @property
    def labels(self) -> list[str]:
        """Names of the routed experts in legends."""
        return [f"expert {e}" for e in range(self.net.sparse[-1].n_routed)]
