"""Missing values in X, marginalised or imputed: ``python benchmarks/missing.py [--quick]``.

Of three sets 30 % of the values of X are taken away, in training rows and in those held out; of the
first as often as a feature that is always seen is high (at random), of the others completely at
random. Then the held-out log score and squared error of mixtures with Gaussian gates: fitted to
means, to regressions on the other columns, and to what was observed. Ten splits each; the last
column counts those in which the log score is above that of means. And what an iteration of EM with
values missing takes over one without. Writes results/missing.csv and results/missing_cost.csv; a
quick run writes nothing.
"""

import argparse
import os
import statistics
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
from _results import add_output, keep
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from moe_classic import MoERegressor
from moe_classic.metrics import get_scorer

SHARE = 0.3
#: Rows, features, patterns of what is missing (None: any).
SHAPES = [(20_000, 5, 4), (20_000, 5, None), (20_000, 12, None)]


def clusters(seed):
    """Two regressions on features that depend on each other."""
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2, 600)
    X = (
        rng.standard_normal((600, 4)) @ rng.standard_normal((4, 4))
        + np.where(z, 1.5, -1.5)[:, None]
    )
    lines = np.array([[1.0, 2.0, -1.0, 0.5], [-1.0, 0.0, 1.0, 1.0]])
    return X, (X * lines[z]).sum(axis=1) + rng.standard_normal(600)


def diabetes(seed):
    """Progression of 442 patients after a year."""
    return load_diabetes(return_X_y=True, scaled=False)


def iris(seed):
    """Width of the petals of 150 flowers, by the other three measures."""
    data = load_iris().data
    return data[:, :3], data[:, 3]


#: Tables, experts, and whether the first feature is always there and says what is missing.
SETS = {"clusters": (clusters, 2, True), "diabetes": (diabetes, 2, False), "iris": (iris, 2, False)}


def with_gaps(X, seed, *, at_random):
    """X with a share of its values missing."""
    rng = np.random.default_rng(seed)
    share = np.full(X.shape, SHARE)
    if at_random:
        share = np.repeat(np.where(X[:, :1] > np.median(X[:, 0]), 1.6, 0.4) * SHARE, X.shape[1], 1)
        share[:, 0] = 0.0
    return np.where(rng.random(X.shape) < share, np.nan, X)


def models(K):
    """What is fitted, by name."""
    plain = MoERegressor(K, gate="gaussian", random_state=0)
    return {
        "means": make_pipeline(SimpleImputer(), plain),
        "regressions": make_pipeline(IterativeImputer(random_state=0), plain),
        "marginalised": MoERegressor(K, gate="gaussian", missing="marginalize", random_state=0),
    }


def scores(name, seed):
    """Log score and squared error of every model on held-out rows of one split."""
    make, K, at_random = SETS[name]
    X, y = make(seed)
    X = with_gaps(X, seed, at_random=at_random)
    X, X_new, y, y_new = train_test_split(X, y, test_size=0.3, random_state=seed)
    out = {}
    for fit, model in models(K).items():
        model.fit(X, y)
        said = get_scorer("log_score")(model, X_new, y_new)
        out[fit] = said, np.mean((model.predict(X_new) - y_new) ** 2) / np.var(y_new)
    return out


def cost(n, p, patterns, repeats):
    """Median of what an iteration with gaps takes over one on complete rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    y = X.sum(axis=1) * np.sign(X[:, 0]) + rng.standard_normal(n)
    kinds = rng.random((patterns or n, p)) < SHARE
    gaps = np.where(kinds[np.arange(n) % len(kinds)], np.nan, X)
    R = np.column_stack([X[:, 0] > 0.0, X[:, 0] <= 0.0]).astype(float)
    ratios = []
    for _ in range(repeats):
        seconds = []
        for rows in (X, gaps):
            options = {"n_init": 1, "init": R, "tol": 0.0}
            took = []
            for passes in (2, 12):
                moe = MoERegressor(2, gate="gaussian", missing="marginalize", **options)
                moe.set_params(max_iter=passes, solver="em")
                start = time.process_time()
                moe.fit(rows, y)
                took.append(time.process_time() - start)
            seconds.append(took[1] - took[0])
        ratios.append(seconds[1] / seconds[0])
    return statistics.median(ratios)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few splits, nothing is written")
    add_output(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows, costs = [], []
    for name in SETS:
        found = [scores(name, seed) for seed in range(2 if options.quick else 10)]
        for fit in found[0]:
            said, error = np.array([split[fit] for split in found]).T
            above = int((said > [split["means"][0] for split in found]).sum())
            rows.append({"data": name, "missing": fit, "splits": len(found)})
            rows[-1] |= {"log_score": said.mean(), "error": error.mean(), "above": above}
            print(rows[-1], flush=True)
    for shape in SHAPES:
        ratio = cost(*shape, 1 if options.quick else 5)
        n, p, patterns = shape
        costs.append({"rows": n, "features": p, "patterns": patterns or "any", "ratio": ratio})
        print(costs[-1], flush=True)
    if not options.quick:
        keep("missing", rows, ["data", "missing"], options.output)
        keep("missing_cost", costs, ["rows", "features", "patterns"], options.output)


if __name__ == "__main__":
    main()
