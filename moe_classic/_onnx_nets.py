"""Graphs of nets with experts: TopK chooses, Gather fetches the experts' matrices.

A graph fetches the matrices of every consulted expert for every row, (n, k, width, hidden): rows
are best fed in batches of some hundreds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._nets import Affine, SparseLayer
from moe_classic._results import FittedNet
from moe_classic._targets import ClassTarget
from moe_classic.routers import (
    BalancedRouter,
    DenseRouter,
    ExpertChoiceRouter,
    NoisyTopKRouter,
    ReinforceRouter,
    SharedOrExpertsRouter,
    TopKRouter,
)

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}
_KNOWN = (
    TopKRouter,
    NoisyTopKRouter,
    DenseRouter,
    ExpertChoiceRouter,
    BalancedRouter,
    ReinforceRouter,
    SharedOrExpertsRouter,
)


def net_graph(graph: Any, fitted: FittedNet, n_features: int) -> tuple[list[Any], list[Any]]:
    """Nodes of a fitted net, added to ``graph``.

    Parameters
    ----------
    graph : graph under construction
        With ``node``, ``constant`` and ``value``.
    fitted : FittedNet
    n_features : int
        Columns of X.

    Returns
    -------
    inputs, outputs : list of descriptions of values

    Raises
    ------
    TypeError
        If a router or the cutting of samples cannot be exported.
    """
    _check_exportable(fitted)
    return [graph.value("X", [None, n_features])], _Export(graph, fitted).outputs()


def _check_exportable(fitted: FittedNet) -> None:
    """Raise unless every layer has a graph."""
    if fitted.tokens is not None:
        raise TypeError(f"to_onnx cannot export tokens={fitted.tokens!r}; it knows rows only.")
    if fitted.design.transformer is not None:
        raise TypeError(
            "to_onnx cannot export levels of a table, which ONNX has no numbers for; encode X "
            "before the fit, with TableEncoder() in a pipeline, and export the net behind it."
        )
    route = fitted.route
    if route is not None and route.transformer is not None:
        raise TypeError(
            f"to_onnx cannot export features={route.transformer!r} of a router, a "
            "transformer; transform X before the fit."
        )
    for layer in fitted.net.sparse:
        if not isinstance(layer.router, _KNOWN):
            names = [cls.__name__ for cls in _KNOWN]
            raise TypeError(f"to_onnx cannot export the router {layer.router!r}; it knows {names}.")


class _Export:
    """One net on its way into a graph."""

    def __init__(self, graph: Any, fitted: FittedNet) -> None:
        self.g, self.fitted, self.net = graph, fitted, fitted.net

    # -------------------------------------------------------------------- pieces

    def op(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """A node whose inputs may be names or arrays."""
        names = [v if isinstance(v, str) else self.g.constant(np.asarray(v)) for v in inputs]
        return self.g.node(kind, *names, **attributes)

    def total(self, name: str, axis: int, *, keep: bool = False) -> str:
        """Sum over an axis."""
        return self.op("ReduceSum", name, np.array([axis]), keepdims=int(keep))

    def best(self, name: str, k: int) -> tuple[str, str]:
        """The k largest entries of each row, and their places."""
        values = f"values_{len(self.g.nodes)}"
        places = f"places_{len(self.g.nodes)}"
        count = self.g.constant(np.array([k]))
        node = self.g.onnx.helper.make_node("TopK", [name, count], [values, places], axis=-1)
        self.g.nodes.append(node)
        return values, places

    def affine(self, name: str, W: Any) -> str:
        """``x W + b`` with the biases in the last row."""
        return self.op("Add", self.op("MatMul", name, W[:-1]), W[-1])

    def activated(self, name: str, activation: str) -> str:
        """A stream after its activation."""
        kind = _ACTIVATIONS.get(activation)
        return name if kind is None else self.op(kind, name)

    def standard(self, design: Any) -> str:
        """Standardised features."""
        raw = "X"
        if design.columns is not None:
            raw = self.op("Gather", raw, design.columns.astype(np.int64), axis=1)
        # In two parts: a centre rounded once would shift features with a large offset.
        centre = design.centre.astype(self.g.dtype)
        raw = self.op("Sub", self.op("Sub", raw, centre), design.centre - centre)
        return self.op("Mul", raw, design.inverse)

    # -------------------------------------------------------------------- routers

    def routed(self, layer: SparseLayer, h: str) -> tuple[str, str | None, str | None]:
        """Weights (n, k) and places (n, k), or None and all experts; weight of the shared one."""
        router, a = layer.router, layer.arrays
        seen = h if router.features is None else self.standard(self.fitted.route)
        if isinstance(router, DenseRouter):
            if router.hidden_units:
                seen = self.op("Relu", self.op("Add", self.op("MatMul", seen, a["V"]), a["c"]))
            return self.op("Softmax", self._logits(seen, a), axis=1), None, None
        S = self._logits(seen, a)
        if isinstance(router, ExpertChoiceRouter):
            p = self.op("Softmax", S, axis=1)
            taken = self.op("GreaterOrEqual", p, layer.state["threshold"])
            return self.op("Where", taken, p, np.zeros(1)), None, None
        if isinstance(router, SharedOrExpertsRouter):
            weights, places = self._top(router._inner(), S, {})
            raw = self.op("Add", self.op("MatMul", seen, a["v"][:, None]), a["c"].reshape(1))
            s = self.op("Sigmoid", raw)
            return self.op("Mul", weights, s), places, self.op("Sub", np.ones(1), s)
        if isinstance(router, NoisyTopKRouter):
            plain = TopKRouter(router.top_k, normalise=router._learned or layer.n_routed == 1)
            return (*self._top(plain, S, {}), None)
        if isinstance(router, TopKRouter):
            return (*self._top(router, S, layer.state), None)
        value, places = self.best(S, 1)
        if isinstance(router, BalancedRouter):
            return self.op("Sigmoid", value), places, None
        return self.op("Add", self.op("Mul", value, np.zeros(1)), np.ones(1)), places, None

    def _logits(self, seen: str, a: dict[str, Any]) -> str:
        S = self.op("MatMul", seen, a["W"])
        return self.op("Add", S, a["b"]) if "b" in a else S

    def _top(self, router: TopKRouter, S: str, state: dict[str, Any]) -> tuple[str, str]:
        """Weights and places of the chosen experts."""
        soft = router.score == "softmax"
        q = self.op("Softmax", S, axis=1) if soft else self.op("Sigmoid", S)
        bias = state.get("bias")
        scores = q if bias is None else self.op("Add", q, bias)
        if router.n_groups > 1:
            scores = self._grouped(router, scores, biased=bias is not None)
        _, places = self.best(scores, router.top_k)
        weights = self.op("GatherElements", q, places, axis=1)
        if router.normalises():
            weights = self.op("Div", weights, self.total(weights, 1, keep=True))
        if router.second == "never":
            weights = self.op("Mul", weights, np.array([1.0, 0.0]))
        return self.op("Mul", weights, np.array([router.scale])), places

    def _grouped(self, router: TopKRouter, scores: str, *, biased: bool) -> str:
        """Scores of the groups that are left, others far below."""
        E, G = self.net.sparse[0].n_routed, router.n_groups
        groups = self.op("Reshape", scores, np.array([-1, G, E // G]))
        first, _ = self.best(groups, min(2, E // G) if biased else 1)
        value = self.total(first, 2)
        kept, _ = self.best(value, router.top_groups)
        # ReduceMin takes its axes in another way from operators 18 on.
        least = self.op("GatherElements", kept, self.op("ArgMin", kept, axis=1), axis=1)
        chosen = self.op("Unsqueeze", self.op("GreaterOrEqual", value, least), np.array([2]))
        masked = self.op("Where", chosen, groups, np.array([-1e30]))
        return self.op("Reshape", masked, np.array([-1, E]))

    # -------------------------------------------------------------------- experts

    def said(self, layer: SparseLayer, h: str, places: str | None) -> str:
        """What the consulted experts say, (n, k, out); all of them without places."""
        experts, E = layer.experts, layer.n_routed
        maps = [experts.maps(row) for row in layer.table]
        x = self.op("Unsqueeze", h, np.array([1, 2]))
        for number in range(len(maps[0])):
            W = np.stack([m[number][:-1] for m in maps])
            b = np.stack([m[number][-1:] for m in maps])
            if places is None:
                W, b = W[:E], b[:E]
            mine = [v if places is None else self.op("Gather", v, places, axis=0) for v in (W, b)]
            x = self.op("Add", self.op("MatMul", x, mine[0]), mine[1])
            if number == 0:
                x = self.activated(x, experts.activation)
        return self.op("Squeeze", x, np.array([2]))

    def shared(self, layer: SparseLayer, h: str, weight: str | None) -> str | None:
        """What the always-on experts add, (n, out)."""
        found = None
        for row in layer.table[layer.n_routed :]:
            first, second = layer.experts.maps(row)
            y = self.affine(self.activated(self.affine(h, first), layer.experts.activation), second)
            y = y if weight is None else self.op("Mul", y, weight)
            found = y if found is None else self.op("Add", found, y)
        return found

    def layer(self, layer: SparseLayer, h: str) -> tuple[str, str, str | None]:
        """The stream after a sparse layer, with weights and places."""
        weights, places, shared = self.routed(layer, h)
        Y = self.said(layer, h, places)
        mixed = self.blend(Y, weights)
        more = self.shared(layer, h, shared)
        mixed = mixed if more is None else self.op("Add", mixed, more)
        return (self.op("Add", h, mixed) if layer.residual else mixed), weights, places

    def blend(self, Y: str, weights: str) -> str:
        """Weighted sum over the pairs of each row."""
        return self.total(self.op("Mul", Y, self.op("Unsqueeze", weights, np.array([2]))), 1)

    # -------------------------------------------------------------------- the whole

    def outputs(self) -> list[Any]:
        """All nodes; descriptions of the outputs."""
        h = self.standard(self.fitted.design)
        weights = places = None
        last = self.net.sparse[-1]
        for layer in self.net.layers[:-1] if self.net.head.mixed else self.net.layers:
            if isinstance(layer, SparseLayer):
                h, weights, places = self.layer(layer, h)
            else:
                h = self._affine_layer(layer, h)
        if self.net.head.mixed:
            weights, places, _ = self.routed(last, h)
            u = self.said(last, h, places)
            if last.residual:
                u = self.op("Add", u, self.op("Unsqueeze", h, np.array([1])))
            said = self.blend(self._answer(self._head(u)), weights)
        else:
            said = self._answer(self._head(h))
        return self._named(said) + self._gate(str(weights), places)

    def _affine_layer(self, layer: Affine, h: str) -> str:
        h = self.affine(h, layer.arrays["W"]) if "W" in layer.arrays else h
        return self.activated(h, layer.activation)

    def _head(self, u: str) -> str:
        return self.affine(u, self.net.head.arrays["W"]) if self.net.head.linear else u

    def _answer(self, said: str) -> str:
        if self.net.head.kind == "class":
            return self.op("Softmax", said, axis=-1)
        return said

    def _named(self, said: str) -> list[Any]:
        """Outputs on the scale of y, or classes."""
        out, target = self.net.head.out, self.fitted.target
        if isinstance(target, ClassTarget):
            self.g.node("Identity", said, output="probabilities")
            described = self.g.value("probabilities", [None, out])
            return [self.g.labels(target.classes, "probabilities"), described]
        scaled = self.op("Add", self.op("Mul", said, target.factor), target.shift)
        self.g.node("Identity", scaled, output="variable")
        return [self.g.value("variable", [None, out])]

    def _gate(self, weights: str, places: str | None) -> list[Any]:
        """Combine weights of the last layer, (n, n_experts)."""
        E = self.net.sparse[-1].n_routed
        if places is not None:
            first = self.op("Slice", weights, np.array([0]), np.array([1]), np.array([1]))
            zeros = self.op("Mul", first, np.zeros((1, E)))
            weights = self.op("ScatterElements", zeros, places, weights, axis=1)
        self.g.node("Identity", weights, output="gate")
        return [self.g.value("gate", [None, E])]
