"""Problems and clocks shared by the benchmarks."""

import time
import warnings

import numpy as np

from moe_classic._data.blocks import ArraySource
from moe_classic._data.features import fit_design, slices_of
from moe_classic._data.stats import summarise
from moe_classic._engine.map_reduce import make_engine
from moe_classic._model.model import Group, Model
from moe_classic._objectives.likelihood import MixtureLikelihood
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES
from moe_classic.solvers import Problem


def regions(n, p, K, seed=0):
    """X (n, p) and y (n,): K linear regimes along the first feature, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    z = (X[:, 0] * 2.0).round().astype(int) % K
    y = (X * rng.standard_normal((K, p))[z]).sum(axis=1) + 0.3 * rng.standard_normal(n)
    return X, y, z


def em_problem(X, y, K, *, expert="gaussian", gate="softmax", n_jobs=1, block_size=None):
    """The EM problem on standardised data, and a starting point with unequal experts."""
    n, p = X.shape
    w = np.broadcast_to(1.0, n)
    design = fit_design(
        None, slices_of(X, w), fit_on=(X, y), names_in=None, standardize=True, owner="benchmark"
    )
    if EXPERTS[expert].target == "class":
        target, n_classes = y, int(y.max()) + 1
    else:
        target, n_classes = ((y - y.mean()) / y.std())[None], 0
    summary = summarise(target, w, n_classes)
    model = Model(GATES[gate](), (Group(EXPERTS[expert]().bind(summary), K, 0),))
    source = ArraySource(X, target, w, (design,), block_size, n_experts=K, n_threads=n_jobs)
    problem = Problem(model, MixtureLikelihood(model), source, summary, make_engine(n_jobs))
    start = model.start([p + 1], summary)
    theta = model.pack(start)
    noise = np.random.default_rng(1).standard_normal(theta.size)
    return problem, model.unpack(theta + 0.3 * noise, start, summary)


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
