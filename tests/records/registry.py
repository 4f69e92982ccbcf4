"""What the recorded cases share: their register, small tables, and what is kept of a fit.

Everything here and in the modules of cases goes through the public interface alone, so that the
record holds whatever moves behind it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

#: Names of a case's values, and what each is: numbers of any shape, or text.
Values = dict[str, Any]

#: Beginning of the names of quantities that a regular optimum fixes whatever the arithmetic.
OPTIMUM = "optimum "
#: Name of the line that says of what a fitted estimator is made.
MADE_OF = "made of"
#: Rows whose answers are kept.
SHOWN = 7

_EXPERT_PARTS = (
    *("weight_", "coef_", "intercept_", "scale_", "df_", "covariance_"),
    *("dispersion_", "shape_", "concentration_"),
)
_GATE_PARTS = ("coef_", "intercept_", "weights_", "means_", "covariances_")


@dataclass(frozen=True)
class Case:
    """One recorded case.

    Attributes
    ----------
    name : unique name
    work : computes the values
    closed : whether no search over optima is made, so that all values agree on any machine
    needs : modules without which it is not run
    """

    name: str
    work: Callable[[], Values]
    closed: bool = False
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def run(self) -> Values:
        """Its values, with sums of matrix products in one order.

        Warnings are not what is recorded: other tests say when they are raised.
        """
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.work()


CASES: dict[str, Case] = {}


def add(name: str, work: Callable[[], Values], **about: Any) -> None:
    """Register a case; names are unique."""
    if name in CASES:
        raise ValueError(f"two cases are named {name!r}.")
    CASES[name] = Case(name, work, **about)


def case(name: str, **about: Any) -> Callable[[Callable[[], Values]], Callable[[], Values]]:
    """Register the decorated function as a case."""

    def register(work: Callable[[], Values]) -> Callable[[], Values]:
        add(name, work, **about)
        return work

    return register


# ------------------------------------------------------------------------- tables


def _rounded(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Six digits, so that libraries that draw the last one differently give the same table."""
    return tuple(np.round(a, 6) for a in arrays)


def lines(n: int = 120, seed: int = 0, tails: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Two planes far apart in noise, the border between them soft; (n, 2) and (n,)."""
    rng = np.random.RandomState(seed)
    X = rng.uniform(-2.0, 2.0, (n, 2))
    right = X[:, 0] + 0.4 * rng.standard_normal(n) > 0.2
    noise = rng.standard_t(3, n) if tails else rng.standard_normal(n)
    y = np.where(right, 3.0 + 2.0 * X[:, 0] - X[:, 1], -2.0 - X[:, 0] + 0.5 * X[:, 1])
    return _rounded(X, y + 0.3 * noise)


def gaps(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """The same with values of X missing at random; (n, 2) and (n,)."""
    X, y = lines(n)
    missing = np.random.RandomState(3).uniform(size=X.shape) < 0.25
    return np.where(missing, np.nan, X), y


def zeros(n: int = 120) -> tuple[Any, np.ndarray]:
    """Sparse rows (n, 40) that are mostly zeros, and lines of two of them, (n,)."""
    X, y = lines(n)
    wide = np.zeros((n, 40))
    wide[:, :2] = X
    places = np.random.RandomState(4).randint(2, 40, size=n)
    wide[np.arange(n), places] = 1.0
    return csr_array(wide), y


def positives(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Exponentials of lines with noise; (n, 2) and (n,)."""
    X, y = lines(n)
    return _rounded(X, np.exp(0.4 * y))


def counts(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """The same as whole numbers."""
    X, y = positives(n)
    return X, np.rint(3.0 * y)


def between(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Shares strictly between 0 and 1; (n, 2) and (n,)."""
    X, y = lines(n)
    return _rounded(X, 1.0 / (1.0 + np.exp(-0.4 * y)))


def successes(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Successes in ten trials; (n, 2) and (n,)."""
    X, y = between(n)
    return X, np.rint(10.0 * y)


def outputs(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """The same with a second, correlated output; (n, 2) and (n, 2)."""
    X, y = lines(n)
    extra = np.random.RandomState(1).standard_normal(n)
    return _rounded(X, np.column_stack([y, 0.5 * y - X[:, 1] + 0.4 * extra]))


def quarters(n: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Four planes over the quarters of a square; (n, 2) and (n,)."""
    rng = np.random.RandomState(2)
    X = rng.uniform(-2.0, 2.0, (n, 2))
    a, b = (X + 0.2 * rng.standard_normal((n, 2)) > 0.0).T
    level = np.where(a, np.where(b, 6.0, 2.0), np.where(b, -3.0, -7.0))
    slope = np.where(a, 1.0, -1.5)
    return _rounded(X, level + slope * X[:, 1] + 0.3 * rng.standard_normal(n))


def classes(n: int = 200, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Classes along directions that differ between two regions; (n, 2) and (n,)."""
    rng = np.random.RandomState(3)
    X = rng.uniform(-2.0, 2.0, (n, 2))
    right = X[:, 0] + 0.3 * rng.standard_normal(n) > 0.0
    height = np.where(right, 2.0 * X[:, 1], -2.0 * X[:, 1]) + 0.6 * rng.standard_normal(n)
    edges = [0.0] if n_classes == 2 else [-1.0, 1.0]
    return np.round(X, 6), np.digitize(height, edges)


def weights(n: int) -> np.ndarray:
    """Row weights between 1/2 and 2, some of them 0; (n,)."""
    w = np.random.RandomState(4).uniform(0.5, 2.0, n).round(3)
    w[::17] = 0.0
    return w


def shares(X: np.ndarray, K: int) -> np.ndarray:
    """Responsibilities that follow the first feature; (n, K)."""
    place = np.argsort(np.argsort(X[:, 0])) * K // len(X)
    return 0.1 / K + 0.9 * np.eye(K)[place]


# ------------------------------------------------------------------------- what is kept of a fit


def made_of(moe: Any) -> str:
    """Estimator, experts, gate and solver of a fitted mixture, as a line."""
    solver = getattr(moe, "solver", "none")
    experts = sorted({getattr(e, "name", type(e).__name__) for e in moe.experts_})
    gate = getattr(moe.gate_, "name", None) or type(moe.gate_).__name__
    words = [type(moe).__name__, ",".join(experts), gate, getattr(solver, "name", solver)]
    return " | ".join(words)


def parts(moe: Any) -> Iterator[tuple[str, Any]]:
    """Parameters of the experts and of the gate on the user's scale."""
    named = [(f"expert {k}", e, _EXPERT_PARTS) for k, e in enumerate(moe.experts_)]
    for owner, what, names in [*named, ("gate", moe.gate_, _GATE_PARTS)]:
        for name in names:
            value = getattr(what, name, None)
            if isinstance(value, list):
                value = np.concatenate([np.ravel(v) for v in value])
            if value is not None:
                yield f"{owner} {name}", value


def fitted(
    moe: Any, X: Any, y: Any, w: np.ndarray | None = None, *, regular: bool = True
) -> Values:
    """What a fitted mixture says about its parameters and about a few rows.

    ``regular``: the optimum is isolated, well conditioned, and reached from several starts.
    """
    few, target = X[:SHOWN], y[:SHOWN]
    out: Values = {MADE_OF: made_of(moe)}
    if regular:
        rows = len(X) if w is None else w.sum()
        out[f"{OPTIMUM}log-likelihood per row"] = moe.log_likelihood_ / rows
    out |= {
        "log_likelihood_": moe.log_likelihood_,
        "last of trace_": moe.trace_[-1],
        "n_iter_": moe.n_iter_,
        "converged_": moe.converged_,
        "n_parameters_": moe.n_parameters_,
        "criteria": [moe.aic(X, y, w), moe.bic(X, y, w), moe.icl(X, y, w)],
        "score": moe.score(X, y, w),
        "predict": moe.predict(few),
        "gate_proba": moe.gate_proba(few),
        "responsibilities": moe.responsibilities(few, target),
        "expert_predictions": moe.expert_predictions(few),
        "score_samples": moe.score_samples(X, y),
        "strategies": " ".join(moe.start_report_["strategy"]),
        "objectives of starts": moe.start_report_["objective"],
    }
    if hasattr(moe, "predict_proba"):
        out["predict_proba"] = moe.predict_proba(few)
    return out | dict(parts(moe))


def frame(name: str, table: Any) -> Values:
    """Numbers and labels of a DataFrame."""
    numbers = table.select_dtypes(["number", "bool"]).astype(float)
    labels = [*map(str, table.index), *map(str, table.columns)]
    return {name: numbers.to_numpy(), f"labels of {name}": "; ".join(labels)}
