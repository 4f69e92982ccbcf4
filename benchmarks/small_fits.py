"""Default fits on a few hundred rows, in units of scikit-learn's mixture: ``small_fits.py``.

The unit is ``GaussianMixture(3, n_init=10, max_iter=100, tol=1e-6)`` on 300 x 4 standard normals,
in the same run and between the same fits; all of it is CPU time of whole fits, threads that wait
busily included. ``--as`` names the version that is measured, so that an earlier one, first on the
path, may stand beside it. Threads of the libraries are those of OMP_NUM_THREADS, one unless set;
before each fit they are given time to go to sleep, which is nobody's.
"""

import argparse
import os
import time
import warnings

THREADS = os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", THREADS)

#: Seconds that threads which wait busily are given to end that.
PAUSE = 0.0 if THREADS == "1" else 0.3

import numpy as np
from _results import add_output, keep
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import (
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.datasets import load_motorcycle, load_tone
from moe_classic.experts import GaussianExpert


def two_planes(n=300):
    """Rows (n, 3) whose target follows one plane or the other, and its sign."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3))
    planes = X @ np.array([[1.0, -1.0], [2.0, 0.5], [-1.0, 1.0]])
    y = np.where(X[:, 0] > 0.0, planes[:, 0], planes[:, 1]) + 0.3 * rng.standard_normal(n)
    return X, y, (y > 0.0).astype(int)


def cases():
    """Fits by name; the first is the unit."""
    normals = np.random.default_rng(1).standard_normal((300, 4))
    X, y, classes = two_planes()
    tone, crash = load_tone(return_X_y=True), load_motorcycle(return_X_y=True)
    square = GaussianExpert(features=PolynomialFeatures(2, include_bias=False))
    mixture = GaussianMixture(3, n_init=10, max_iter=100, tol=1e-6, random_state=0)
    return {
        "unit": lambda: mixture.fit(normals),
        "tone, K=2": lambda: MoERegressor(2, random_state=0).fit(*tone),
        "regression, 300 x 3, K=2": lambda: MoERegressor(2, random_state=0).fit(X, y),
        "two classes, 300 x 3, K=2": lambda: MoEClassifier(2, random_state=0).fit(X, classes),
        "motorcycle, K=4": lambda: MoERegressor(4, random_state=0).fit(*crash),
        "motorcycle, quadratic, K=4": lambda: MoERegressor(4, expert=square, random_state=0).fit(
            *crash
        ),
        "tree, 300 x 3": lambda: HierarchicalMoERegressor(random_state=0).fit(X, y),
        "tree of two classes, 300 x 3": lambda: HierarchicalMoEClassifier(random_state=0).fit(
            X, classes
        ),
        "tree, 30 x 3": lambda: HierarchicalMoERegressor(random_state=0).fit(X[:30], y[:30]),
        "tree of two classes, 30 x 3": lambda: HierarchicalMoEClassifier(random_state=0).fit(
            X[:30], classes[:30]
        ),
    }


def seconds(fits, repeats):
    """CPU seconds of each fit, (repeats,): in turn, after a round that counts for nothing."""
    found = {name: [] for name in fits}
    for _ in range(repeats + 1):
        for name, fit in fits.items():
            time.sleep(PAUSE)
            start = time.process_time()
            fit()
            found[name].append(time.process_time() - start)
    return {name: np.array(each[1:]) for name, each in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--as", dest="version", default="now")
    add_output(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = seconds(cases(), options.repeats)
    unit = np.median(found.pop("unit"))
    rows = [
        {
            "fit": name,
            "version": f"{options.version}, {THREADS} thread{'s' * (THREADS != '1')}",
            "ms": 1e3 * np.median(each),
            "ratio": np.median(each) / unit,
            "unit_ms": 1e3 * unit,
        }
        for name, each in found.items()
    ]
    keep("small_fits", rows, ["fit", "version"], options.output)
    for row in rows:
        print(f"{row['fit']:30s} {row['ms']:7.1f} ms   ratio {row['ratio']:.3f}")


if __name__ == "__main__":
    main()
