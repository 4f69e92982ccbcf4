"""``partial_fit``: learning from batches that are seen once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from moe_classic._data import MOST_ROWS, ArraySource, RawData
from moe_classic._model import MoEParams, same_shapes
from moe_classic._objectives import MixtureLikelihood
from moe_classic._training import OnlineState, RowBuffer, check_online, observe, step
from moe_classic.solvers import EM, Problem

from .fitted import Published

#: Differences between heights, in nats per unit of weight, that come from the standardisation,
#: which penalties see.
_ALIKE = 1e-4


class OnlineMixin(Published):
    """On-line EM (Cappe & Moulines 2009) for estimators built on ``BaseMoE``.

    The hill on which on-line EM ends is that of its first parameters, and the way there is EM's,
    step by step: a few rows choose the one badly and make the other long. So the first rows are
    kept, up to as many as starts are ever tried on, and fitted anew, from all starts, whenever
    their weight has doubled. In between, and once they are dropped, every batch takes one step on
    averaged statistics.
    """

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Fit the first batches, or take one more into account."""
        state = self._online_state
        if state is None:
            groups, gate, solver = self._resolve_arguments()
            check_online([gate, *(expert for _, expert, _ in groups)], solver)
        raw = self._validated(X, y, sample_weight, reset=state is None, whole=False)
        if state is None:
            return self._fit_first(raw, X, y)
        if self._kept is None:
            return self._update(raw, state)
        kept = self._kept.append(raw)
        if not kept.needs_refit:
            self._update(raw, state)
        else:
            kept = kept.merged()
            self._refit(kept.rows(), state, X, y)
            kept = kept.fitted()
        self._kept = None if kept.is_full else kept
        return self

    def _fit_first(self, raw: RawData, X: Any, y: Any) -> Any:
        """Fit the first batch; keep its rows where more of them may find a better start."""
        self._fit_rows(raw, X, y)
        if raw.w.size < MOST_ROWS and isinstance(self.init, str):
            self._kept = RowBuffer.of(raw).fitted()
        return self

    def _update(self, raw: RawData, before: OnlineState) -> Any:
        """Take one more batch of validated rows into account."""
        self._set_online(step(self._model, before, list(self._source_of(raw)), self._summary))
        return self

    def _refit(self, raw: RawData, before: OnlineState, X: Any, y: Any) -> None:
        """Fit all the rows kept, and go on from the higher of that and the hill of today."""
        model, source = self._model, self._source_of(raw)
        summary = replace(self._summary, weight=float(raw.w.sum()), n_rows=raw.w.size)
        problem = Problem(model, MixtureLikelihood(model), source, summary)
        old = EM().run(problem, before.params, max_iter=self.max_iter, tol=self.tol)
        height, sound = old.objective + self._offset * summary.weight, self._sound(old.params)
        fitted = self.__dict__.copy()
        self._fit_rows(raw, X, y)
        new = self._online_state
        if new is None or not same_shapes(old.params, new.params):
            return  # a tree that grew to another shape
        if sound >= self._sound(new.params) and height > self.trace_[-1] + _ALIKE * summary.weight:
            self.__dict__.update(fitted)
            self._set_online(observe(model, old.params, list(source)))

    def _sound(self, params: MoEParams) -> bool:
        """Whether no expert sits at a bound that only keeps the likelihood finite."""
        return self._model.n_degenerate(params, self._summary) == 0

    def _set_online(self, state: OnlineState) -> None:
        """Publish where learning stands."""
        self._online_state = state
        self._show(state.params, self._mass_of(state))
        self.log_likelihood_ = state.weight * (state.stats.objective + self._offset)
        self.trace_ = np.append(self.trace_, self.log_likelihood_)
        self.n_iter_ += 1
        self.converged_ = False

    def _source_of(self, raw: RawData) -> ArraySource:
        """Validated rows as the model sees them."""
        return ArraySource(raw.X, self._target_of(raw), raw.w, self._maps, self.block_size)

    def _target_of(self, raw: RawData) -> np.ndarray:
        """Target of a batch as the model sees it, with the standardisation of the first rows."""
        if self._target == "class":
            return raw.key[0].astype(np.intp)
        return (raw.key - self._shift[:, None]) / self._factor[:, None]

    def _mass_of(self, state: OnlineState) -> np.ndarray:
        """Running masses of the experts, (K,)."""
        return np.concatenate([cast(Any, s).mass for s in state.stats.experts])
