"""What users see of a Gaussian gate: tables, terms of inference, a graph for other runtimes."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._components import (
    CORRELATION,
    CORRELATION_KIND,
    LINE,
    MEAN,
    POSITIVE,
    STD,
    WEIGHT,
    ComponentTerms,
    Units,
    block_diagonal,
    covariance_moments,
    differences,
    pack_field,
    unpack_field,
)
from moe_classic._typing import Floats
from moe_classic.gates._base import GateRow
from moe_classic.gates._constant import SMALLEST

from .params import GaussianGateParams


def table_rows(shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[GateRow]:
    """Proportion, and mean and standard deviation of every feature, of each expert."""
    table = []
    for k in range(K):
        row = {(WEIGHT, WEIGHT): float(shown["weights_"][k])}
        for j, name in enumerate(names):
            row[MEAN, name] = float(shown["means_"][k, j])
            row[STD, name] = float(np.sqrt(shown["covariances_"][k, j, j]))
        table.append(row)
    return table


def mean_terms(params: GaussianGateParams, units: Units) -> ComponentTerms:
    """Means of the features, in their units."""
    K, p = params.means.shape
    design = units.design
    heads = [("gate", label, MEAN, name) for label in units.labels for name in design.names]
    return ComponentTerms(
        heads,
        [LINE] * (K * p),
        heads,
        lambda params: (design.centre + params.means * design.unit).ravel(),
        lambda params: np.diag(np.tile(design.unit, K)),
    )


def spread_terms(like: GaussianGateParams, units: Units, *, diagonal: bool) -> ComponentTerms:
    """Standard deviations and correlations of the features."""
    names, p = units.design.names, len(units.design.names)
    owners = units.labels if len(like.chol) == len(units.labels) else ["all"]
    rows, cols = np.tril_indices(p)
    lower = [
        (STD, names[a]) if a == b else (CORRELATION_KIND, f"{names[a]}, {names[b]}")
        for a, b in zip(rows, cols, strict=True)
    ]
    # Of a diagonal factor only the diagonal is free.
    free = np.flatnonzero((rows == cols) | (not diagonal))
    terms = [(STD, name) for name in names]
    terms += [lower[i] for i in free if rows[i] != cols[i]]
    scale = np.concatenate([units.design.unit, np.ones(len(terms) - p)])

    def spread(free_entries: Floats) -> Floats:
        entries = np.zeros(rows.size)
        entries[free] = free_entries
        moments = covariance_moments(unpack_field("cholesky", entries[None])[0])
        return scale * moments[: len(terms)]

    def entries_of(chol: Floats) -> Floats:
        return pack_field("cholesky", chol[None])[0][free]

    return ComponentTerms(
        [("gate", owner, *term) for owner in owners for term in terms],
        ([POSITIVE] * p + [CORRELATION] * (len(terms) - p)) * len(owners),
        [("gate", owner, *lower[i]) for owner in owners for i in free],
        lambda params: np.concatenate([spread(entries_of(L)) for L in params.chol]),
        lambda params: block_diagonal([differences(spread, entries_of(L)) for L in params.chol]),
    )


def softmax_node(graph: Any, params: GaussianGateParams, linear: Any) -> str:
    """Softmax of ``log pi - log det L - |L^-1 (z - m)|^2 / 2``."""
    K, p = params.means.shape
    P = np.broadcast_to(np.linalg.inv(params.chol), (K, p, p))
    shift = -(P @ params.means[:, :, None])
    white = linear(np.concatenate([P, shift], axis=2).reshape(K * p, p + 1))
    cube = graph.reshape(graph.node("Mul", white, white), K, p)
    half = graph.node("Mul", graph.total(cube, 2), graph.constant(np.array(-0.5)))
    log_det = np.log(np.einsum("kii->ki", params.chol)).sum(axis=1)
    constant = np.log(np.maximum(params.proportions, SMALLEST)) - log_det
    return str(graph.node("Softmax", graph.node("Add", half, graph.constant(constant)), axis=1))
