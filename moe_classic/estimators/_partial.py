"""``partial_fit``: learning from batches that are seen once."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from moe_classic._blocks import ArraySource
from moe_classic._online import OnlineState, check_online, step

from ._data import RawData
from ._published import Published


class OnlineMixin(Published):
    """On-line EM (Cappe & Moulines 2009) for estimators built on ``BaseMoE``."""

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Fit the first batch, or take one more into account."""
        state = self._online_state
        first = state is None
        raw = self._validated(X, y, sample_weight, reset=first, whole=False)
        return self._fit_rows(raw, X, y) if state is None else self._learn(raw, state)

    def _learn(self, raw: RawData, before: OnlineState) -> Any:
        """Take one more batch of validated rows into account."""
        check_online(self._model)
        target = self._target_of(raw)
        source = ArraySource(raw.X, target, raw.w, self._maps, self.block_size)
        state = step(self._model, before, list(source), self._summary)
        self._online_state = state
        self._show(state.params, self._mass_of(state))
        objective = state.weight * (state.stats.objective + self._offset)
        self.log_likelihood_ = objective
        self.trace_ = np.append(self.trace_, objective)
        self.n_iter_ += 1
        self.converged_ = False
        return self

    def _target_of(self, raw: RawData) -> np.ndarray:
        """Target of a batch as the model sees it, with the standardisation of the first rows."""
        if self._target == "class":
            return raw.key[0].astype(np.intp)
        return (raw.key - self._shift[:, None]) / self._factor[:, None]

    def _mass_of(self, state: OnlineState) -> np.ndarray:
        """Running masses of the experts, (K,)."""
        return np.concatenate([cast(Any, s).mass for s in state.stats.experts])
