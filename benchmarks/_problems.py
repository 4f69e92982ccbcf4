"""Problems and clocks shared by the benchmarks."""

import time
import warnings

import numpy as np

from moe_classic import _training
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES


def regions(n, p, K, seed=0):
    """X (n, p) and y (n,): K linear regimes along the first feature, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    z = (X[:, 0] * 2.0).round().astype(int) % K
    y = (X * rng.standard_normal((K, p))[z]).sum(axis=1) + 0.3 * rng.standard_normal(n)
    return X, y, z


def em_problem(X, y, K, *, expert="gaussian", gate="softmax", n_jobs=1, block_size=None):
    """The EM problem on standardised data, and a starting point with unequal experts."""
    made = {"expert": EXPERTS[expert](), "gate": GATES[gate]()}
    problem, start = _training.em_problem(X, y, K, **made, n_jobs=n_jobs, block_size=block_size)
    theta = problem.model.pack(start)
    noise = np.random.default_rng(1).standard_normal(theta.size)
    return problem, problem.model.unpack(theta + 0.3 * noise, start, problem.summary)


def em_pass(problem, params):
    """One EM iteration, the gate's Newton step included."""
    _, stats = problem.evaluate(params)
    return problem.model.update(params, stats, problem.summary)


def best_of(f, repeats=5, clock=time.process_time):
    """Least time of several calls, after one that is not counted."""
    f()
    seconds = []
    for _ in range(repeats):
        start = clock()
        f()
        seconds.append(clock() - start)
    return min(seconds)


def in_turn(f, g, repeats=12):
    """Least wall seconds of two functions that are called in turn, so that drift meets both."""
    seconds = []
    for _ in range(repeats):
        for h in (f, g):
            start = time.perf_counter()
            h()
            seconds.append(time.perf_counter() - start)
    return min(seconds[2::2]), min(seconds[3::2])


def mixture_pass_seconds(XY, K, repeats=3):
    """CPU seconds of one EM iteration of scikit-learn's GaussianMixture, full covariances.

    The difference of runs with 2 and 7 iterations: start and checks cancel.
    """
    from sklearn.mixture import GaussianMixture

    def run(iterations):
        start = time.process_time()
        GaussianMixture(
            K, max_iter=iterations, tol=0.0, init_params="random_from_data", random_state=0
        ).fit(XY)
        return time.process_time() - start

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(1)
        few = min(run(2) for _ in range(repeats))
        many = min(run(7) for _ in range(repeats))
    return (many - few) / 5.0
