"""Sparse X against the same rows laid out: ``python benchmarks/sparse_rows.py [--only NUMBER]``.

CPU seconds of one EM iteration on rows that are laid out over one on the same rows as they are, on
one thread. The solution of the systems of equations, one an expert and one of the gate, is the same
work for both. Then whole fits, a start and a few passes. Writes results/sparse_rows.csv; a quick
run, ``--quick``, writes nothing.
"""

import argparse
import os
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
from _problems import em_pass
from _results import add_output, keep
from scipy import sparse

from moe_classic import MoEClassifier, MoERegressor, _training
from moe_classic._data import sparse_rows
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES

#: Rows, features, share of entries that are there, experts, family, gate.
SHAPES = [
    (20_000, 2000, 0.01, 2, "gaussian", "softmax"),
    (20_000, 500, 0.01, 2, "gaussian", "softmax"),
    (20_000, 500, 0.05, 2, "gaussian", "softmax"),
    (20_000, 500, 0.01, 3, "student_t", "constant"),
    (20_000, 500, 0.01, 2, "logistic", "softmax"),
]
#: Seconds are those of a process that waits for nobody.
clock = time.process_time


def rows_of(n, p, density, seed=0):
    """Sparse features and a target of two regimes that are not told by X."""
    rng = np.random.default_rng(seed)
    X = sparse.random_array(
        (n, p), density=density, rng=rng, data_sampler=lambda size: rng.uniform(0.5, 1.5, size)
    ).tocsr()
    first = rng.random(n) < 0.5
    mean = np.where(first, 3.0 + X @ rng.normal(size=p), -3.0 + X @ rng.normal(size=p))
    return X, mean + rng.normal(size=n)


def pass_seconds(X, y, K, family, gate, repeats):
    """Least CPU seconds of an EM iteration on rows, sparse or not, after one to warm up."""
    if EXPERTS[family].target == "class":
        y = (y > 0).astype(np.intp)
    made = {"expert": EXPERTS[family](), "gate": GATES[gate]()}
    problem, params = _training.em_problem(X, y, K, **made)
    theta = problem.model.pack(params)
    noise = np.random.default_rng(1).standard_normal(theta.size)
    params = problem.model.unpack(theta + 0.1 * noise, params, problem.summary)
    em_pass(problem, params)
    seconds = []
    for _ in range(repeats):
        start = clock()
        em_pass(problem, params)
        seconds.append(clock() - start)
    return min(seconds)


def fit_seconds(X, y, family):
    """CPU seconds of a fit: one start and a few passes."""
    kind = MoEClassifier if EXPERTS[family].target == "class" else MoERegressor
    moe = kind(2, expert=family, n_init=1, max_iter=4, random_state=0)
    start = clock()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moe.fit(X, y > 0 if kind is MoEClassifier else y)
    return clock() - start


def measured(shape, repeats, *, whole):
    """One row of the table."""
    n, p, density, K, family, gate = shape
    X, y = rows_of(n, p, density)
    laid_out = X.toarray()
    sparse_pass = pass_seconds(sparse_rows(X), y, K, family, gate, 2 * repeats)
    dense_pass = pass_seconds(laid_out, y, K, family, gate, repeats)
    row = {"rows": n, "features": p, "density": density, "experts": K, "family": family}
    row |= {"gate": gate, "pass_ms": 1e3 * sparse_pass, "ratio": dense_pass / sparse_pass}
    row["fit_ratio"] = np.nan
    if whole:
        row["fit_ratio"] = fit_seconds(laid_out, y, family) / fit_seconds(X, y, family)
    row["memory_ratio"] = laid_out.nbytes / (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small table, nothing written")
    parser.add_argument("--only", type=int, help="number of the one shape that is measured, from 0")
    add_output(parser)
    options = parser.parse_args()
    shapes = [(2_000, 200, 0.01, 2, "gaussian", "softmax")] if options.quick else SHAPES
    for number, shape in enumerate(shapes):
        if options.only not in (None, number):
            continue
        row = measured(shape, 1, whole=number < 2)
        figures = row.items()
        print(*(f"{k} {v:.4g}" if not isinstance(v, str) else v for k, v in figures), sep=", ")
        if not options.quick:
            keys = ["rows", "features", "density", "experts", "family", "gate"]
            keep("sparse_rows", [row], keys, options.output)


if __name__ == "__main__":
    main()
