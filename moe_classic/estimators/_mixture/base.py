"""The fit template that every estimator shares."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from moe_classic._arguments import check_integer, check_real
from moe_classic._compat import CallbackSupportMixin, with_callbacks
from moe_classic._data import (
    MOST_ROWS,
    RawBlock,
    RawData,
    Rows,
    RowStream,
    Summary,
    TrainingData,
    first_pass,
    slices_of,
)
from moe_classic._engine import make_engine
from moe_classic._model import MoEParams, check_order_by, same_shapes
from moe_classic._training import (
    STRATEGIES,
    BoundModel,
    Monitor,
    StreamTrainer,
    Trained,
    Trainer,
    bind,
    by_name,
    no_monitor,
    refuse_blocks,
    resolve_experts,
    resolve_gate,
)
from moe_classic.estimators._params import NestedExperts
from moe_classic.solvers import SOLVERS, DivergenceError, Solver

from .online import OnlineMixin
from .prediction import CommonSurface


def _raise_failure(trained: Trained) -> None:
    """Raise if the climb broke off; the estimator is fitted with the last good parameters."""
    if trained.result.failure:
        raise DivergenceError(trained.result.failure)


class BaseMoE(OnlineMixin, CommonSurface, CallbackSupportMixin, NestedExperts, metaclass=ABCMeta):
    """Fit template and shared surface; subclasses say what a target is."""

    _trainer: type[Trainer] = Trainer
    _stream_trainer: type[StreamTrainer] = StreamTrainer

    @abstractmethod
    def _validated(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True, whole: bool = True
    ) -> RawData:
        """Validated rows with positive weight.

        ``reset`` sets what later rows must agree with; ``whole`` says that these are all rows, not
        one of several batches.
        """

    @abstractmethod
    def _training_data(self, raw: RawData, moments: Summary | None = None) -> TrainingData:
        """Rows as the model sees them; ``moments`` of the raw target where already known."""

    # -------------------------------------------------------------------- fit

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BaseMoE:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features; a DataFrame brings its column names.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; a weight of 2 is the same as a repeated row.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If an argument or the data cannot be used; the message says what to do.
        DivergenceError
            If a learning rate made the climb run away. The estimator is then fitted with the last
            good parameters, and ``warm_start`` goes on from them.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` was reached; the message names the log-likelihood still to gain.
        """
        raw = self._validated(X, y, sample_weight)
        return self._fit_rows(raw, X, y)

    def _fit_rows(self, raw: RawData, X: Any = None, y: Any = None) -> BaseMoE:
        """Fit validated rows; callbacks are shown ``X`` and ``y``."""
        resolved = self._resolve_arguments()
        self._check_size(raw.w.size)
        data = self._training_data(raw.merged() if isinstance(self.init, str) else raw)
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        plan = self._plan(resolved, data, slices_of(data.X, data.w), raw)
        trainer = self._trainer(**self._trainer_options(plan, data, resolved, root))
        trained = self._run(trainer, raw)
        self._publish(trainer, trained)
        root.call_on_fit_task_end(estimator=self, X=X, y=y)
        _raise_failure(trained)
        return self

    @with_callbacks
    def fit_blocks(self, blocks: Any) -> BaseMoE:
        """Fit on rows that are read block by block, from a source larger than memory.

        The rows are read once for a sample and the moments, and once for every iteration on all
        rows; starts are tried on the sample. The result is that of :meth:`fit` on all rows at
        once, up to rounding and the choice of starts.

        Parameters
        ----------
        blocks : callable or iterable
            A callable without arguments that returns an iterable of ``(X, y)`` or
            ``(X, y, sample_weight)`` tuples, for example
            ``lambda: ((f[cols], f["y"]) for f in pd.read_csv(path, chunksize=100_000))``; or an
            iterable that can be iterated over again, such as a list.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If blocks differ in width, yield no rows, or can be read only once, and as for
            :meth:`fit`.
        """
        resolved = self._resolve_arguments()
        if not isinstance(self.init, str):
            raise ValueError("fit_blocks needs init to be a strategy's name, not responsibilities.")
        refuse_blocks(resolved[0], resolved[1])
        stream = self._stream(blocks)
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(estimator=self)
        drawn, summary, n_rows = first_pass(stream, MOST_ROWS)
        self._check_size(n_rows)
        raw = RawData(drawn.X, drawn.y, drawn.w, np.ones(drawn.w.size, dtype=bool))
        data = self._training_data(raw, summary)
        plan = self._plan(resolved, data, stream.rows, raw)
        options = self._trainer_options(plan, data, resolved, root)
        trainer = self._stream_trainer(**options, stream=stream, drawn=drawn)
        trained = self._run(trainer, raw)
        self._publish(trainer, trained)
        root.call_on_fit_task_end(estimator=self)
        _raise_failure(trained)
        return self

    def _plan(self, resolved: Any, data: TrainingData, rows: Rows, raw: RawData) -> BoundModel:
        """The model bound to designs; those of the last fit for a warm start."""
        groups, gate, _ = resolved
        plan = bind(
            groups,
            gate,
            rows,
            raw=raw,
            summary=data.summary,
            names_in=self._names_in(),
            standardize=self.standardize,
            classes=getattr(self, "classes_", None),
            n_jobs=self.n_jobs,
        )
        resolved[2].check_model(plan.model)
        outputs = data.shift.size if self._target == "real" else data.summary.n_classes - 1
        check_order_by(self.order_by, plan.model, plan.maps, outputs)
        previous = self._previous(plan, data.summary) if self.warm_start else None
        return plan if previous is None else replace(plan, maps=previous._maps)

    def _trainer_options(
        self, plan: BoundModel, data: TrainingData, resolved: Any, root: Any
    ) -> dict[str, Any]:
        """What every trainer is given."""
        return {
            "plan": plan,
            "data": data,
            "solver": resolved[2],
            "engine": make_engine(self.n_jobs),
            "max_iter": self.max_iter,
            "tol": self.tol,
            "block_size": self.block_size,
            "monitor_for": self._monitors(root),
        }

    def _stream(self, blocks: Any) -> RowStream:
        """A user's blocks, validated on every pass."""

        def validate(X: Any, y: Any, w: Any, first: bool) -> RawBlock:  # noqa: FBT001
            raw = self._validated(X, y, w, reset=first)
            return raw.X, raw.key, raw.w

        return RowStream(blocks, validate)

    def _resolve_arguments(self) -> tuple[list[Any], Any, Solver]:
        """Components and solver from the constructor's arguments, all checked."""
        check_integer("n_experts", self.n_experts, 1, "the number of experts")
        check_integer("n_init", self.n_init, 1, "the number of starts")
        check_integer("max_iter", self.max_iter, 1, "the largest number of passes over the data")
        check_real("tol", self.tol, 0.0, "nats still to gain, per unit of weight, that end a fit")
        if self.block_size is not None:
            check_integer("block_size", self.block_size, 1, "rows a block, or None")
        verbose = int(self.verbose) if isinstance(self.verbose, bool) else self.verbose
        check_integer("verbose", verbose, 0, "0 is silent")
        for name in ("standardize", "warm_start"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name}={getattr(self, name)!r} must be True or False.")
        self._check_init()
        groups = resolve_experts(self.expert, self.n_experts, self._target)
        self._validate_names([label for label, _, _ in groups if label is not None])
        gate = resolve_gate(self.gate, self.n_experts, self._target)
        solver = by_name("solver", self.solver, SOLVERS, Solver)
        solver.check()
        return groups, gate, solver

    def _check_init(self) -> None:
        """Raise unless ``init`` is a known strategy or responsibilities."""
        known = ["auto", *STRATEGIES]
        if isinstance(self.init, str):
            if self.init not in known:
                raise ValueError(
                    f"init={self.init!r} is not known; choose one of {known} or pass "
                    "responsibilities of shape (n_samples, n_experts)."
                )
        elif np.ndim(self.init) != 2:
            raise ValueError(
                f"init must be one of {known} or responsibilities of shape (n_samples, "
                f"n_experts); got {type(self.init).__name__} with {np.ndim(self.init)} dimensions."
            )
        elif self.n_init not in (1, 10):
            raise ValueError(
                f"n_init={self.n_init} has no meaning when init gives the responsibilities of one "
                "start; leave n_init at its default or set it to 1."
            )

    def _check_size(self, n: int) -> None:
        """Raise if there are more experts than rows."""
        if self.n_experts > n:
            raise ValueError(
                f"n_experts={self.n_experts} is more than the n_samples={n} rows of X with "
                "positive weight; use fewer experts or more rows."
            )

    def _names_in(self) -> list[str] | None:
        """Column names of X, if it has any."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(v) for v in names]

    def _run(self, trainer: Trainer, raw: RawData) -> Trained:
        """Train with BLAS at one thread: blocks are small, ``n_jobs`` threads go over them."""
        with threadpool_limits(1, "blas"):
            return self._train(trainer, raw)

    def _train(self, trainer: Trainer, raw: RawData) -> Trained:
        """Run the starts that the arguments ask for."""
        trainer.seed = check_random_state(self.random_state).randint(2**31 - 1)
        rng = np.random.default_rng(trainer.seed)
        if self.warm_start and hasattr(self, "_params"):
            shift, factor = trainer.data.shift, trainer.data.factor
            return trainer.from_params(
                self._model.rescale(self._params, -shift / factor, 1.0 / factor)
            )
        if isinstance(self.init, str):
            return trainer.from_portfolio(self.init, self.n_init, rng)
        R = np.asarray(self.init, dtype=np.float64)
        if R.shape != (raw.used.size, self.n_experts):
            raise ValueError(
                f"init has shape {np.shape(self.init)}, responsibilities need one row a sample "
                f"and one column an expert: ({raw.used.size}, {self.n_experts})."
            )
        R = R[raw.used]
        if not np.isfinite(R).all() or (R < 0.0).any() or not (R.sum(axis=1) > 0.0).all():
            raise ValueError("init must be finite, not negative, with a positive sum in every row.")
        return trainer.from_responsibilities((R / R.sum(axis=1, keepdims=True)).T)

    def _previous(self, plan: BoundModel, summary: Summary) -> BaseMoE | None:
        """The last fit, where a warm start can go on from it."""
        if not plan.model.additive:
            raise ValueError(
                "warm_start=True cannot go on from scikit-learn estimators, which are refitted "
                "from scratch. Set warm_start=False; init=moe.responsibilities(X, y) starts from "
                "the shares of an earlier fit."
            )
        if not hasattr(self, "_params"):
            return None
        if self._model.n_experts != self.n_experts or self._width_in != self.n_features_in_:
            raise ValueError(
                "warm_start=True cannot go on: the last fit had "
                f"{self._model.n_experts} experts and {self._width_in} features, now there are "
                f"{self.n_experts} and {self.n_features_in_}. Set warm_start=False."
            )
        seen = [(m.names, m.width) for m in plan.maps]
        if seen != [(m.names, m.width) for m in self._maps] or not same_shapes(
            plan.model.start(plan.widths, summary), self._params
        ):
            raise ValueError(
                "warm_start=True cannot go on: the last fit had other experts, another gate, other "
                "features, or a target of another kind. Set warm_start=False."
            )
        return self

    def _standard_params(self) -> MoEParams:
        """Parameters for the standardised target."""
        return self._model.rescale(self._params, -self._shift / self._factor, 1.0 / self._factor)

    def _monitors(self, root: Any) -> Any:
        """A monitor for each long run: logs, and reports to callbacks."""
        callbacks = bool(getattr(self, "_skl_callbacks", None))
        if not callbacks and not self.verbose:
            return no_monitor

        def monitor(name: str) -> Any:
            run = root.subcontext(task_name=name, max_subtasks=None) if callbacks else None
            return Monitor(self, name, run)

        return monitor
