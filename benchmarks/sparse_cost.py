"""What a step and a prediction of a sparse net cost, beside a dense net of as many active numbers.

The dense net is written by hand here: stem, one hidden layer of ``k h`` units with a skip, head,
Adam on one vector, all in kept arrays. CPU time, one BLAS thread; the candidates of a table take
turns, and the least of several rounds counts, so that ratios bear a loaded machine better than
times do.

    python benchmarks/sparse_cost.py [rounds]

writes ``results/sparse_cost.csv``; with it the most memory that fits had (``tracemalloc``), and
fits of regimes on seeds that were not used when defaults were chosen, means of three.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import sys
import time
import tracemalloc
import warnings
from itertools import chain, product

import numpy as np
import pandas as pd
from _results import keep
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neural_network import MLPRegressor

from moe_classic import SparseMoERegressor
from moe_classic._nets import Affine, Batch, Experts, Head, Net, SparseLayer, Trainer, with_ones
from moe_classic._nets.adam import _factors, _move
from moe_classic.datasets import make_regimes
from moe_classic.estimators._sparse.options import batch_rows
from moe_classic.routers import TopKRouter

P, D, K = 16, 64, 2
#: Of fits; none of them was used when defaults were chosen.
SEEDS = (100, 101, 102)


class Dense:
    """A net with one hidden layer beside a skip, trained by Adam."""

    def __init__(self, hidden, dtype, rng):
        shapes = [(P + 1, D), (D + 1, hidden), (hidden + 1, D), (D + 1, 1)]
        sizes = [a * b for a, b in shapes]
        self.x = (0.1 * rng.standard_normal(sum(sizes))).astype(dtype)
        self.g, self.m, self.v = (np.zeros_like(self.x) for _ in range(3))
        cuts = np.cumsum([0, *sizes])
        spans = list(zip(cuts[:-1], cuts[1:], shapes, strict=True))
        self.W = [self.x[a:b].reshape(s) for a, b, s in spans]
        self.G = [self.g[a:b].reshape(s) for a, b, s in spans]
        self.hidden, self.t, self.kept = hidden, 0, {}

    def rows(self, name, n, width):
        if (name, n) not in self.kept:
            self.kept[name, n] = np.ones((n, width + 1), dtype=self.x.dtype)
        return self.kept[name, n]

    def forward(self, X):
        n = len(X)
        h, H, u = self.rows("h", n, D), self.rows("H", n, self.hidden), self.rows("u", n, D)
        W = self.W
        np.matmul(X, W[0], out=h[:, :-1])
        np.matmul(h, W[1], out=H[:, :-1])
        np.maximum(H, 0.0, out=H)
        np.matmul(H, W[2], out=u[:, :-1])
        u[:, :-1] += h[:, :-1]
        return h, H, u, u @ W[3]

    def step(self, X, y):
        h, H, u, out = self.forward(X)
        W, G = self.W, self.G
        g = (out - y) / len(X)
        np.matmul(u.T, g, out=G[3])
        g_u = g @ W[3][:-1].T
        np.matmul(H.T, g_u, out=G[2])
        g_H = g_u @ W[2][:-1].T
        np.multiply(g_H, H[:, :-1] > 0, out=g_H)
        np.matmul(h.T, g_H, out=G[1])
        g_u += g_H @ W[1][:-1].T
        np.matmul(X.T, g_u, out=G[0])
        self.t += 1
        step, guard = _factors(self.t, 1e-3)
        self.x *= self.x.dtype.type(1.0 - 1e-5)
        _move(self.x, self.g, self.m, self.v, self.x.dtype.type(step), self.x.dtype.type(guard))


def sparse(E, hidden, dtype, balance, rng):
    router = TopKRouter(K, balance=balance, bias_rate=0.0 if balance else 0.01)
    stem = Affine(P, D, "identity")
    stem.start(rng, dtype)
    layer = SparseLayer(router, Experts(E, D, hidden, D, "relu"))
    layer.start(rng, dtype, seen=D)
    head = Head(D, 1, "real")
    head.start(rng, dtype)
    net = Net([stem, layer], head, dtype)
    return Trainer(net, 1e-3, 0.01)


def least(jobs, rounds):
    """Least CPU seconds of each job, taking turns."""
    best = dict.fromkeys(jobs, np.inf)
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.process_time()
            for _ in range(3):
                job()
            best[name] = min(best[name], (time.process_time() - start) / 3)
    return best


def rows(n, dtype, rng):
    X = with_ones(rng.standard_normal((n, P)).astype(dtype))
    return X, rng.standard_normal((n, 1)).astype(dtype)


def steps(E, R, hidden, dtype, rounds, balance=0.01):
    """CPU seconds of a step: sparse, dense."""
    rng = np.random.default_rng(0)
    n = R * E // K
    X, y = rows(n, dtype, rng)
    trainer, dense = sparse(E, hidden, dtype, balance, rng), Dense(K * hidden, dtype, rng)
    batch = Batch(X, np.ones(n, dtype=dtype))
    jobs = {"sparse": lambda: trainer.step(batch, y, rng), "dense": lambda: dense.step(X, y)}
    return least(jobs, rounds), n


def predictions(hidden, counts, rounds, n=8192):
    """CPU seconds of predicting n rows with so many experts, and with the dense net."""
    rng = np.random.default_rng(0)
    X, _ = rows(n, np.float32, rng)
    batch = Batch(X, np.ones(n, dtype=np.float32))
    jobs = {}
    for E in counts:
        net = sparse(E, hidden, np.float32, 0.01, rng).net
        jobs[E] = lambda net=net: net.answer(batch)
    dense = Dense(K * hidden, np.float32, rng)
    jobs["dense"] = lambda: dense.forward(X)
    return least(jobs, rounds)


def fits():
    """CPU seconds and R2 of default fits on 32 regimes, 25,000 rows, to their own stop.

    Defaults were chosen by fits of small seeds; these rows nobody has looked at.
    """
    for seed in SEEDS:
        X, y = make_regimes(33_000, n_regimes=32, random_state=seed)
        X, y = X.astype(np.float32), y.astype(np.float32)
        train, test = slice(0, 25_000), slice(25_000, None)
        options = {"early_stopping": True, "learning_rate_init": 0.004, "random_state": seed}
        models = {
            "sparse 32": SparseMoERegressor(32, random_state=seed),
            "MLP (128, 128)": MLPRegressor(hidden_layer_sizes=(128, 128), **options),
            "MLP (256, 256)": MLPRegressor(hidden_layer_sizes=(256, 256), **options),
            "HistGradientBoosting": HistGradientBoostingRegressor(max_iter=300, random_state=seed),
        }
        for name, model in models.items():
            start = time.process_time()
            model.fit(X[train], y[train])
            yield name, time.process_time() - start, model.score(X[test], y[test])


def memory(E, n, dtype):
    """Most bytes that a fit had beside its rows, and numbers that it may be expected to need.

    Six a parameter (numbers, the best ones, two moments of Adam, a copy that is let go of), twelve
    for each pair of a batch and channel or hidden unit, six for each entry of X.
    """
    X, y = make_regimes(n, n_regimes=16, random_state=0)
    X, y = X.astype(dtype), y.astype(dtype)
    model = SparseMoERegressor(E, max_iter=2, random_state=0)
    model.fit(X[:E], y[:E])
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    model.fit(X, y)
    most = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    batch = batch_rows("auto", int(0.9 * n), E, K)
    units = model.width + model.expert_width
    return most, 6 * model.n_parameters_ + 12 * batch * K * units + 6 * X.size


def times(rounds):
    """Figures of steps and predictions: what, setting, value, unit."""
    for dtype, E in product((np.float32, np.float64), (16, 64)):
        for R, hidden in ((16, 64), (32, 64), (64, 64), (128, 64), (256, 64), (256, 128)):
            found, _ = steps(E, R, hidden, dtype, rounds)
            setting = f"{np.dtype(dtype).name} E {E} R {R} h {hidden}"
            yield "step over dense step", setting, found["sparse"] / found["dense"], "ratio"
    for balance, E in product((0.01, 0.0), (4, 16, 64, 256)):
        found, n = steps(E, 64, 64, np.float32, rounds, balance)
        setting = f"float32 E {E} R 64 balance {balance}"
        yield "step", setting, found["sparse"] / n * 1e6, "us a row"
    for hidden in (64, 128):
        found = predictions(hidden, (4, 16, 64, 256), rounds)
        for E, seconds in found.items():
            yield "predict", f"float32 E {E} h {hidden}", seconds / 8192 * 1e6, "us a row"


def whole_fits():
    """Figures of fits: memory, time, score."""
    sizes = ((16, 20_000), (64, 20_000), (256, 20_000), (256, 80_000))
    for dtype, (E, n) in product((np.float32, np.float64), sizes):
        most, numbers = memory(E, n, dtype)
        setting = f"{np.dtype(dtype).name} E {E} n {n}"
        yield "peak memory of fit", setting, most / 1e6, "MB"
        share = most / numbers / np.dtype(dtype).itemsize
        yield "peak memory of fit", setting, share, "share"
    fitted = pd.DataFrame(fits(), columns=["name", "seconds", "score"])
    for name, mean in fitted.groupby("name", sort=False)[["seconds", "score"]].mean().iterrows():
        yield "fit of 32 regimes", name, mean.seconds, "CPU s"
        yield "fit of 32 regimes", name, mean.score, "R2"


def main(rounds):
    table = []
    for what, setting, value, unit in chain(times(rounds), whole_fits()):
        table.append({"what": what, "setting": setting, "value": value, "unit": unit})
        print(f"{what:30} {setting:34} {value:9.3f} {unit}", flush=True)
    keep("sparse_cost", table, ["what", "setting", "unit"])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
