"""What a fit has to say: its history as a table, and warnings with numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from moe_classic._nets import Net, Outcome
from moe_classic._results import FittedNet
from moe_classic.routers import RoutingWarning

#: An expert with less than this share of an even load is idle.
_IDLE = 0.01
#: Shares of pairs without room and of rows without an expert that are worth a word.
_MANY_DROPPED, _MANY_UNCOVERED = 0.2, 0.05


def history_frame(history: list[dict[str, float]]) -> pd.DataFrame:
    """One row an epoch; seconds last."""
    table = pd.DataFrame(history)
    if table.empty:
        return pd.DataFrame(columns=["epoch", "loss", "validation", "seconds"])
    table["epoch"] = table["epoch"].astype(int)
    columns = [name for name in table.columns if name != "seconds"]
    return table[[*columns, "seconds"]]


def warn_of_routing(estimator: Any, outcome: Outcome) -> None:
    """Warn of idle experts, of pairs and rows left out, and of training that was cut short."""
    if not outcome.stopped:
        warnings.warn(
            f"{type(estimator).__name__} was still learning after max_iter={estimator.max_iter} "
            f"epochs (best {estimator.best_iter_}). Raise max_iter; a fit ends by itself after "
            f"patience={estimator.patience} epochs without a gain.",
            ConvergenceWarning,
            stacklevel=4,
        )
    for i, share in enumerate(outcome.loads[-1]):
        idle = int((share < _IDLE / len(share)).sum())
        if idle:
            _warn(
                f"{idle} of {len(share)} experts of layer {i} had less than {_IDLE:.0%} of an even "
                f"share of the rows in the last epoch (smallest {share.min() * len(share):.2g} of "
                "it): raise balance, or use a router that balances by itself."
            )
    for i, value in enumerate(outcome.dropped[-1]):
        if value > _MANY_DROPPED:
            _warn(
                f"{value:.0%} of the pairs of layer {i} found no room in the last epoch: raise "
                "capacity or balance."
            )
    for i, value in enumerate(outcome.uncovered[-1]):
        if value > _MANY_UNCOVERED:
            _warn(
                f"{value:.0%} of the rows had no expert in layer {i} in the last epoch and passed "
                "as they were: raise capacity."
            )


def _warn(message: str) -> None:
    """Warn of routing, from where the fit was called."""
    warnings.warn(message, RoutingWarning, stacklevel=5)


# ------------------------------------------------------------------------- what users see


def routing_attributes(record: FittedNet) -> dict[str, Any]:
    """Fitted attributes about epochs and experts."""
    net, outcome = record.net, record.outcome
    layers, E = len(net.sparse), net.sparse[0].n_routed
    loads = np.array(outcome.loads).reshape(-1, layers, E)
    at, found = max(outcome.best - 1, 0), bool(outcome.history)
    every, active = net.n_parameters()
    return {
        "load_history_": loads,
        "n_iter_": len(outcome.history),
        "best_iter_": outcome.best,
        "loss_": float(outcome.history[at]["loss"]) if found else np.nan,
        "load_": loads[at] if found else np.full((layers, E), np.nan),
        "dropped_": outcome.dropped[at] if found else np.zeros(layers),
        "uncovered_": outcome.uncovered[at] if found else np.zeros(layers),
        "n_parameters_": every,
        "n_active_parameters_": active,
        "routers_": net.sparse,
    }


def summary_table(net: Net, load: np.ndarray) -> pd.DataFrame:
    """One row an expert: its share of the rows, what it costs, and its router's view of it."""
    rows = []
    for i, layer in enumerate(net.sparse):
        extra, E = layer.router.extra_experts(), layer.n_routed
        for e in range(E + extra):
            routed = e < E
            share = float(load[i, e]) if routed else np.nan
            row = {
                "layer": i,
                "expert": e,
                "kind": "routed" if routed else "shared",
                "load": share,
                "load_over_mean": share * E,
                "parameters": layer.experts.size,
                "norm": float(np.linalg.norm(layer.table[e])),
            }
            if "bias" in layer.state:
                row["bias"] = float(layer.state["bias"][e]) if routed else np.nan
            rows.append(row)
    return pd.DataFrame(rows).set_index(["layer", "expert"])


def load_bars(layer: int, share: np.ndarray) -> str:
    """Load of the experts of a layer as a row of bars, in HTML."""
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
