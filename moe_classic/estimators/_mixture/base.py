"""The fit template of every mixture, and what all of them answer, whatever their target."""

from __future__ import annotations

from contextlib import closing
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from moe_classic._compat import with_callbacks
from moe_classic._data import (
    MOST_ROWS,
    RawData,
    Rows,
    dask_parts,
    first_pass,
    is_dask,
    slices_of,
)
from moe_classic._engine import make_engine, one_thread
from moe_classic._model import check_order_by
from moe_classic._results import (
    Explanation,
    explain_rows,
    importances,
    one_equation,
)
from moe_classic._sklearn import BaseComposition, CallbackSupportMixin, TransformerMixin
from moe_classic._targets import IntervalTarget, Target, TrainingData
from moe_classic._training import (
    BoundModel,
    StreamTrainer,
    Trained,
    Trainer,
    admits,
    bind,
    check_fitted_experts,
    check_seen,
    check_sparse,
    from_portfolio,
    keeps_origin,
    keeps_target,
    marginalizes,
    monitors_of,
    refuse_blocks,
    report_fits,
)
from moe_classic._typing import Floats, same_as
from moe_classic.estimators import _reporting
from moe_classic.solvers import DivergenceError, Solver

from . import answers
from .arguments import (
    check_subjects,
    describes_intervals,
    describes_several,
    given_responsibilities,
    resolve_arguments,
    scales_in_common,
    with_instances,
)
from .fitted import LearnedMixture, check_warm_start, how_it_ended, learned_mixture, warn_of_the_end
from .rows import RowChecker


class MixtureEstimator(CallbackSupportMixin, TransformerMixin, BaseComposition):
    """Fit template and answers of all mixtures that are fitted by maximum likelihood.

    A fit leaves one record, ``_fitted``, and what users see of it, all set at once and last: after
    a fit that was refused or interrupted everything is as it was before.
    """

    # What fits set and arguments that all mixtures have, for type checkers.
    n_experts: Any
    expert: Any
    gate: Any
    solver: Any
    init: Any
    n_init: int
    max_iter: int
    tol: float
    standardize: bool
    block_size: int | None
    warm_start: bool
    n_jobs: int | None
    random_state: Any
    verbose: Any
    experts_: list[Any]
    gate_: Any
    log_likelihood_: float
    trace_: Floats
    n_iter_: int
    converged_: bool
    n_parameters_: int

    _target: ClassVar[type[Target]]
    _listed = "expert"
    _trainer: type[Trainer] = Trainer
    _stream_trainer: type[StreamTrainer] = StreamTrainer
    _fitted: LearnedMixture | None = None
    #: Rows of ``partial_fit`` that are too few for a first fit, with what validated them.
    _waiting: tuple[RawData, RowChecker] | None = None

    #: Order in which like experts are published; an argument of flat mixtures.
    order_by: Any = "mass"
    #: What becomes of missing values in X; an argument of flat mixtures.
    missing: Any = "error"

    def __sklearn_tags__(self) -> Any:
        """Tags; missing values and levels in X where gate and every expert take them."""
        tags = super().__sklearn_tags__()
        inputs = tags.input_tags
        allow_nan, inputs.categorical, inputs.sparse = admits(self)
        inputs.allow_nan = allow_nan or marginalizes(self)
        return tags

    @same_as(_reporting.get_params)
    def get_params(self) -> Any: ...

    def set_params(self, **params: Any) -> Self:
        """Set arguments by name, nested ones such as ``gate__alpha`` too.

        A component that was given by its registered name is replaced by an instance of it where a
        parameter of its own is set.
        """
        return _reporting.set_params(self, **with_instances(self, params))

    # -------------------------------------------------------------------- fit

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : {array-like, sparse array or matrix} of shape (n_samples, n_features)
            Features; a DataFrame brings its column names. Sparse ones are taken by linear experts
            and by softmax and constant gates, and scaled by their largest size. A Dask DataFrame
            or array, with a target and weights in the same partitions, is fitted where its
            partitions are; they are computed anew in every pass, unless persisted.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; a weight of 2 is the same as a repeated row.
        groups : array-like of shape (n_samples,), default=None
            Labels of the subjects that rows were measured on. All rows of a group then come from
            one expert, and the log-likelihood is ``sum_i log sum_k g_k(x_i) prod f_k`` over the
            groups, with the product over the rows of each. The gate sees the mean of the rows of a
            group, its features where these are constant within groups; those that vary are called
            ``mean(name)`` in all tables. Weights must be alike within a group. None: rows are
            independent.

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

        References
        ----------
        Groups: Wedel & DeSarbo (1995), A mixture likelihood approach for generalized linear
        models, Journal of Classification 12; Grun & Leisch (2008), FlexMix version 2: finite
        mixtures with concomitant variables and varying and constant parameters, Journal of
        Statistical Software 28.
        """
        if is_dask(X, y, sample_weight, groups):
            return self._fit_parts(dask_parts(X, y, sample_weight, groups))
        checker = self._checker()
        return self._fit_rows(checker(X, y, sample_weight, groups), checker, X, y)

    def _fit_rows(self, raw: RawData, checker: RowChecker, X: Any = None, y: Any = None) -> Self:
        """Fit validated rows; callbacks are shown ``X`` and ``y``."""
        arguments = self._resolve_arguments()
        if raw.subjects is not None:
            check_subjects(arguments[2], self.missing)
        if self.missing == "marginalize":
            check_seen(raw.X, checker.names)
        self._check_size(raw.size, of_subjects=raw.subjects is not None)
        data = self._training_data(raw.merged() if isinstance(self.init, str) else raw, checker)
        rows = slices_of(data.X, data.w, data.subjects)
        return self._fit_data(arguments, data, rows, raw, checker, shown={"X": X, "y": y})

    @with_callbacks
    def fit_blocks(self, blocks: Any) -> Self:
        """Fit on rows that are read block by block, from a source larger than memory.

        The rows are read once for a sample and the moments, and once for every iteration on all
        rows; starts are tried on the sample. The result is that of :meth:`fit` on all rows at
        once, up to rounding and the choice of starts.

        Parameters
        ----------
        blocks : callable or iterable
            A callable without arguments that returns an iterable of ``(X, y)`` or
            ``(X, y, sample_weight)`` or ``(X, y, sample_weight, groups)`` tuples, for example
            ``lambda: ((f[cols], f["y"]) for f in pd.read_csv(path, chunksize=100_000))``; or an
            iterable that can be iterated over again, such as a list. Weights may be None; a group
            must come whole, in one block. Of a list of ``dask.delayed`` tuples each is read where
            Dask computes it: only sums travel.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If blocks differ in width, yield no rows, or can be read only once, and as for
            :meth:`fit`.
        """
        return self._fit_parts(blocks)

    def _fit_parts(self, blocks: Any) -> Self:
        """Fit rows that are read part by part, wherever these are."""
        arguments = self._resolve_arguments()
        if not isinstance(self.init, str):
            raise ValueError("fit_blocks needs init to be a strategy's name, not responsibilities.")
        refuse_blocks(arguments[0], arguments[1], self.missing)
        if describes_intervals(self.expert):
            raise ValueError(
                "fit_blocks reads one number a row, censored experts need two ends; use fit, or "
                "partial_fit."
            )
        checker = self._checker(least=1)
        stream = checker.stream(blocks)
        drawn, moments, n_rows = first_pass(stream, MOST_ROWS)
        if n_rows < 2:
            raise ValueError("blocks yielded a single row with positive weight; give at least two.")
        used = np.ones(drawn.w.size, dtype=bool)
        raw = RawData(drawn.X, drawn.y, drawn.w, used, drawn.subjects)
        if raw.subjects is not None:
            check_subjects(arguments[2], self.missing)
        self._check_size(n_rows, of_subjects=raw.subjects is not None)
        data = self._training_data(raw, checker, moments)
        source = {"stream": stream, "drawn": drawn}
        return self._fit_data(arguments, data, stream.rows, raw, checker, source=source, shown={})

    def _fit_data(
        self,
        arguments: tuple[list[Any], Any, Solver],
        data: TrainingData,
        rows: Rows,
        raw: RawData,
        checker: RowChecker,
        *,
        shown: dict[str, Any],
        source: dict[str, Any] | None = None,
    ) -> Self:
        """Bind the model, train it, and keep what comes of it.

        ``raw`` are validated rows, ``rows`` passes over all of them, ``source`` says where a
        trainer reads them that are not in memory; callbacks are ``shown`` the user's.
        """
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(estimator=self, **shown)
        trainer = self._make_trainer(arguments, data, rows, raw, checker, root, source or {})
        # BLAS has one thread: blocks are small, n_jobs threads go over them.
        with one_thread("blas"):
            with closing(trainer.engine):
                trained = self._train(trainer, raw)
            fitted = self._record(trainer, trained)
        check_fitted_experts(fitted.model, fitted.params, fitted.labels)
        self._set_fitted(fitted, checker, **how_it_ended(trainer, trained))
        warn_of_the_end(trainer, trained)
        report_fits(fitted.model, fitted.params, fitted.labels)
        root.call_on_fit_task_end(estimator=self, **shown)
        # Fitted all the same, with the last good parameters.
        if trained.error is not None:
            raise trained.error
        if trained.result.failure:
            raise DivergenceError(trained.result.failure)
        return self

    # -------------------------------------------------------------------- the steps of a fit

    def _checker(
        self, target: Target | None = None, *, fitted: bool = False, least: int = 2
    ) -> RowChecker:
        """What validates the rows of a fit, or of batches after one."""
        several = describes_several(self.expert)
        kind = IntervalTarget if describes_intervals(self.expert) else self._target
        return RowChecker(
            self,
            kind,
            multi_output=several,
            target=target,
            fitted=fitted,
            least=least,
            sparse=partial(check_sparse, self),
        )

    def _resolve_arguments(self) -> tuple[list[Any], Any, Solver]:
        """Components and solver from the constructor's arguments, all checked."""
        return resolve_arguments(self, self._target.kind)

    def _check_size(self, n: int, *, of_subjects: bool = False) -> None:
        """Raise if there are more experts than rows, or than groups of them."""
        if self.n_experts > n:
            what = "groups" if of_subjects else f"n_samples={n} rows of X"
            raise ValueError(
                f"n_experts={self.n_experts} is more than the {f'{n} ' * of_subjects}{what} with "
                f"positive weight; use fewer experts or more {'groups' if of_subjects else 'rows'}."
            )

    def _training_data(
        self, raw: RawData, checker: RowChecker, moments: Any = None
    ) -> TrainingData:
        """Rows as the model sees them; ``moments`` of the raw target where already known."""
        data = checker.target.training_data(
            raw,
            moments,
            standardize=self.standardize and not keeps_target(self.expert),
            common=scales_in_common(self.expert),
            centred=not keeps_origin(self.expert),
        )
        if raw.subjects is None or moments is not None:
            return data
        per_row = float(raw.subjects.w.sum()) / data.summary.weight
        return replace(data, summary=replace(data.summary, per_row=per_row))

    def _make_trainer(
        self,
        arguments: tuple[list[Any], Any, Solver],
        data: TrainingData,
        rows: Rows,
        raw: RawData,
        checker: RowChecker,
        root: Any,
        source: dict[str, Any],
    ) -> Trainer:
        """The trainer of the model that the arguments describe, bound to its designs."""
        kind = self._stream_trainer if source else self._trainer
        plan = self._bound(arguments, data, rows, raw, checker)
        return kind(
            plan=plan,
            data=data,
            solver=arguments[2],
            engine=make_engine(self.n_jobs, bound=plan.model.is_ours),
            max_iter=self.max_iter,
            tol=self.tol,
            block_size=self.block_size,
            monitor_for=monitors_of(self, root),
            **source,
        )

    def _bound(
        self,
        arguments: tuple[list[Any], Any, Solver],
        data: TrainingData,
        rows: Rows,
        raw: RawData,
        checker: RowChecker,
    ) -> BoundModel:
        """The model bound to designs; those of the last fit for a warm start."""
        groups, gate, solver = arguments
        bound = bind(
            groups,
            gate,
            rows,
            raw=raw,
            summary=data.summary,
            names_in=checker.names,
            standardize=self.standardize,
            classes=data.target.attributes.get("classes_"),
            n_jobs=self.n_jobs,
            marginal=self.missing == "marginalize",
        )
        solver.check_model(bound.model)
        solver.check_penalties(bound.model)
        check_order_by(self.order_by, bound.model, bound.maps, len(data.target.names))
        if not self.warm_start:
            return bound
        check_warm_start(self._fitted, bound, data, getattr(self, "n_features_in_", 0), checker)
        return bound if self._fitted is None else replace(bound, maps=self._fitted.maps)

    def _train(self, trainer: Trainer, raw: RawData) -> Trained:
        """Run the starts that the arguments ask for."""
        trainer.seed = check_random_state(self.random_state).randint(2**31 - 1)
        if self.warm_start and self._fitted is not None:
            return trainer.from_params(self._fitted.params_for(trainer.data.target))
        if isinstance(self.init, str):
            rng = np.random.default_rng(trainer.seed)
            return from_portfolio(trainer, self.init, self.n_init, rng)
        R = given_responsibilities(self.init, raw, self.n_experts)
        return trainer.from_responsibilities(R)

    def _record(self, trainer: Trainer, trained: Trained) -> LearnedMixture:
        """What is kept of a fit."""
        return learned_mixture(trainer, trained, self.order_by)

    def _set_fitted(
        self, fitted: LearnedMixture, checker: RowChecker | None = None, **ended: Any
    ) -> None:
        """Keep the record of a fit, and what users see of it; ``checker`` knows X if it is new."""
        changes = {"_fitted": fitted, "_waiting": None, **self._public(fitted), **ended}
        if checker is not None:
            changes |= {"n_features_in_": checker.n_features, **fitted.target.attributes}
            if checker.names is not None:
                changes["feature_names_in_"] = checker.columns.feature_names_in_
        state = {**self.__dict__, **changes}
        if checker is not None and checker.names is None:
            state.pop("feature_names_in_", None)
        # One assignment: an interrupt finds the old fit or the new one.
        self.__dict__ = state

    def __moe_fitted__(self) -> LearnedMixture | None:
        """The record of the last fit, for inference, displays and exports; None before one."""
        return self._fitted

    def __moe_with__(self, record: LearnedMixture) -> Self:
        """Copy of the estimator that answers from another record."""
        other = copy(self)
        other._set_fitted(record)
        return other

    def _public(self, fitted: LearnedMixture) -> dict[str, Any]:
        """Fitted attributes that follow from the record."""
        return {
            "experts_": fitted.experts,
            "gate_": fitted.gate,
            "n_parameters_": fitted.n_parameters,
        }

    @property
    def _mixture(self) -> LearnedMixture:
        """The record of the last fit; raises if there was none."""
        if self._fitted is None:
            check_is_fitted(self)
            raise AttributeError(f"this {type(self).__name__} holds no record of its fit")
        return self._fitted

    # -------------------------------------------------------------------- about rows

    @same_as(answers.gate_proba)
    def gate_proba(self) -> Any: ...

    @same_as(answers.predict_expert)
    def predict_expert(self) -> Any: ...

    @same_as(answers.responsibilities)
    def responsibilities(self) -> Any: ...

    @same_as(answers.expert_log_density)
    def expert_log_density(self) -> Any: ...

    @same_as(answers.score_samples)
    def score_samples(self) -> Any: ...

    @same_as(answers.log_likelihood)
    def log_likelihood(self) -> Any: ...

    @same_as(answers.aic)
    def aic(self) -> Any: ...

    @same_as(answers.bic)
    def bic(self) -> Any: ...

    @same_as(answers.icl)
    def icl(self) -> Any: ...

    # -------------------------------------------------------------------- about a fit

    @property
    def start_report_(self) -> pd.DataFrame:
        """What became of every start, best first.

        ``(moe.start_report_.optimum == 1).sum()`` starts ended within ``tol`` nats a row of the
        best height; 0 stands for those that were not followed to their end. Under penalties with
        kinks ``kkt_residual`` is the largest violation of the conditions of Karush, Kuhn and Tucker
        where a start ended, in nats a row and standardised unit of a slope.
        """
        return pd.DataFrame(self._mixture.report).set_index("start")

    @same_as(answers.inference)
    def inference(self) -> Any: ...

    # -------------------------------------------------------------------- which features it uses

    @property
    def coef_(self) -> Floats:
        """Slopes of the prediction, where that is a single linear equation in X.

        That is so with one expert, on the scale of its link or of the log odds, and of the mean
        of experts without a link under a constant gate. (n_features,), or one row an output; of
        classifiers (1, n_features) for the second of two classes, or one row a class, centred.
        Elsewhere an AttributeError says what to look at.
        """
        return one_equation(self._mixture, self.n_features_in_)[0]

    @property
    def intercept_(self) -> Any:
        """Constants of the equations that ``coef_`` has the slopes of."""
        return one_equation(self._mixture, self.n_features_in_)[1]

    @property
    def feature_importances_(self) -> Floats:
        """How much experts and gate look at each feature; they add up to one, (n_features,).

        The size of the slopes in the experts' equations in units of their noise (of log odds or of
        the link where there is none), plus that of the slopes of the gate's log odds, each for
        one standard deviation of the feature, averaged over experts by their shares. What has
        no slopes, such as estimators inside and transformed features, has no importances either:
        an AttributeError says so.
        """
        return importances(self._mixture, self.n_features_in_)

    # -------------------------------------------------------------------- how it reads

    @same_as(_reporting.summary)
    def summary(self) -> Any: ...

    @same_as(_reporting.explain)
    def explain(self) -> Any: ...

    @same_as(_reporting.transform)
    def transform(self) -> Any: ...

    @same_as(_reporting.get_feature_names_out)
    def get_feature_names_out(self) -> Any: ...

    _html_repr = _reporting._html_repr

    def _explanation(self, X: Any) -> Explanation:
        """What experts and gate say about the rows of ``X``."""
        return explain_rows(self, self._mixture, X)

    def _headline(self) -> str:
        """One line about the fit."""
        end = "converged" if self.converged_ else "not converged"
        return (
            f"log-likelihood {self.log_likelihood_:,.2f} nats, "
            f"{self.n_parameters_:g} parameters, {end} after {self.n_iter_} passes"
        )
