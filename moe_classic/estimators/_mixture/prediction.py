"""What every fitted estimator answers, whatever its target: gate, responsibilities, likelihood."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from moe_classic._data import Block, Design
from moe_classic._engine import make_engine
from moe_classic._numerics import log_sum_exp
from moe_classic._results import AnyExpert, Explanation, explain_rows
from moe_classic._routing import check_top_k
from moe_classic._typing import Floats, Ints
from moe_classic.estimators._described import Described, GateFeatures
from moe_classic.inference import Inference, inference
from moe_classic.predictive import TopExperts

from .fitted import Published

T = TypeVar("T")

#: Rows predicted at a time: bounds the memory of (K, n) arrays.
_ROWS = 1 << 14


def generator(random_state: Any) -> np.random.Generator:
    """A generator from scikit-learn's ``random_state``."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


class CommonSurface(GateFeatures, Described, Published):
    """Answers that need a fitted gate and experts, but no kind of target."""

    n_jobs: int | None

    @abstractmethod
    def _target_columns(self, y: Any) -> np.ndarray:
        """A target to score as the model wants it, (d, n) or codes (n,)."""

    # -------------------------------------------------------------------- rows

    def _validate_rows(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> tuple[Any, ...]:
        """X, y, weights and which rows count; ``options`` go to scikit-learn's validation."""
        options.setdefault("ensure_min_samples", 2 if options.get("reset", True) else 1)
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], **options)
        if sample_weight is None:
            # Views of one number: a long data set costs no memory beyond itself.
            return X, y, np.broadcast_to(1.0, len(X)), np.broadcast_to(np.True_, len(X))
        w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        used = w > 0.0
        if not used.any():
            raise ValueError("sample_weight is zero for every row; give at least one row weight.")
        return X, y, w, used

    def _check_rows(self, X: Any) -> Floats:
        """Validated features of new rows."""
        check_is_fitted(self)
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=False)

    def _block(self, X: Floats, y: np.ndarray | None) -> Block:
        """A block of some validated rows; without a target its target is zero."""
        designs = tuple(Design(m(X)) for m in self._maps)
        n = designs[0].Z.shape[1]
        return Block(designs, self._no_target(n) if y is None else y, np.ones(n))

    def _answers(
        self, answer: Callable[[Block], T], X: Floats, y: np.ndarray | None = None
    ) -> list[T]:
        """What ``answer`` says of each block of validated rows, in order.

        ``n_jobs`` threads share the blocks, where all components are our own: estimators of the
        user's have numbers of their own, and need not bear threads.
        """
        blocks = [slice(start, start + _ROWS) for start in range(0, len(X), _ROWS)]
        threads = len(blocks) > 1 and self._model.additive
        engine = make_engine(self.n_jobs if threads else None)
        return engine.map(
            lambda rows: answer(self._block(X[rows], None if y is None else y[..., rows])), blocks
        )

    def _no_target(self, n: int) -> np.ndarray:
        """A target for blocks whose target is not looked at."""
        return np.zeros((self._shift.size, n))

    def _pairs(self, X: Any, y: Any) -> tuple[Floats, np.ndarray]:
        """Validated features and target of rows to score."""
        X, target = self._check_rows(X), self._target_columns(y)
        if target.shape[-1] != len(X):
            raise ValueError(f"X has {len(X)} rows and y has {target.shape[-1]}; give one y a row.")
        return X, target

    def _consulting(self, top_k: Any) -> Callable[[Block], TopExperts]:
        """What turns a block into mixtures of the ``top_k`` likeliest experts of each row."""
        count = check_top_k(top_k, self._model.n_experts)
        return lambda block: TopExperts(self._model, self._params, block, count)

    # -------------------------------------------------------------------- gate and experts

    def gate_proba(self, X: Any) -> Floats:
        """Gate probabilities: which expert where, before y is seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_experts)
        """
        return np.concatenate(self._answers(lambda b: self._gate(b).T, self._check_rows(X)))

    def _gate(self, block: Block) -> Floats:
        """Gate probabilities of one block, (K, n)."""
        return np.exp(self._model.log_gate(self._params, block))

    def predict_expert(self, X: Any) -> Ints:
        """Number of the expert with the highest gate probability, from 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        expert : ndarray of int of shape (n_samples,)
        """
        return self.gate_proba(X).argmax(axis=1)

    def responsibilities(self, X: Any, y: Any) -> Floats:
        """Posterior probabilities of the experts given x and y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        R : ndarray of shape (n_samples, n_experts)
        """
        X, target = self._pairs(X, y)
        return np.concatenate(self._answers(lambda b: self._posterior(b).T, X, target))

    def _posterior(self, block: Block) -> Floats:
        """Responsibilities of one block, (K, n)."""
        return self._model.responsibilities(self._params, block)

    # -------------------------------------------------------------------- likelihood

    def score_samples(self, X: Any, y: Any = None) -> Floats:
        """Log density (log probability for classes) of y given x.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            None scores what the model says without a target: log p(x) with a gate that describes
            x (Gaussian), 0 with any other.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Natural logarithms.
        """
        if y is None:
            return np.concatenate(self._answers(self._log_marginal, self._check_rows(X)))
        X, target = self._pairs(X, y)
        return np.concatenate(
            self._answers(lambda b: self._model.log_likelihood(self._params, b), X, target)
        )

    def _log_marginal(self, block: Block) -> Floats:
        """Log p(x) of a generative gate in the units of X, 0 for others; (n,)."""
        design = block.designs[self._model.gate_design]
        if not self._model.gate.generative:
            return np.zeros(design.Z.shape[1])
        inverse = self._maps[self._model.gate_design].inverse
        log_unit = np.log(inverse[inverse > 0.0]).sum()
        return log_sum_exp(self._model.gate.log_joint(self._params.gate, design)) + log_unit

    def log_likelihood(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Total conditional log-likelihood in nats; see :meth:`score_samples`."""
        rows = self.score_samples(X, y)
        w = _check_sample_weight(
            sample_weight, rows[:, None], dtype=np.float64, ensure_non_negative=True
        )
        return float(rows @ w)

    def aic(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Akaike's criterion ``-2 L + 2 d`` (1974); lower is better."""
        return -2.0 * self.log_likelihood(X, y, sample_weight) + 2.0 * self.n_parameters_

    def bic(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Schwarz's criterion ``-2 L + d log n`` (1978), n the total weight; lower is better."""
        value = self.log_likelihood(X, y, sample_weight)
        w = _check_sample_weight(sample_weight, self._check_rows(X), dtype=np.float64)
        n = float(w.sum())
        return -2.0 * value + self.n_parameters_ * float(np.log(n))

    def icl(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Integrated completed likelihood: BIC plus twice the entropy of the responsibilities.

        Biernacki, Celeux & Govaert (2000); lower is better, and lower where experts are told
        apart clearly.
        """
        R = self.responsibilities(X, y)
        w = _check_sample_weight(sample_weight, R, dtype=np.float64)
        logs = np.log(np.where(R > 0.0, R, 1.0))
        return self.bic(X, y, sample_weight) - 2.0 * float(w @ (R * logs).sum(axis=1))

    @property
    def start_report_(self) -> pd.DataFrame:
        """What became of every start, best first.

        ``(moe.start_report_.optimum == 1).sum()`` starts ended within ``tol`` nats a row of the
        best height; 0 stands for those that were not followed to their end.
        """
        check_is_fitted(self, "_start_report")
        return pd.DataFrame(self._start_report).set_index("start")

    def inference(
        self,
        X: Any,
        y: Any,
        *,
        kind: str = "observed",
        sample_weight: Any = None,
        clusters: Any = None,
        level: float = 0.95,
        n_bootstrap: int | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> Inference:
        """Standard errors, tests and intervals; see :func:`moe_classic.inference.inference`.

        Parameters
        ----------
        X, y : array-like
            The rows that the model was fitted to.
        kind : {"observed", "opg", "sandwich", "bootstrap", "parametric_bootstrap"}
        sample_weight, clusters, level, n_bootstrap, n_jobs, random_state
            As for :func:`moe_classic.inference.inference`.

        Returns
        -------
        result : Inference
            With the tables ``experts`` and ``gate``.
        """
        return inference(
            self,
            X,
            y,
            kind=kind,
            sample_weight=sample_weight,
            clusters=clusters,
            level=level,
            n_bootstrap=n_bootstrap,
            n_jobs=n_jobs,
            random_state=random_state,
        )

    # -------------------------------------------------------------------- tables and cards

    def _expert_views(self) -> list[AnyExpert]:
        """The experts as records."""
        return self.experts_

    def _account(self, X: Any) -> Explanation:
        """What experts and gate say about the rows of ``X``."""
        return explain_rows(self, X)

    def _headline(self) -> str:
        """One line about the fit."""
        end = "converged" if self.converged_ else "not converged"
        return (
            f"log-likelihood {self.log_likelihood_:,.2f} nats, "
            f"{self.n_parameters_:g} parameters, {end} after {self.n_iter_} passes"
        )
