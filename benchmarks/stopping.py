"""What ends early, and what that costs: ``python benchmarks/stopping.py [--only PART ...]``.

CPU time over that of ``GaussianMixture(3, n_init=10, max_iter=100, tol=1e-6)`` on 300 x 4 standard
normals in the same run, least of a few runs, and the log loss (or, for real targets, minus the mean
log score) of rows that were held out. The parts: ``fits`` (whole fits), ``checks`` (scikit-learn's
checks of each estimator with its defaults, in CPU seconds), ``command`` (the command line, in CPU
seconds). ``--version before`` keeps the figures of an older state, run with that on the path.
Writes results/stopping.csv. One thread.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest import SkipTest

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pandas as pd
from _results import add_output, keep
from sklearn.datasets import load_digits, load_iris, load_wine, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import estimator_checks_generator

import moe_classic as moe

#: What estimators need that have no default.
NEEDED = {
    "MetaPiRegressor": [Ridge(), DecisionTreeRegressor(max_depth=2)],
    "MetaPiClassifier": [LogisticRegression(), DecisionTreeClassifier(max_depth=2)],
}
#: What nets do not pass: they cut rows into batches, whatever these weigh.
BATCHES = {"check_sample_weight_equivalence_on_dense_data": "batches count rows"}


def seconds(task, repeats=1):
    """Least CPU seconds of a task, and what it returned."""
    least, found = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        found = task()
        least = min(least, time.process_time() - start)
    return least, found


def unit():
    """CPU seconds of the mixture that others are measured by."""
    X = np.random.default_rng(0).standard_normal((300, 4))
    mixture = GaussianMixture(3, n_init=10, max_iter=100, tol=1e-6, random_state=0)
    return seconds(lambda: mixture.fit(X), repeats=3)[0]


def split(X, y, train):
    """Rows in an order of their own: those to fit, and those held out."""
    rows = np.random.default_rng(0).permutation(len(y))
    return X[rows[:train]], y[rows[:train]], X[rows[train:]], y[rows[train:]]


def lines(n):
    """Two planes that take over from each other, as numbers and as classes."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, 3))
    mean = np.where(X[:, 0] > 0.0, X @ [1.0, 2.0, 3.0], X @ [-1.0, 0.0, 1.0])
    return (
        X,
        mean + 0.3 * rng.standard_normal(n),
        (mean + rng.logistic(size=n) / 3.0 > 0).astype(int),
    )


def cases():
    """Name, estimator, rows to fit and rows held out of each case."""
    few = {"random_state": 0}
    iris, wine = (load(return_X_y=True) for load in (load_iris, load_wine))
    made = make_classification(600, 8, n_informative=5, random_state=0)
    X, y, c = lines(600)
    forest = RandomForestClassifier(20)
    yield "naive Bayes, iris", moe.MoEClassifier(2, expert=GaussianNB(), **few), split(*iris, 100)
    one = {"n_init": 1, **few}
    yield "forests, 300 rows", moe.MoEClassifier(2, expert=forest, **one), split(*made, 300)
    yield "wine", moe.MoEClassifier(2, **few), split(*wine, 120)
    yield (
        "digits, 8 experts",
        moe.MoEClassifier(8, **few),
        split(*load_digits(return_X_y=True), 1200),
    )
    yield "2 experts, 300 x 3", moe.MoERegressor(2, **few), split(X, y, 300)
    yield "2 experts, classes, 300 x 3", moe.MoEClassifier(2, **few), split(X, c, 300)
    for n in (30, 300):
        yield f"tree, {n} x 3", moe.HierarchicalMoERegressor(**few), split(X, y, n)
        yield f"tree of classes, {n} x 3", moe.HierarchicalMoEClassifier(**few), split(X, c, n)


def loss(model, X, y):
    """Mean cost of rows that were held out, in nats."""
    return -float(model.score_samples(X, y).mean())


def fits(some=""):
    """Whole fits whose names have ``some`` in them: cost in units, and loss."""
    one = unit()
    for name, model, (X, y, other_X, other_y) in cases():
        if some not in name:
            continue
        cost, fitted = seconds(lambda m=model, X=X, y=y: m.fit(X, y), 1 if "digits" in name else 2)
        yield {
            "part": "fits",
            "case": name,
            "cost": cost / one,
            "loss": loss(fitted, other_X, other_y),
        }


def checks():
    """scikit-learn's checks of every public estimator with its defaults."""
    for name in moe.__all__:
        cls = getattr(moe, name)
        if not isinstance(cls, type):
            continue
        estimator = cls(NEEDED[name]) if name in NEEDED else cls()
        yield {"part": "checks", "case": name, "cost": seconds(partial(every, estimator))[0]}


def every(estimator):
    """All checks of an estimator; those that nets cannot pass are skipped."""
    skipped = BATCHES if hasattr(estimator, "batch_size") else {}
    listed = estimator_checks_generator(estimator, expected_failed_checks=skipped, mark="skip")
    for one, check in listed:
        with suppress(SkipTest):
            check(one)


def command():
    """The first command of the README, and a file of 100,000 rows."""
    X, y, _ = lines(100_000)
    with tempfile.TemporaryDirectory() as folder:
        wide = np.column_stack([X, np.random.default_rng(4).standard_normal((len(X), 2))])
        path = Path(folder) / "large.csv"
        pd.DataFrame(wide, columns=list("abcde")).assign(y=y).to_csv(path, index=False)
        for name, words in {
            "`python -m moe_classic`": [],
            "the same, `--quick`": ["--quick"],
            "100,000 x 5": [str(path), "--target", "y"],
        }.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            run = [sys.executable, "-m", "moe_classic", *words, "--output", folder]
            subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
            cost = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
            yield {"part": "command", "case": name, "cost": cost}


PARTS = {"fits": fits, "checks": checks, "command": command}


def main():
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--fits", default="", help="only fits with this in their names")
    parser.add_argument("--version", default="now", help="now, or before (default: %(default)s)")
    add_output(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    warnings.filterwarnings("ignore", category=SkipTestWarning)
    for part in options.only:
        for row in fits(options.fits) if part == "fits" else PARTS[part]():
            row = {"loss": np.nan} | row
            print(
                f"{row['part']:8s} {row['case']:30s} {row['cost']:8.3g} {row['loss']:.4f}",
                flush=True,
            )
            keys = ["part", "case", "version"]
            keep("stopping", [{**row, "version": options.version}], keys, options.output)


if __name__ == "__main__":
    main()
