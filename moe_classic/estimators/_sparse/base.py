"""The fit template of nets with experts."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from moe_classic._compat import CallbackSupportMixin, with_callbacks
from moe_classic._data import fit_design, slices_of
from moe_classic._nets import Adam, Data, Net, Outcome, Schedule, Trainer
from moe_classic._training import Monitor
from moe_classic._typing import Floats
from moe_classic.routers import HashRouter, Router, check_tokens
from moe_classic.solvers import DivergenceError

from .answers import NetAnswers
from .options import batch_rows, check_training, step_length
from .report import history_frame, warn_of_routing

Array = np.ndarray


class BaseNet(NetAnswers, CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta):
    """Fit template; subclasses say what the layers are and what a target is."""

    _kind: str
    n_experts: int
    tokens: Any = None
    dropout: float = 0.0

    @abstractmethod
    def _check_layers(self, n_features: int) -> Router:
        """The router, after a check of all arguments about layers."""

    @abstractmethod
    def _layers(
        self, router: Router, width: int, places: int, seen: int | None
    ) -> tuple[list[Any], Any]:
        """Layers and head, not started; ``seen`` columns if the router looks at X."""

    @abstractmethod
    def _check_target(self, y: Any, *, classes: Any = None, first: bool = True) -> Array:
        """Validated target as the net wants it: (n, out), or codes (n,)."""

    @abstractmethod
    def _standard_target(self, y: Array, w: Floats, *, first: bool) -> Array:
        """Standardised target; ``first`` fixes its moments."""

    # -------------------------------------------------------------------- fit

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BaseNet:
        """Fit by Adam on batches, until rows held out are no longer predicted better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0. Losses are weighted means; batches and capacities count rows.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If an argument or the data cannot be used; the message says what to do.
        DivergenceError
            If the learning rate made training run away. The estimator is then fitted with the last
            good parameters, and ``warm_start`` goes on from them.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` epochs were not enough.
        RoutingWarning
            If experts get hardly any rows, many pairs find no room, or many rows no expert.
        """
        go_on = bool(self.warm_start) and hasattr(self, "_net")
        X_in, y_in, w = self._validated(X, y, sample_weight, reset=not go_on)
        if self.n_experts > len(w):
            raise ValueError(
                f"n_experts={self.n_experts} is more than the n_samples={len(w)} rows of X with "
                "positive weight; use fewer experts or more rows."
            )
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        if not go_on:
            self._begin(X_in, y_in, w, rng)
        else:
            self._check_same()
        data = self._data(X_in, y_in, w)
        train, held = self._split(data, rng)
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        outcome = self._train(train, held, rng, root, go_on=go_on)
        self._publish(outcome, train, go_on=go_on)
        root.call_on_fit_task_end(estimator=self, X=X, y=y)
        self._raise_or_warn(outcome)
        return self

    def _validated(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool, classes: Any = None
    ) -> tuple[Array, Array, Floats]:
        """Validated rows of positive weight."""
        check_training(self)
        X, y = validate_data(
            self,
            X,
            y,
            dtype=[np.float64, np.float32],
            reset=reset,
            multi_output=self._kind == "real",
            y_numeric=self._kind == "real",
        )
        w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        used = w > 0.0
        if not used.any():
            raise ValueError("sample_weight is zero for every row; give at least one row weight.")
        check_tokens(self.tokens, X.shape[1])
        self._check_layers(X.shape[1])
        y = self._check_target(y[used], classes=classes, first=reset)
        return X[used], y, w[used]

    def _begin(self, X: Array, y: Array, w: Floats, rng: np.random.Generator) -> None:
        """Moments, and a net with random numbers."""
        router = clone(self._check_layers(X.shape[1]))
        self._dtype = np.dtype(X.dtype if self.dtype is None else self.dtype).name
        names = getattr(self, "feature_names_in_", None)
        names = None if names is None else [str(v) for v in names]
        rows = slices_of(X, w)
        options: dict[str, Any] = {"fit_on": (X, y), "names_in": names, "standardize": True}
        self._design = fit_design(None, rows, owner=type(self).__name__, **options)
        self._route = None
        if router.features is not None:
            raw = isinstance(router, HashRouter)
            self._route = fit_design(router.features, rows, owner="router", raw=raw, **options)
        self._standard_target(y, w, first=True)
        tokens = self._tokens_of(X[:1])
        places = tokens.shape[1] if self.tokens is not None else 0
        seen = None if self._route is None else self._route.width - 1
        layers, head = self._layers(router, tokens.shape[2] - 1, places, seen)
        self._net = Net(layers, head, self._dtype, dropout=self.dropout)
        self._start(seen, rng)
        self._net.prepare(self._inputs_of(X), w / w.mean())
        self._adam: Adam | None = None
        self._past = Outcome()
        self._seen_weight = 0.0

    def _start(self, seen: int | None, rng: np.random.Generator) -> None:
        """Random numbers for every layer."""
        for part in self._net.parts:
            if hasattr(part, "router"):
                part.start(rng, self._dtype, seen=part.experts.width if seen is None else seen)
            else:
                part.start(rng, self._dtype)

    def _check_same(self) -> None:
        """Raise if a warm start cannot go on from the last fit."""
        layer = self._net.sparse[0]
        router = self._check_layers(self.n_features_in_)
        same = layer.n_routed == self.n_experts and _settings(layer.router) == _settings(router)
        if not same or self._net.head.out != self._n_said():
            raise ValueError(
                f"warm_start=True cannot go on: the last fit had {layer.n_routed} experts behind "
                f"{layer.router!r}, now n_experts={self.n_experts} and router={router!r}, or "
                "another number of outputs. Set warm_start=False."
            )

    @abstractmethod
    def _n_said(self) -> int:
        """Outputs, or classes."""

    # -------------------------------------------------------------------- rows

    def _tokens_of(self, X: Array) -> Array:
        """Standardised rows (n, T, q + 1) with a column of ones."""
        Z = self._design(X).T.astype(self._dtype)
        if self.tokens is None:
            return np.ascontiguousarray(Z)[:, None]
        cut = self.tokens.cut(np.ascontiguousarray(Z[:, :-1]))
        ones = np.ones((*cut.shape[:2], 1), dtype=cut.dtype)
        return np.concatenate([cut, ones], axis=2)

    def _inputs_of(self, X: Array) -> Array:
        """What a router with ``features`` sees, and hash routers always."""
        design = self._design if self._route is None else self._route
        return np.ascontiguousarray(design(X)[:-1].T.astype(self._dtype))

    def _needs_inputs(self) -> bool:
        """Whether a router looks at X itself."""
        return self._route is not None or any(
            isinstance(layer.router, HashRouter) for layer in self._net.sparse
        )

    def _data(self, X: Array, y: Array, w: Floats) -> Data:
        """Rows as the trainer sees them."""
        target = self._standard_target(y, w, first=False)
        inputs = self._inputs_of(X) if self._needs_inputs() else None
        tokens = self._tokens_of(X)
        group = tokens.shape[1] if self.tokens is not None else 0
        return Data(tokens, target, (w / w.mean()).astype(self._dtype), inputs, group)

    def _split(self, data: Data, rng: np.random.Generator) -> tuple[Data, Data | None]:
        """Rows to train on, and rows held out, of classes in equal shares."""
        n, share = len(data), self.validation_fraction
        order = rng.permutation(n)
        if self._kind == "class":
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

    # -------------------------------------------------------------------- training

    def _trainer(self, n: int) -> tuple[Trainer, int]:
        """A trainer of the net, and rows a batch."""
        layer = self._net.sparse[0]
        choices = layer.router.choices(layer.n_routed)
        size = batch_rows(self.batch_size, n, layer.n_routed, choices)
        trainer = Trainer(self._net, step_length(self.learning_rate, size), self.weight_decay)
        if self._adam is not None:
            trainer.resume(self._adam)
        return trainer, size

    def _train(
        self, train: Data, held: Data | None, rng: np.random.Generator, root: Any, *, go_on: bool
    ) -> Outcome:
        """Epochs, and a last look at the training rows."""
        trainer, size = self._trainer(len(train))
        run = None
        if getattr(self, "_skl_callbacks", None):
            run = root.subcontext(task_name="epochs", max_subtasks=None)
        monitor = Monitor(self, "epochs", run)
        done = len(self._past.history) if go_on else 0
        schedule = Schedule(
            self.max_iter,
            self.patience,
            self.tol,
            size,
            report=monitor,
            begin=lambda epoch: self._epoch_begins(done + epoch),
            compare=go_on,
        )
        outcome = trainer.run(train, held, schedule, rng)
        monitor.close()
        self._adam = trainer.finish()
        self._calibrate(train)
        self._seen_weight = float(len(train))
        return outcome

    def _epoch_begins(self, epoch: int) -> None:
        """Called before each epoch; counted from 0, through warm starts."""

    def _calibrate(self, data: Data) -> None:
        """What predictions of single rows need, from the training rows."""
        if self._net.needs_calibration():
            self._net.calibrate(data.batch(slice(None))[0])

    def _publish(self, outcome: Outcome, data: Data, *, go_on: bool) -> None:
        """Attributes of the fit."""
        past = self._past
        done = len(past.history) if go_on else 0
        if go_on:
            for line in outcome.history:
                line["epoch"] += done
            for name in ("history", "loads", "dropped", "uncovered"):
                setattr(outcome, name, [*getattr(past, name), *getattr(outcome, name)])
        self._past = outcome
        layers, E = len(self._net.sparse), self._net.sparse[0].n_routed
        self.load_history_ = np.array(outcome.loads).reshape(-1, layers, E)
        self.n_iter_ = len(outcome.history)
        self.best_iter_ = outcome.best + done if outcome.best else done
        self.best_loss_ = float(outcome.best_loss)
        at = max(self.best_iter_ - 1, 0)
        found = bool(outcome.history)
        self.loss_ = float(outcome.history[at]["loss"]) if found else np.nan
        self.load_ = self.load_history_[at] if found else np.full((layers, E), np.nan)
        self.dropped_ = outcome.dropped[at] if found else np.zeros(layers)
        self.uncovered_ = outcome.uncovered[at] if found else np.zeros(layers)
        self.n_parameters_, self.n_active_parameters_ = self._net.n_parameters()
        self.routers_ = self._net.sparse

    @property
    def history_(self) -> pd.DataFrame:
        """One row an epoch: losses, loads and auxiliary losses of each layer, seconds."""
        check_is_fitted(self, "_past")
        return history_frame(self._past.history)

    def _raise_or_warn(self, outcome: Outcome) -> None:
        """Say what went wrong, with numbers."""
        if outcome.diverged:
            raise DivergenceError(
                f"Training ran away in epoch {self.n_iter_ + 1}: the loss is not finite. The "
                f"parameters of epoch {self.best_iter_} were kept. Lower learning_rate="
                f"{self.learning_rate!r}."
            )
        warn_of_routing(self, outcome)

    # -------------------------------------------------------------------- batches from outside

    @with_callbacks
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> BaseNet:
        """One epoch over some rows; nothing is held out.

        The first call fixes the moments by which features and target are standardised.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        classes : array-like of shape (n_classes,), default=None
            All classes, in the first call of a classifier; None takes those of ``y``.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : estimator
        """
        first = not hasattr(self, "_net")
        X_in, y_in, w = self._validated(X, y, sample_weight, reset=first, classes=classes)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        done = 0 if first else len(self._past.history)
        rng = np.random.default_rng([seed, done])
        if first:
            self._begin(X_in, y_in, w, rng)
        data = self._data(X_in, y_in, w)
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        before = [dict(layer.state) for layer in self._net.sparse]
        trainer, size = self._trainer(len(data))
        schedule = Schedule(
            1, 2, self.tol, size, begin=lambda epoch: self._epoch_begins(done + epoch)
        )
        outcome = trainer.run(data, None, schedule, rng)
        self._adam = trainer.finish()
        self._calibrate(data)
        self._mix_states(before, float(w.sum()))
        self._publish(outcome, data, go_on=not first)
        root.call_on_fit_task_end(estimator=self, X=X, y=y)
        if outcome.diverged:
            self._raise_or_warn(outcome)
        return self

    def _mix_states(self, before: list[dict[str, Array]], weight: float) -> None:
        """Means of what earlier rows and these need, by their weights."""
        total = self._seen_weight + weight
        for layer, old in zip(self._net.sparse, before, strict=True):
            for name in layer.router.calibrated:
                if name in old and name in layer.state:
                    new = layer.state[name]
                    layer.state[name] = new + (old[name] - new) * (self._seen_weight / total)
        self._seen_weight = total


def _settings(router: Router) -> tuple[str, str]:
    """What must agree for a warm start; a margin may end during a fit."""
    params = {name: v for name, v in router.get_params(deep=False).items() if name != "margin"}
    return type(router).__name__, repr(params)
