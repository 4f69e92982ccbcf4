"""Sufficient statistics of mixed columns as nodes of an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from .families import Column


def statistics_node(graph: Any, column: Column, z: str) -> str:
    """Statistics (n, T) of a column ``z`` (n, 1): zero for values that cannot be drawn."""
    if column.family == "categorical":
        levels = graph.constant(np.array([column.levels]))
        return _number(graph, graph.node("Equal", z, levels))
    known = _known(graph, column.family, z)
    inside = graph.node("Where", known, z, graph.constant(np.ones((1, 1))))
    one = _number(graph, known)
    terms = [graph.node("Mul", one, inside)]
    if column.family == "gaussian":
        terms.append(graph.node("Mul", terms[0], inside))
    if column.family == "gamma":
        terms.append(graph.node("Mul", one, graph.node("Log", inside)))
    return str(graph.node("Concat", one, *terms, axis=1))


def _known(graph: Any, family: str, z: str) -> str:
    """Which values of a column can be drawn, (n, 1) of bool."""
    if family == "gaussian":
        return str(graph.node("Equal", z, z))  # NaN is not equal to itself
    zero = graph.constant(np.zeros((1, 1)))
    if family == "bernoulli":
        ends = (zero, graph.constant(np.ones((1, 1))))
        return str(graph.node("Or", *(graph.node("Equal", z, end) for end in ends)))
    if family == "gamma":
        return str(graph.node("Greater", z, zero))
    from_zero = graph.node("GreaterOrEqual", z, zero)
    if family == "exponential":
        return str(from_zero)
    return str(graph.node("And", from_zero, graph.node("Equal", graph.node("Floor", z), z)))


def _number(graph: Any, truth: str) -> str:
    """Truth values as 0 and 1."""
    one, zero = graph.constant(np.ones((1, 1))), graph.constant(np.zeros((1, 1)))
    return str(graph.node("Where", truth, one, zero))
