"""Where sparse experts are worth it: six tasks, three seeds; and every router on one task.

    python benchmarks/sparse_worth.py [tasks|routers] [seeds]

Every model trains to its own stop, with its defaults but for what the table says; and once more in
the seconds that the sparse net took, keeping the best it had by then (``_timed.py``). float32, one
BLAS thread, CPU seconds: on one core of an idle machine that is the time on the wall. Writes
``results/sparse_worth.csv`` and ``results/sparse_routers.csv``.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import sys
import time
import warnings

import numpy as np
import pandas as pd
from _results import keep
from _timed import TimedMixture, TimedNet, TimedPerceptron, TimedTrees, score
from sklearn.datasets import load_digits, make_friedman1
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoEClassifier, MoERegressor, SparseMoEClassifier, SparseMoERegressor
from moe_classic.datasets import make_regimes, make_robot_arm
from moe_classic.routers import ROUTERS

N_TRAIN, N_TEST = 12_000, 6_000
#: Defaults were chosen by fits of small seeds; these rows nobody has looked at.
FIRST_SEED = 100


def clusters(n, seed, classes):
    """Clusters with a function each, or with a class each where clusters overlap."""
    fixed = np.random.default_rng(5)
    K, p = 64, 8
    centres = 2.0 * fixed.standard_normal((K, p))
    W, b = fixed.standard_normal((K, 4, p)), fixed.standard_normal((K, 4))
    out, label = fixed.standard_normal((K, 4)), fixed.integers(0, 8, K)
    rng = np.random.default_rng(seed)
    k = rng.integers(0, K, n)
    spread = 1.6 if classes else 0.8
    Z = rng.standard_normal((n, p))
    X = centres[k] + spread * Z
    if classes:
        return X, label[k]
    hidden = np.tanh(np.einsum("nhp,np->nh", W[k], Z) + b[k])
    return X, (hidden * out[k]).sum(axis=1) + 0.2 * rng.standard_normal(n)


def tasks(seed):
    """Name, X, y, experts; the first N_TRAIN rows are for training."""
    n = N_TRAIN + N_TEST
    yield "regimes in 32 cells", *make_regimes(n, random_state=seed), 32
    yield "64 clusters, a function each", *clusters(n, seed, classes=False), 32
    yield "64 clusters, 8 classes, overlap", *clusters(n, seed, classes=True), 8
    yield "friedman1", *make_friedman1(n, n_features=10, noise=1.0, random_state=seed), 8
    X, X_test, y, y_test = make_robot_arm(N_TRAIN, n_test=N_TEST, random_state=seed)
    yield "robot arm", np.vstack([X, X_test]), np.vstack([y, y_test]), 8
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    yield "digits", X[order], y[order], 8


def models(real, E, seed, outputs):
    """Model by name."""
    mlp = MLPRegressor if real else MLPClassifier
    stop = {"early_stopping": True, "random_state": seed}
    sparse = SparseMoERegressor if real else SparseMoEClassifier
    trees = HistGradientBoostingRegressor if real else HistGradientBoostingClassifier
    classic = MoERegressor if real else MoEClassifier

    def scaled(width, rate):
        net = mlp(hidden_layer_sizes=width, learning_rate_init=rate, **stop)
        return make_pipeline(StandardScaler(), net)

    found = {
        "sparse": sparse(E, random_state=seed),
        "sparse, relu stem, decay .1": sparse(
            E, stem="relu", weight_decay=0.1, dropout=0.1, random_state=seed
        ),
        "MLP (128, 128)": scaled((128, 128), 0.002),
        "MLP (256, 256)": scaled((256, 256), 0.002),
        "HistGradientBoosting": trees(max_iter=300, early_stopping=True, random_state=seed),
        "classic MoE, 4 experts": classic(4, n_init=1, max_iter=60, random_state=seed),
    }
    if outputs > 1:
        found["HistGradientBoosting"] = MultiOutputRegressor(found["HistGradientBoosting"])
    return found


def in_time(found, seconds, seed):
    """The same models, each with the seconds of the sparse net and the best it had in them."""
    timed = {"sparse, relu stem, decay .1": TimedNet(found["sparse, relu stem, decay .1"], seconds)}
    for name in ("MLP (128, 128)", "MLP (256, 256)"):
        net = found[name][-1].set_params(early_stopping=False)
        timed[name] = TimedPerceptron(net, seconds, seed)
    trees = found["HistGradientBoosting"]
    trees = getattr(trees, "estimator", trees).set_params(early_stopping=False)
    timed["HistGradientBoosting"] = TimedTrees(trees, seconds, seed)
    timed["classic MoE, best of 4, 8, ..."] = TimedMixture(
        found["classic MoE, 4 experts"], seconds, seed
    )
    return timed


def one(model, X, y, n):
    """Score on the rest and CPU seconds."""
    start = time.process_time()
    model.fit(X[:n], y[:n])
    seconds = time.process_time() - start
    return score(y[n:], model.predict(X[n:])), seconds


def compare(seeds):
    """All tasks and models, to their own stop and in the seconds of the sparse net."""
    table = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        for task, X, y, E in tasks(seed):
            X = np.asarray(X, dtype=np.float32)
            real = y.dtype.kind == "f"
            y = y.astype(np.float32) if real else y
            n = 1200 if task == "digits" else N_TRAIN

            def add(stop, named, task=task, seed=seed, X=X, y=y, n=n):
                for name, model in named.items():
                    value, cpu = one(model, X, y, n)
                    row = {"task": task, "model": name, "seed": seed, "stop": stop}
                    table.append(row | {"score": value, "cpu": cpu})
                    print(f"{task:32} {name:30} {seed} {stop} {value:.4f} {cpu:6.2f}", flush=True)

            found = models(real, E, seed, np.ndim(y))
            add("own", found)
            seconds = table[-len(found)]["cpu"]
            add("time", in_time(models(real, E, seed, np.ndim(y)), seconds, seed))
    frame = pd.DataFrame(table)
    keep("sparse_worth", table, ["task", "model", "seed", "stop"])
    means = frame.groupby(["task", "stop", "model"], sort=False)[["score", "cpu"]].mean()
    print(means.unstack("model").round(3).to_string())


def routers(seeds):
    """Every router on regimes, 16 experts."""
    table = []
    for name in sorted(ROUTERS):
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            X, y = make_regimes(N_TRAIN + N_TEST, n_regimes=16, random_state=seed)
            X, y = X.astype(np.float32), y.astype(np.float32)
            model = SparseMoERegressor(16, router=name, random_state=seed)
            value, seconds = one(model, X, y, N_TRAIN)
            last = model.history_.iloc[model.best_iter_ - 1]
            row = {"router": name, "seed": seed, "score": value, "cpu": seconds}
            row |= {"load_entropy": last.balance_entropy_0, "dropped": last.dropped_0}
            row |= {"uncovered": model.uncovered_[0], "active": model.n_active_parameters_}
            table.append(row)
        mean = pd.DataFrame(table[-seeds:]).drop(columns=["router", "seed"]).mean()
        print(name, mean.round(3).to_dict(), flush=True)
    keep("sparse_routers", table, ["router", "seed"])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asked = sys.argv[1] if len(sys.argv) > 1 else "tasks"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    {"tasks": compare, "routers": routers}[asked](count)
