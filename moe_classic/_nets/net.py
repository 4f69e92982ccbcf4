"""The chain: layers, head, gradients of a batch, and what prediction needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from moe_classic.routers import Pairs, Plan

from .adam import Adam
from .buffers import Buffers
from .heads import Head, pair_streams
from .layers import Affine, Batch, SparseLayer

Array = np.ndarray
Layer: TypeAlias = Affine | SparseLayer


@dataclass
class Step:
    """What a step of training saw.

    Attributes
    ----------
    loss : float
        Weighted mean of the row losses.
    plans : list of Plan
        One a sparse layer.
    """

    loss: float
    plans: list[Plan]

    @property
    def total(self) -> float:
        """Loss with the auxiliary ones."""
        return self.loss + sum(sum(plan.losses.values()) for plan in self.plans)


class Net:
    """A tuple of layers over a stream of rows, and a head.

    Parameters
    ----------
    layers : list of Affine and SparseLayer
    head : Head
    dtype : dtype
    dropout : float, default=0.0
        Share of the stream set to zero before the first sparse layer, in training.
    """

    layers: list[Layer]
    head: Head

    def __init__(
        self, layers: list[Layer], head: Head, dtype: Any, *, dropout: float = 0.0
    ) -> None:
        self.layers, self.head, self.dtype = layers, head, np.dtype(dtype).name
        self.dropout = dropout
        self._mask: Array | None = None

    @property
    def sparse(self) -> list[SparseLayer]:
        """Layers with experts."""
        return [layer for layer in self.layers if isinstance(layer, SparseLayer)]

    @property
    def parts(self) -> list[Any]:
        """Everything with shared parameters."""
        return [*self.layers, self.head]

    # -------------------------------------------------------------------- parameters

    def pack(self) -> tuple[Array, Array, Array]:
        """Shared parameters as views of one vector; that, the gradient's, and what are weights."""
        places = [(part, name) for part in self.parts for name in part.arrays]
        sizes = [part.arrays[name].size for part, name in places]
        flat = np.empty(sum(sizes), dtype=self.dtype)
        grads, weights = np.zeros_like(flat), np.zeros(flat.size, dtype=bool)
        start = 0
        for (part, name), size in zip(places, sizes, strict=True):
            old, span = part.arrays[name], slice(start, start + size)
            flat[span] = old.reshape(-1)
            part.arrays[name] = flat[span].reshape(old.shape)
            part.grads[name] = grads[span].reshape(old.shape)
            weights[span] = part.weights()[name].reshape(-1)
            start += size
        return flat, grads, weights

    def unpack(self) -> None:
        """Arrays of their own again, and no gradients: what is stored."""
        for part in self.parts:
            part.arrays = {name: a.copy() for name, a in part.arrays.items()}
            part.grads = {}

    def copy_numbers(self) -> list[Any]:
        """Copies of all that was learned."""
        shared = [{name: a.copy() for name, a in part.arrays.items()} for part in self.parts]
        tables = [layer.table.copy() for layer in self.sparse]
        return [shared, tables, [dict(layer.state) for layer in self.sparse]]

    def put_numbers(self, numbers: list[Any]) -> None:
        """Restore what :meth:`copy_numbers` gave, in place."""
        shared, tables, states = numbers
        for part, arrays in zip(self.parts, shared, strict=True):
            for name, value in arrays.items():
                part.arrays[name][...] = value
        for layer, table, state in zip(self.sparse, tables, states, strict=True):
            layer.table[...] = table
            layer.state = dict(state)

    def n_parameters(self) -> tuple[int, int]:
        """Numbers in all, and those that a row meets."""
        shared = sum(a.size for part in self.parts for a in part.arrays.values())
        every, active = shared, float(shared)
        for layer in self.sparse:
            extra, size = layer.router.extra_experts(), layer.experts.size
            every += layer.table.size
            active += size * (layer.router.choices(layer.n_routed) + extra)
        return every, round(active)

    # -------------------------------------------------------------------- forward

    def streams(self, batch: Batch, buffers: Buffers, rng: Any, *, until: int) -> Any:
        """The stream before layer ``until``, and what the gradients of the layers need."""
        h = batch.X
        memos: list[Any] = []
        first = next(i for i, layer in enumerate(self.layers) if isinstance(layer, SparseLayer))
        for i, layer in enumerate(self.layers[:until]):
            h = self._dropped(h, rng, memos) if i == first else h
            h, memo = layer.forward(h, batch, buffers, rng)
            memos.append(memo)
        if until == first:
            h = self._dropped(h, rng, memos)
        return h, memos

    def _dropped(self, h: Array, rng: Any, memos: list[Any]) -> Array:
        """The stream with some numbers set to zero, in training."""
        self._mask = None
        if rng is None or self.dropout == 0.0:
            return h
        keep = 1.0 - self.dropout
        self._mask = ((rng.random((len(h), h.shape[1] - 1)) < keep) / keep).astype(h.dtype)
        h = h.copy()
        h[:, :-1] *= self._mask
        return h

    def _pooled(self, h: Array, group: int) -> Array:
        """Means over the tokens of each sample."""
        return h.reshape(-1, group, h.shape[1]).mean(axis=1) if group else h

    def answer(self, batch: Batch, buffers: Buffers | None = None) -> Array:
        """Predictions (n, out), or probabilities, each a function of its row.

        They may lie in ``buffers``, if given, until these are used again.
        """
        buffers = Buffers(self.dtype) if buffers is None else buffers
        if self.head.mixed:
            plan, said = self.pair_answers(batch, buffers)
            return plan.put(self.head.answer(said).copy())
        h, _ = self.streams(batch, buffers, None, until=len(self.layers))
        return self.head.answer(self.head.said(self._pooled(h, batch.group)))

    def pair_answers(self, batch: Batch, buffers: Buffers) -> tuple[Pairs, Array]:
        """Plan of the last layer and what the head says of each of its pairs."""
        last = len(self.layers) - 1
        h, _ = self.streams(batch, buffers, None, until=last)
        plan, said, *_ = self._pairs(h, batch, buffers, None)
        return plan, said

    def _pairs(self, h: Array, batch: Batch, buffers: Buffers, rng: Any) -> Any:
        """The last layer's pairs: plan, what is said, streams, rows seen, what was kept."""
        layer = self.layers[-1]
        plan, X, Y, kept = layer.pairs(h, batch, buffers, rng)  # type: ignore[union-attr]
        U = pair_streams(X, Y, residual=layer.residual, buffers=buffers)  # type: ignore[union-attr]
        return plan, self.head.said(U), U, X, kept

    def row_losses(self, batch: Batch, y: Array, buffers: Buffers | None = None) -> Array:
        """Losses (n,) in prediction."""
        buffers = Buffers(self.dtype) if buffers is None else buffers
        if self.head.mixed:
            plan, said = self.pair_answers(batch, buffers)
            return self.head.mixed_losses(said, y, plan)[0]
        h, _ = self.streams(batch, buffers, None, until=len(self.layers))
        return self.head.losses(self.head.said(self._pooled(h, batch.group)), y)[0]

    def stream_before(self, batch: Batch, layer: int, buffers: Buffers | None = None) -> Array:
        """The stream that a layer sees in prediction."""
        buffers = Buffers(self.dtype) if buffers is None else buffers
        return self.streams(batch, buffers, None, until=layer)[0]

    # -------------------------------------------------------------------- backward

    def step(self, batch: Batch, y: Array, buffers: Buffers, rng: Any, mover: Any) -> Step:
        """Loss and gradients of a batch; experts move at once.

        Gradients of shared parameters are left in ``part.grads``.

        Parameters
        ----------
        batch : Batch
        y : ndarray of shape (n, out), or of int of shape (n,)
        buffers : Buffers
        rng : Generator
        mover : callable
            ``mover(layer, table, first, stop, g)`` moves experts of the sparse layer of that
            number.

        Returns
        -------
        step : Step
        """
        share = batch.w / batch.w.sum()
        if self.head.mixed:
            return self._step_mixed(batch, y, share, buffers, rng, mover)
        h, memos = self.streams(batch, buffers, rng, until=len(self.layers))
        pooled = self._pooled(h, batch.group)
        losses, g = self.head.losses(self.head.said(pooled), y)
        g *= share[:, None]
        g_h = self.head.pull(pooled, g)
        if batch.group:
            g_h = np.repeat(g_h / batch.group, batch.group, axis=0)
        self._pull(g_h, len(self.layers), memos, losses, buffers, mover)
        plans = [memo[0] for memo in memos if isinstance(memo[0], Plan)]
        return Step(float(share.astype(np.float64) @ losses), plans)

    def _step_mixed(
        self, batch: Batch, y: Array, share: Array, buffers: Buffers, rng: Any, mover: Any
    ) -> Step:
        """The same with densities mixed over the pairs of the last layer."""
        last = len(self.layers) - 1
        layer = self.sparse[-1]
        h, memos = self.streams(batch, buffers, rng, until=last)
        plan, said, U, X, kept = self._pairs(h, batch, buffers, rng)
        losses, ratio = self.head.mixed_losses(said, y, plan)
        G = self.head.pull_mixed(U, said, y, plan, ratio * plan.weights, share)
        whole = G.copy() if layer.residual else None
        number = len(self.sparse) - 1
        inputs = last > 0
        _, g_X = layer.experts.backward(
            layer.table,
            X,
            kept,
            G,
            None,
            plan.offsets,
            buffers,
            lambda a, b, g: mover(number, layer.table, a, b, g),
            inputs=inputs,
        )
        g_in = layer.pull_router(plan, (-ratio * share[plan.rows]).astype(self.dtype), losses)
        if inputs and g_X is not None:
            if whole is not None:
                g_X += whole
            g_h = plan.pull_take(g_X)
            if g_in is not None:
                g_h += g_in
            self._pull(g_h, last, memos, losses, buffers, mover)
        plans = [memo[0] for memo in memos if isinstance(memo[0], Plan)]
        return Step(float(share.astype(np.float64) @ losses), [*plans, plan])

    def _pull(
        self,
        g: Array,
        until: int,
        memos: list[Any],
        losses: Array,
        buffers: Buffers,
        mover: Any,
    ) -> None:
        """Pull a gradient back through the layers before ``until``."""
        first = self.layers.index(self.sparse[0])
        number = sum(isinstance(layer, SparseLayer) for layer in self.layers[:until])
        back: Array | None = g
        if until == first and self._mask is not None:
            back = g * self._mask
        for i in range(until - 1, -1, -1):
            layer = self.layers[i]
            if back is None:
                return
            if isinstance(layer, Affine):
                back = layer.backward(back, memos[i], inputs=i > 0)
                continue
            number -= 1

            def move(a: int, b: int, g: Array, n: int = number, at: Any = layer) -> None:
                mover(n, at.table, a, b, g)

            back = layer.backward(back, memos[i], buffers, move, losses, inputs=i > 0)
            if i == first and self._mask is not None and back is not None:
                back = back * self._mask

    # -------------------------------------------------------------------- after batches

    def settle(self, plans: list[Plan]) -> None:
        """State of the routers after a batch."""
        for layer, plan in zip(self.sparse, plans, strict=True):
            layer.settle(plan)

    def needs_calibration(self) -> bool:
        """Whether a router needs to look at training rows before it predicts."""
        return any(layer.router.calibrated for layer in self.sparse)

    def calibrate(self, batch: Batch) -> None:
        """Layer by layer, what single rows need, from training rows."""
        buffers = Buffers(self.dtype)
        h = batch.X
        for layer in self.layers:
            if isinstance(layer, SparseLayer):
                layer.calibrate(h, batch)
            h = layer.forward(h, batch, buffers, None)[0]

    def prepare(self, inputs: Array, w: Array) -> None:
        """One look of the routers at the training rows."""
        for layer in self.sparse:
            layer.state = layer.router.prepare(layer.state, inputs, w, layer.n_routed)

    def optimiser(self, rate: float, decay: float, flat: Array, weights: Array) -> Adam:
        """Adam for all that is learned."""
        tables = [layer.table for layer in self.sparse]
        masks = [layer.experts.is_weight() for layer in self.sparse]
        return Adam(rate, decay, flat, weights, tables, masks)
