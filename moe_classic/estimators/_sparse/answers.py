"""What fitted nets answer: predictions, routing, tables."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sklearn.utils import estimator_html_repr
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from moe_classic._engine import make_engine
from moe_classic._nets import Batch, Buffers, Net
from moe_classic._typing import Floats, Ints

from .report import summary_table

T = TypeVar("T")
Array = np.ndarray

#: Rows predicted at a time: for each expert, at least, at most.
_EACH, _LEAST, _MOST = 128, 8192, 65536


def _mixes_densities(estimator: Any) -> bool:
    """Whether densities are mixed; else the methods that need them say so."""
    if getattr(estimator, "mix", "densities") != "densities":
        raise AttributeError(
            f"{type(estimator).__name__} with mix={estimator.mix!r} adds up outputs and has no "
            "density of its own; use mix='densities'."
        )
    return True


class NetAnswers:
    """Answers that need a fitted net."""

    _net: Net
    n_jobs: int | None = None

    def _check_rows(self, X: Any) -> Array:
        """Validated features of new rows."""
        check_is_fitted(self, "_net")
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=False)

    def _batch(self, X: Array) -> Batch:
        """Validated rows as layers see them."""
        tokens = self._tokens_of(X)  # type: ignore[attr-defined]
        inputs = self._inputs_of(X) if self._needs_inputs() else None  # type: ignore[attr-defined]
        group = tokens.shape[1] if self.tokens is not None else 0  # type: ignore[attr-defined]
        ones = np.ones(len(X), dtype=tokens.dtype)
        return Batch(tokens.reshape(-1, tokens.shape[2]), ones, inputs, group)

    def _in_blocks(self, answer: Callable[[Batch], T], X: Array) -> list[T]:
        """What ``answer`` says of each block of validated rows, in order; in ``n_jobs`` threads."""
        rows = min(max(_EACH * self._net.sparse[0].n_routed, _LEAST), _MOST)
        parts = [X[start : start + rows] for start in range(0, len(X), rows)]
        engine = make_engine(self.n_jobs if len(parts) > 1 else None)
        return engine.map(lambda part: answer(self._batch(part)), parts)

    def _answers(self, X: Any) -> Array:
        """What the net says of rows, (n, out)."""
        X = self._check_rows(X)
        return np.concatenate(self._in_blocks(self._net.answer, X))

    # -------------------------------------------------------------------- routing

    def _plans(self, X: Array, layer: int) -> list[Array]:
        """Combine weights of a layer, of blocks of rows; of tokens the means over a sample."""
        sparse = self._net.sparse
        if not -len(sparse) <= layer < len(sparse):
            raise ValueError(f"layer={layer!r} must lie in [-{len(sparse)}, {len(sparse)}).")
        chosen = sparse[layer]
        place = self._net.layers.index(chosen)

        def weights(batch: Batch) -> Array:
            h = self._net.stream_before(batch, place)
            full = chosen.plan(h, batch, None).combine()[:, : chosen.n_routed]
            if batch.group:
                full = full.reshape(-1, batch.group, full.shape[1]).mean(axis=1)
            return full

        return self._in_blocks(weights, X)

    def gate_proba(self, X: Any, *, layer: int = -1) -> Floats:
        """Weights of the routed experts of a layer; 0 where an expert is not consulted.

        They sum to one where the router normalises them. With tokens, means over the tokens.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        layer : int, default=-1
            Number of the sparse layer.

        Returns
        -------
        weights : ndarray of shape (n_samples, n_experts)
        """
        return np.concatenate(self._plans(self._check_rows(X), layer))

    def predict_expert(self, X: Any, *, layer: int = -1) -> Ints:
        """Number of the routed expert with the largest weight; -1 for rows without one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        layer : int, default=-1

        Returns
        -------
        expert : ndarray of int of shape (n_samples,)
        """
        weights = self.gate_proba(X, layer=layer)
        return np.where((weights != 0.0).any(axis=1), weights.argmax(axis=1), -1)

    def routing(self, X: Any) -> pd.DataFrame:
        """Which experts each row consults, one line a row, layer and expert.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        table : DataFrame
            Columns ``row``, ``layer``, ``rank`` (0 for the largest weight), ``expert``,
            ``weight``.
        """
        X = self._check_rows(X)
        tables = []
        for i in range(len(self._net.sparse)):
            weights = np.concatenate(self._plans(X, i))
            order = np.argsort(-weights, axis=1, kind="stable")
            row, rank = np.nonzero(np.take_along_axis(weights, order, axis=1))
            expert = order[row, rank]
            tables.append(
                pd.DataFrame(
                    {
                        "row": row,
                        "layer": i,
                        "rank": rank,
                        "expert": expert,
                        "weight": weights[row, expert],
                    }
                )
            )
        table = pd.concat(tables, ignore_index=True)
        return table.sort_values(["row", "layer", "rank"], ignore_index=True)

    # -------------------------------------------------------------------- densities

    def _said_by_pairs(self, X: Array) -> list[tuple[Any, Array]]:
        """Plans and what each pair says, in blocks."""
        return self._in_blocks(lambda b: self._net.pair_answers(b, Buffers(self._net.dtype)), X)

    @available_if(_mixes_densities)
    def expert_predictions(self, X: Any) -> Floats:
        """What each expert that a row consults says by itself; NaN where it is not consulted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        predictions : ndarray of shape (n_samples, n_experts) or (n_samples, n_experts, n_outputs)
            Means in the shape of y, or class probabilities.
        """
        X = self._check_rows(X)
        blocks = []
        for plan, said in self._said_by_pairs(X):
            values = self._on_scale(self._net.head.answer(said))
            experts = np.repeat(np.arange(len(plan.offsets) - 1), np.diff(plan.offsets))
            full = np.full((plan.n_rows, len(plan.offsets) - 1, values.shape[1]), np.nan)
            full[plan.rows, experts] = values
            blocks.append(full)
        return self._shaped(np.concatenate(blocks))

    def _shaped(self, said: Array) -> Array:
        """Answers (n, K, out) as users get them."""
        return said

    def _on_scale(self, said: Array) -> Array:
        """Answers of the net on the scale of y."""
        return said

    # -------------------------------------------------------------------- tables

    def summary(self) -> pd.DataFrame:
        """One row an expert: share of the rows, numbers, bias.

        Returns
        -------
        table : DataFrame
            Indexed by layer and expert: ``kind`` (routed or shared), ``load``, the share of the
            training pairs in the best epoch, ``load_over_mean``, ``parameters``, ``norm`` of its
            numbers, and ``bias`` where the router has one.
        """
        check_is_fitted(self, "_net")
        return summary_table(self)

    def _expert_labels(self) -> list[str]:
        """Names of the routed experts in legends."""
        return [f"expert {e}" for e in range(self._net.sparse[-1].n_routed)]

    def _headline(self) -> str:
        """One line about the fit."""
        layer = self._net.sparse[0]
        count = f"{layer.n_routed} experts behind {layer.router!r}"
        best = f"epoch {self.best_iter_} of {self.n_iter_}"  # type: ignore[attr-defined]
        numbers = f"{self.n_active_parameters_:,} of {self.n_parameters_:,} parameters a row"  # type: ignore[attr-defined]
        return f"{count}; loss {self.best_loss_:.4g} in {best}; {numbers}"  # type: ignore[attr-defined]

    def _html_repr(self) -> str:
        """scikit-learn's diagram, and once fitted the load of every layer as bars."""
        diagram = estimator_html_repr(self)
        if not hasattr(self, "load_"):
            return diagram
        bars = "".join(_bars(i, share) for i, share in enumerate(self.load_))
        return (
            f'{diagram}<div class="moe-cards" style="font-size:.9em;margin-top:.6em;">'
            f"<div>{escape(self._headline())}</div>{bars}</div>"
        )


def _bars(layer: int, share: Array) -> str:
    """Load of the experts of a layer as a row of bars; a line at an even share."""
    top = max(float(share.max()), 1e-12)
    bars = "".join(
        f'<div title="expert {e}: {100 * s:.2g} %" style="flex:1;max-width:1.2em;background:'
        f'#0072B2;height:{max(100.0 * s / top, 1.0):.1f}%;"></div>'
        for e, s in enumerate(share.tolist())
    )
    return (
        f"<div>layer {layer}: share of the rows, at most {100 * top:.2g} %</div>"
        '<div style="display:flex;align-items:flex-end;gap:1px;height:3em;margin:.2em 0 .5em;">'
        f"{bars}</div>"
    )
