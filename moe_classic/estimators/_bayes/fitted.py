"""The record of a Bayesian fit: its tables, and draws from the posterior."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._bayes import Step, raw_terms
from moe_classic._data import DesignMap
from moe_classic._numerics import softmax_in_place
from moe_classic._results import FittedMixture, term_index
from moe_classic._typing import Floats

#: What tables are indexed by, as those of inference.
_LEVELS = ["part", "expert", "kind", "term"]
_COLUMNS = ["mean", "sd", "low", "high"]
Label = tuple[str, str, str, str]


@dataclass(frozen=True)
class Draw:
    """One draw from the posterior of a mixture of regressions.

    Attributes
    ----------
    coef : (K, q), gate : (K, q), coefficients on designs
    gate_map : what the gate sees of X
    """

    coef: Floats
    gate: Floats
    gate_map: DesignMap

    def weights(self, X: np.ndarray) -> Floats:
        """Gate probabilities at rows, (K, n)."""
        eta = self.gate @ self.gate_map(X)
        softmax_in_place(eta)
        return eta

    def means(self, experts: Floats, gate: Floats) -> Floats:
        """Means of y at designs (q, n) of experts and gate, (n,)."""
        g = self.gate @ gate
        softmax_in_place(g)
        return np.einsum("kn,kn->n", g, self.coef @ experts)


@dataclass(frozen=True, eq=False)
class FittedPosterior(FittedMixture):
    """A mixture whose parameters are distributions.

    Attributes
    ----------
    report : list of dict
        What became of every start.
    path : list of Step
        Mixtures on the way of the best start.
    """

    report: list[dict[str, Any]]
    path: list[Step]

    @property
    def expert_map(self) -> DesignMap:
        """What the experts see of X."""
        return self.maps[self.model.groups[0].design]

    @property
    def gate_map(self) -> DesignMap:
        """What the gate sees of X."""
        return self.maps[self.model.gate_design]

    @property
    def parts(self) -> list[str]:
        """What the part of a term of an expert is called, one an output."""
        names = self.target.names
        return ["expert"] if len(names) == 1 else [f"expert: {name}" for name in names]

    def table(self, coverage: float) -> pd.DataFrame:
        """Posterior means, standard deviations and central intervals, one row a term."""
        rows = list(self._rows(0.5 * (1.0 - coverage)))
        index = term_index([label for label, _ in rows], _LEVELS)
        table = pd.DataFrame([values for _, values in rows], index=index, columns=_COLUMNS)
        notes = self.remarks
        if notes:
            keys = [(part, kind, term) for (part, _, kind, term), _ in rows]
            table["note"] = [notes.get(key, "") for key in keys]
        return table

    def _rows(self, tail: float) -> Iterator[tuple[Label, tuple[float, float, float, float]]]:
        """Terms of all experts, and of the gate relative to the last expert."""
        expert, params = self.model.groups[0].expert, self.params.experts[0]
        ask: Any = expert
        for k, label in enumerate(self.labels):
            for part, (kind, term, values) in ask.posterior_rows(
                params, k, self.expert_map, self.parts, tail
            ):
                yield (part, label, kind, term), values
        gate: Any = self.model.gate
        for k, label in enumerate(self.labels[:-1]):
            rows = gate.posterior_rows(self.params.gate, k, self.gate_map, tail)
            for kind, term, values in rows:
                yield ("gate", label, kind, term), values

    def draws(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draws from the posterior, one a row, with the terms of :meth:`table` as columns."""
        coef, others, gate = self.raw_draws(n, rng)
        columns: dict[Label, Floats] = {}
        for k, label in enumerate(self.labels):
            for m, part in enumerate(self.parts):
                terms = raw_terms(self.expert_map, coef[:, k, m])
                columns |= {(part, label, *key): value for key, value in terms.items()}
            for name, value in others.items():
                columns[self.parts[0], label, name, name] = value[:, k]
        for k, label in enumerate(self.labels[:-1]):
            terms = raw_terms(self.gate_map, gate[:, k] - gate[:, -1])
            columns |= {("gate", label, *key): value for key, value in terms.items()}
        index = term_index(list(columns), _LEVELS)
        return pd.DataFrame(np.stack(list(columns.values()), axis=1), columns=index)

    def drawn(self, n: int, rng: np.random.Generator) -> list[Draw]:
        """Draws of a mixture of regressions, to be asked for means."""
        coef, _, gate = self.raw_draws(n, rng)
        return [Draw(c[:, 0], g, self.gate_map) for c, g in zip(coef, gate, strict=True)]

    def both_designs(self, X: np.ndarray) -> tuple[Floats, Floats]:
        """What experts and gate see of rows."""
        return self.expert_map(X), self.gate_map(X)

    def raw_draws(
        self, n: int, rng: np.random.Generator
    ) -> tuple[Floats, dict[str, Floats], Floats]:
        """Coefficients (n, K, M, q) of experts, other parameters (n, K), the gate's (n, K, q)."""
        ask: Any = self.model.groups[0].expert
        coef, others = ask.posterior_draws(self.params.experts[0], n, rng)
        gate: Any = self.model.gate
        return coef, others, gate.posterior_draws(self.params.gate, n, rng)
