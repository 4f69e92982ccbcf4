"""Untidy rows: what fields export when nobody cleans them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
Array = np.ndarray


def _sentinels(rng: Rng, n: int) -> Array:
    x = rng.normal(size=n)
    x[rng.integers(n)] = rng.choice([9999.0, -1e7, 1e12])
    return x


#: Columns of features; each takes a generator and the number of rows.
COLUMNS: dict[str, Callable[[Rng, int], Array]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.uniform(-3.0, 3.0, n),
    "constant": lambda rng, n: np.full(n, rng.choice([0.0, 1.0, 0.1, 1e9])),
    "nearly constant": lambda rng, n: 1.0 + 1e-15 * rng.integers(0, 3, n),
    "indicator": lambda rng, n: (rng.random(n) < 0.3).astype(float),
    "rare": lambda rng, n: (np.arange(n) == rng.integers(n)).astype(float),
    "count": lambda rng, n: rng.poisson(2.0, n).astype(float),
    "rounded": lambda rng, n: np.round(rng.normal(size=n)),
    "zeros": lambda rng, n: np.where(rng.random(n) < 0.6, 0.0, rng.normal(2.0, 0.5, n)),
    "heavy": lambda rng, n: rng.standard_cauchy(n),
    "skewed": lambda rng, n: rng.lognormal(0.0, 2.5, n),
    "sentinel": _sentinels,
    "offset": lambda rng, n: rng.choice([1e6, 1e12]) + rng.normal(size=n),
    "tiny": lambda rng, n: rng.choice([1e-30, 1e-140]) * rng.normal(size=n),
    "huge": lambda rng, n: rng.choice([1e30, 1e140]) * rng.normal(size=n),
}
#: Columns that are to be refused, or to do no harm.
EXTREME = {
    "beyond": lambda rng, n: rng.choice([1e-300, 1e-160, 1e160, 1e300]) * rng.normal(size=n),
    "one beyond": lambda rng, n: np.where(np.arange(n) == 0, 1e300, rng.normal(size=n)),
    "subnormal": lambda rng, n: np.where(rng.random(n) < 0.5, 5e-324, rng.normal(size=n)),
}


def features(rng: Rng, n: int, p: int) -> tuple[Array, list[str]]:
    """Some columns of unlike kinds, and what they are."""
    kinds = [str(kind) for kind in rng.choice(list(COLUMNS), p)]
    if rng.random() < 0.05:
        kinds[0] = str(rng.choice(list(EXTREME)))
    X = np.column_stack([(COLUMNS | EXTREME)[kind](rng, n) for kind in kinds])
    if p > 1 and rng.random() < 0.25:
        X[:, -1], kinds[-1] = X[:, 0], f"repeated {kinds[0]}"
    elif p > 2 and rng.random() < 0.15 and np.abs(X).max() < 1e100:
        X[:, -1], kinds[-1] = X[:, 0] - 2.0 * X[:, 1], "dependent"
    if rng.random() < 0.15:
        X = X[rng.integers(0, max(1, n // 3), n)]
        kinds.append("rows repeated")
    return X, kinds


def signal(rng: Rng, X: Array) -> Array:
    """Something of unit size that depends on the first and the last column."""
    units = []
    for x in (X[:, 0], X[:, -1]):
        ranks = np.argsort(np.argsort(x, kind="stable"), kind="stable")
        units.append(2.0 * ranks / max(1, len(x) - 1) - 1.0)
    a, b = units
    return np.where(b > 0.0, 2.0 * a + 1.0, -a) if rng.random() < 0.6 else a + b


def _one_wild(rng: Rng, s: Array) -> Array:
    y = s + 0.3 * rng.normal(size=s.size)
    y[rng.integers(s.size)] = rng.choice([99999.0, -1e9, 1e100])
    return y


Maker = Callable[[Rng, Array], Array]
#: Targets by kind; each takes a generator and a signal of unit size.
TARGETS: dict[str, dict[str, Maker]] = {
    "real": {
        "noisy": lambda rng, s: s + 0.3 * rng.normal(size=s.size),
        "exact": lambda rng, s: s.copy(),
        "precise": lambda rng, s: s + 1e-9 * rng.normal(size=s.size),
        "constant": lambda rng, s: np.full(s.size, rng.choice([0.0, 1.0, 1e9])),
        "two values": lambda rng, s: (s > 0.0).astype(float),
        "rounded": lambda rng, s: np.round(s + rng.normal(size=s.size)),
        "mostly zero": lambda rng, s: np.where(rng.random(s.size) < 0.7, 0.0, s),
        "heavy": lambda rng, s: s + rng.standard_cauchy(s.size),
        "one wild": _one_wild,
        "offset": lambda rng, s: rng.choice([1e6, 1e12]) + s + 0.1 * rng.normal(size=s.size),
        "scaled": lambda rng, s: (
            rng.choice([1e-140, 1e-30, 1e30, 1e140]) * (s + 0.1 * rng.normal(size=s.size))
        ),
        "beyond": lambda rng, s: rng.choice([1e-300, 1e-160, 1e160, 1e300]) * (s + 1.0),
    },
    "count": {
        "counts": lambda rng, s: rng.poisson(np.exp(s)).astype(float),
        "zeros": lambda rng, s: np.zeros(s.size),
        "mostly zero": lambda rng, s: rng.poisson(0.05, s.size).astype(float),
        "large": lambda rng, s: rng.poisson(1e6 * np.exp(s)).astype(float),
        "overdispersed": lambda rng, s: rng.negative_binomial(0.3, 0.02, s.size).astype(float),
        "constant": lambda rng, s: np.full(s.size, 3.0),
        "one wild": lambda rng, s: np.where(np.arange(s.size) == 0, 1e9, rng.poisson(2.0, s.size)),
    },
    "positive": {
        "gamma": lambda rng, s: rng.gamma(2.0, np.exp(s)),
        "wide": lambda rng, s: rng.lognormal(s, 3.0),
        "constant": lambda rng, s: np.full(s.size, 2.0),
        "tiny": lambda rng, s: 1e-100 * np.exp(s + 0.1 * rng.normal(size=s.size)),
        "huge": lambda rng, s: 1e100 * np.exp(s + 0.1 * rng.normal(size=s.size)),
        "exact": lambda rng, s: np.exp(s),
        "one wild": lambda rng, s: np.where(np.arange(s.size) == 0, 1e9, rng.gamma(2.0, np.exp(s))),
    },
    "share": {
        "shares": lambda rng, s: np.clip(rng.beta(2.0, 2.0 * np.exp(s)), 1e-9, 1.0 - 1e-9),
        "edges": lambda rng, s: np.clip(rng.beta(0.05, 0.05, s.size), 1e-12, 1.0 - 1e-12),
        "constant": lambda rng, s: np.full(s.size, 0.5),
        "rounded": lambda rng, s: np.clip(np.round(rng.beta(2.0, 2.0, s.size), 1), 0.05, 0.95),
    },
    "class": {
        "separable": lambda rng, s: s > 0.0,
        "noisy": lambda rng, s: s + rng.normal(size=s.size) > 0.0,
        "rare": lambda rng, s: np.arange(s.size) < 1,
        "three": lambda rng, s: np.digitize(s + 0.3 * rng.normal(size=s.size), [-0.5, 0.5]),
        "many": lambda rng, s: rng.integers(0, 6, s.size),
        "words": lambda rng, s: np.where(s > 0.0, "no", "yes"),
        "blind": lambda rng, s: rng.integers(0, 2, s.size),
    },
}

WEIGHTS: dict[str, Maker | None] = {
    "none": None,
    "counts": lambda rng, s: rng.integers(1, 4, s.size).astype(float),
    "some zero": lambda rng, s: rng.integers(0, 3, s.size).astype(float),
    "uneven": lambda rng, s: 10.0 ** rng.uniform(-8.0, 8.0, s.size),
    "tiny": lambda rng, s: 1e-12 * rng.random(s.size),
    "beyond": lambda rng, s: 1e300 * rng.random(s.size),
}
