"""Subjects in classes: ``python benchmarks/groups.py [--quick]``.

CPU seconds of one EM iteration with groups over one without on the same rows, in turn with it, on
one thread. Then 100 tables of 60 subjects with 6 rows each in three classes: how many rows are
found in their class, with groups and without, and how often 95 % intervals hold the effects. Writes
results/groups.csv and results/groups_found.csv; a quick run writes nothing.
"""

import argparse
import os
import statistics
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
from _problems import em_pass
from _results import add_output, keep
from scipy.optimize import linear_sum_assignment

from moe_classic import MoERegressor, _training
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES

#: Rows, rows a subject, features, experts, gate, experts' family.
SHAPES = [
    (60_000, 2, 3, 3, "constant", "gaussian"),
    (60_000, 6, 3, 3, "constant", "gaussian"),
    (60_000, 6, 3, 3, "softmax", "gaussian"),
    (60_000, 6, 10, 4, "softmax", "gaussian"),
    (60_000, 30, 3, 3, "softmax", "student_t"),
    (1_800, 6, 3, 3, "softmax", "gaussian"),
    (360, 6, 2, 3, "constant", "gaussian"),
]
#: Intercept, slope and effect of a treatment in each class.
TRUTH = np.array([[0.0, 2.0, 0.0], [1.5, 0.0, 2.0], [3.0, -2.0, 0.0]])


def problems(n, size, p, K, gate, family):
    """The EM problem on the same rows without and with groups, and a point on the way up."""
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(n // size), size)
    X = rng.normal(size=(n, p))
    X[:, 0] = X[subject * size, 0]
    y = X @ rng.normal(size=p) + (subject % 2) * X[:, -1] + rng.normal(size=n)
    for groups in (None, subject):
        made = {"expert": EXPERTS[family](), "gate": GATES[gate]()}
        problem, start = _training.em_problem(X, y, K, **made, groups=groups)
        theta = problem.model.pack(start)
        noise = np.random.default_rng(1).standard_normal(theta.size)
        params = problem.model.unpack(theta + 0.1 * noise, start, problem.summary)
        for _ in range(5):
            params = em_pass(problem, params)
        yield problem, params


def cost(shape, repeats):
    """Median over pairs of what an iteration with groups takes over one without."""
    pairs, count, ratios = list(problems(*shape)), max(1, 20_000 // shape[0]), []
    for _ in range(repeats):
        seconds = []
        for problem, params in pairs:
            start = time.process_time()
            for _ in range(count):
                em_pass(problem, params)
            seconds.append(time.process_time() - start)
        ratios.append(seconds[1] / seconds[0])
    return statistics.median(ratios)


def subjects(seed, count=60, visits=6):
    """Time and treatment, y, subject and class of every row."""
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 3
    t = rng.uniform(-1.0, 1.0, (count, visits))
    treated = np.repeat(rng.integers(2, size=(count, 1)), visits, axis=1)
    a, b, c = TRUTH[kind].T[..., None]
    y = a + b * t + c * treated + 0.5 * rng.normal(size=t.shape)
    X = np.column_stack([t.ravel(), treated.ravel()])
    return X, y.ravel(), np.repeat(np.arange(count), visits), np.repeat(kind, visits)


def found(seed, *, grouped):
    """Share of rows in their class, and which effects lie in their interval."""
    X, y, groups, kind = subjects(seed)
    known = {"groups": groups} if grouped else {}
    moe = MoERegressor(3, gate="constant", random_state=0).fit(X, y, **known)
    labels = moe.responsibilities(X, y, **known).argmax(axis=1)
    counts = np.array([[((labels == k) & (kind == c)).mean() for c in range(3)] for k in range(3)])
    experts, classes = linear_sum_assignment(-counts)
    inside, table = [], moe.inference(X, y, **known).table
    for k, c in enumerate(classes):
        own = table.xs(("expert", f"expert {k + 1}"), level=(0, 1))[:3]
        inside += list((own.low <= TRUTH[c]) & (TRUTH[c] <= own.high))
    return counts[experts, classes].sum(), inside


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats, nothing is written")
    add_output(parser)
    options = parser.parse_args()
    rows = []
    for shape in SHAPES:
        n, size, p, K, gate, family = shape
        ratio = cost(shape, 3 if options.quick else 31)
        rows.append({"rows": n, "a_subject": size, "features": p, "experts": K, "gate": gate})
        rows[-1] |= {"family": family, "ratio": ratio}
        print(f"{shape!s:55s} ratio {ratio:.2f}", flush=True)
    tables = []
    for grouped in (False, True):
        sets = range(3 if options.quick else 100)
        results = [found(seed, grouped=grouped) for seed in sets]
        share = np.mean([share for share, _ in results])
        held = np.mean([inside for _, inside in results])
        fit = "with groups" if grouped else "rows alone"
        tables.append({"fit": fit, "sets": len(results), "agreement": share, "coverage": held})
        print(f"{fit}: {share:.3f} of the rows in their class, coverage {held:.3f}", flush=True)
    if not options.quick:
        keys = ["rows", "a_subject", "features", "experts", "gate", "family"]
        keep("groups", rows, keys, options.output)
        keep("groups_found", tables, ["fit"], options.output)


if __name__ == "__main__":
    main()
