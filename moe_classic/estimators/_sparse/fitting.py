"""The steps of a fit: a net with random numbers, or a copy of the last one; rows; training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from moe_classic._adapters import TableColumns
from moe_classic._data import DesignMap, RawData, fit_design, slices_of
from moe_classic._nets import Data, Net, Outcome, Schedule, Trainer
from moe_classic._results import FittedNet, tokens_of
from moe_classic._training import Monitor
from moe_classic.estimators._mixture import RowChecker
from moe_classic.routers import HashRouter, Router

from .options import batch_rows, step_length

Array = np.ndarray

# ------------------------------------------------------------------------- before training


def begun(estimator: Any, raw: RawData, checker: RowChecker, rng: np.random.Generator) -> FittedNet:
    """A net with random numbers, and the moments by which rows are standardised."""
    router = clone(estimator._make_router())
    target = checker.target.training_data(raw, None, standardize=True, common=False).target
    design, route = _designs(estimator, router, raw, checker)
    dtype = np.dtype(raw.X.dtype if estimator.dtype is None else estimator.dtype).name
    tokens = tokens_of(design, estimator.tokens, dtype, raw.X[:1])
    places = tokens.shape[1] if estimator.tokens is not None else 0
    layers, head = estimator._layers(router, tokens.shape[2] - 1, places, target)
    net = Net(layers, head, dtype, dropout=estimator.dropout)
    _start(net, None if route is None else route.width - 1, rng)
    record = FittedNet(net, design, route, target, estimator.tokens, dtype)
    net.prepare(record.inputs_of(raw.X), raw.w / raw.w.mean())
    return record


def _designs(
    estimator: Any, router: Router, raw: RawData, checker: RowChecker
) -> tuple[DesignMap, DesignMap | None]:
    """What the net sees of X, and what its routers do if that is something else."""
    rows, y = slices_of(raw.X, raw.w), checker.target.values(raw.key).T
    options: dict[str, Any] = {
        "fit_on": (raw.X, y),
        "names_in": checker.names,
        "standardize": True,
    }
    design = fit_design(None, rows, owner=type(estimator).__name__, **options)
    if router.features is None:
        return design, None
    plain = isinstance(router, HashRouter)
    route = fit_design(router.features, rows, owner="router", raw=plain, **options)
    names = checker.names
    seen = names.taken(route.columns) if isinstance(names, TableColumns) else names
    if plain and isinstance(seen, TableColumns):
        raise ValueError(
            f"{router!r} hashes numbers, and some of its features are not; encode X before, with "
            "TableEncoder() in a pipeline."
        )
    return design, route


def _start(net: Net, seen: int | None, rng: np.random.Generator) -> None:
    """Random numbers for every layer; routers see ``seen`` columns, or the stream."""
    for part in net.parts:
        if hasattr(part, "router"):
            part.start(rng, net.dtype, seen=part.experts.width if seen is None else seen)
        else:
            part.start(rng, net.dtype)


def continued(estimator: Any, record: FittedNet) -> FittedNet:
    """A copy of the last fit to go on with; raises if the arguments ask for another net."""
    layer, router = record.net.sparse[0], estimator._make_router()
    same = layer.n_routed == estimator.n_experts and _settings(layer.router) == _settings(router)
    if not same:
        raise ValueError(
            f"warm_start=True cannot go on: the last fit had {layer.n_routed} experts behind "
            f"{layer.router!r}, now n_experts={estimator.n_experts} and router={router!r}. Set "
            "warm_start=False."
        )
    return record.copied()


def _settings(router: Router) -> tuple[str, str]:
    """What must agree for a warm start; a margin may end during a fit."""
    params = {name: v for name, v in router.get_params(deep=False).items() if name != "margin"}
    return type(router).__name__, repr(params)


def divided(
    estimator: Any, record: FittedNet, data: Data, rng: np.random.Generator
) -> tuple[FittedNet, tuple[Data, Data | None]]:
    """Rows to train on and rows held out, the same as in the fit that is gone on from.

    Else rows on which the net was trained would judge it.
    """
    if record.drawn is None:
        record = replace(record, drawn=dict(rng.bit_generator.state))
        return record, split(estimator, data, rng)
    again = np.random.default_rng()
    again.bit_generator.state = record.drawn
    return record, split(estimator, data, again)


def split(estimator: Any, data: Data, rng: np.random.Generator) -> tuple[Data, Data | None]:
    """Rows to train on, and rows held out, of classes in equal shares."""
    n, share = len(data), estimator.validation_fraction
    order = rng.permutation(n)
    if data.y.ndim == 1:
        held = [
            mine[: int(share * len(mine))]
            for mine in (order[data.y[order] == c] for c in np.unique(data.y))
        ]
        out = np.concatenate(held)
    else:
        out = order[: int(share * n)]
    if out.size == 0:
        return data, None
    rest = np.ones(n, dtype=bool)
    rest[out] = False
    return data.take(np.flatnonzero(rest)), data.take(np.sort(out))


# ------------------------------------------------------------------------- training


def _one_thread() -> Any:
    """BLAS has one thread: products are small, and threads would wait for each other.

    Beside other work, two threads of a two-core machine took ten times as long as one.
    """
    return threadpool_limits(1, "blas")


def _trainer(estimator: Any, record: FittedNet, n: int) -> tuple[Trainer, int]:
    """A trainer of the net, and rows a batch."""
    layer = record.net.sparse[0]
    choices = layer.router.choices(layer.n_routed)
    size = batch_rows(estimator.batch_size, n, layer.n_routed, choices)
    rate = step_length(estimator.learning_rate, size)
    trainer = Trainer(record.net, rate, estimator.weight_decay)
    if record.adam is not None:
        trainer.resume(record.adam)
    return trainer, size


def train(
    estimator: Any,
    record: FittedNet,
    parts: tuple[Data, Data | None],
    rng: np.random.Generator,
    root: Any,
    *,
    go_on: bool,
) -> tuple[FittedNet, Outcome]:
    """Epochs, and a last look at the training rows; trains the net in the record."""
    trainer, size = _trainer(estimator, record, len(parts[0]))
    run = None
    if getattr(estimator, "_skl_callbacks", None):
        run = root.subcontext(task_name="epochs", max_subtasks=None)
    monitor = Monitor(estimator, "epochs", run)
    done = len(record.outcome.history)
    schedule = Schedule(
        estimator.max_iter,
        estimator.patience,
        estimator.tol,
        size,
        report=monitor,
        begin=lambda epoch: estimator._epoch_begins(record.net, done + epoch),
        compare=go_on,
    )
    with _one_thread():
        outcome = trainer.run(*parts, schedule, rng)
        monitor.close()
        adam = trainer.finish()
        _calibrate(record.net, parts[0])
    whole, weight = outcome.after(record.outcome), float(len(parts[0]))
    return replace(record, adam=adam, outcome=whole, weight=weight), outcome


def one_epoch(
    estimator: Any, record: FittedNet, data: Data, weight: float, rng: np.random.Generator
) -> tuple[FittedNet, Outcome]:
    """All rows once; what earlier rows need of the routers counts by weight."""
    net, done = record.net, len(record.outcome.history)
    before = [dict(layer.state) for layer in net.sparse]
    trainer, size = _trainer(estimator, record, len(data))
    schedule = Schedule(
        1,
        2,
        estimator.tol,
        size,
        begin=lambda epoch: estimator._epoch_begins(net, done + epoch),
    )
    with _one_thread():
        outcome = trainer.run(data, None, schedule, rng)
        adam = trainer.finish()
        _calibrate(net, data)
    total = record.weight + weight
    _mix_states(net, before, record.weight / total)
    return replace(record, adam=adam, outcome=outcome.after(record.outcome), weight=total), outcome


def _calibrate(net: Net, data: Data) -> None:
    """What predictions of single rows need, from the training rows."""
    if net.needs_calibration():
        net.calibrate(data.batch(slice(None))[0])


def _mix_states(net: Net, before: list[dict[str, Array]], share: float) -> None:
    """Means of what earlier rows, of this share of the weight, and the last ones need."""
    for layer, old in zip(net.sparse, before, strict=True):
        for name in layer.router.calibrated:
            if name in old and name in layer.state:
                new = layer.state[name]
                layer.state[name] = new + (old[name] - new) * share
