"""What the likeliest experts of each row say, without asking the others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from moe_classic._data import Block
from moe_classic._model import Model, MoEParams, ObservedModel, check_said
from moe_classic._routing import top_k_weights
from moe_classic._typing import Bools, Floats

from ._moments import Said, blended, blended_variance


class TopExperts:
    """What the likeliest experts of each row of a block say: a mixture of ``top_k`` experts a row.

    Parameters
    ----------
    model : Model
    params : MoEParams
        On the scale on which answers are wanted.
    block : Block
        Its target is not looked at.
    top_k : int
    """

    model: Model
    block: Block
    n_rows: int
    weights: Floats
    consulted: Bools
    owners: list[tuple[Any, Any, int]]

    def __init__(self, model: Model, params: MoEParams, block: Block, top_k: int) -> None:
        if isinstance(model, ObservedModel) and model.misses(block):
            raise ValueError(
                f"top_k={top_k} asks an expert about the rows that consult it, and what is missing "
                "in them is marginalised by all experts together; leave top_k at None for rows "
                "with missing values."
            )
        self.model, self.block, self.n_rows = model, block, block.w.size
        gate = np.exp(model.log_gate(params, block))
        self.weights, self.consulted = top_k_weights(gate, top_k)
        groups = zip(model.groups, params.experts, strict=True)
        self.owners = [(g, p, j) for g, p in groups for j in range(g.count)]

    def _ask(self, quantity: str) -> Iterator[Said]:
        """Rows (m,), weights (m,) and answers (d or C, m) of every expert that is consulted."""
        for k, (group, params, j) in enumerate(self.owners):
            rows = np.flatnonzero(self.consulted[k])
            if rows.size:
                one = group.expert.take(params, j)
                design = self.block.designs[group.design].at(rows)
                said = getattr(group.expert, quantity)(one, design)
                yield rows, self.weights[k, rows], check_said(self.model, quantity, said, k)[0]

    def proba(self) -> Floats:
        """Class probabilities, (C, n)."""
        return blended(self._ask("mean"), self.n_rows)

    def mean(self) -> Floats:
        """Blended locations, (d, n)."""
        return blended(self.locations, self.n_rows)

    @cached_property
    def locations(self) -> list[Said]:
        """Answers of the experts, each asked once: mean and variance both need them."""
        return list(self._ask("location"))

    def variance(self) -> Floats:
        """Variances, (d, n): within experts plus between experts."""
        return blended_variance(self.locations, self._ask("variance"), self.n_rows)
