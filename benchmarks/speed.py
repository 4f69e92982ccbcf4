"""Cost of EM side by side: ``python benchmarks/speed.py [--quick] [--only PART ...]``.

One thread unless said otherwise. The parts: ``mixture`` (CPU seconds of one EM iteration against
one of scikit-learn's GaussianMixture on (X, y), and against the machine's own rates), ``threads``,
``single`` (what float32 would save and cost), ``growth`` (rows, features, experts), ``families``
(experts and gates), ``fits`` (default fits, in iterations and beside other packages), ``jobs``
(whole fits with one job and two), ``predict``, ``memory`` and ``r`` (flexmix and mixtools where
``Rscript`` has them). Writes the figures to results/speed.csv, and with growth a picture beside
them; with ``--widen`` earlier runs count as well, as least and most. A quick run writes nothing.
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import matplotlib as mpl
import numpy as np
import pandas as pd
from _problems import best_of, em_pass, em_problem, in_turn, mixture_pass_seconds, regions
from _results import add_output, keep, widen
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_digits, make_friedman1

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic._data.design import PRODUCT_ROWS
from moe_classic._engine.tasks import locked
from moe_classic._numerics.linalg import matmul_by_rows, ring_of, ring_products, sums_by_rows
from moe_classic._numerics.memory import _NUMPY_BUFFER
from moe_classic.datasets import load_tone

mpl.use("Agg")

ROWS: list[dict] = []


def report(what, shape, value, against=None, unit="s"):
    """Print one line and keep it for the table."""
    ratio = value / against if against else np.nan
    ROWS.append({"what": what, "shape": shape, "value": value, "unit": unit, "ratio": ratio})
    tail = f"   ratio {ratio:.3f}" if against else ""
    print(f"{what:44s} {shape!s:18s} {value:10.4g} {unit}{tail}", flush=True)


# ------------------------------------------------------------------------- one iteration


def against_gaussian_mixture(shapes):
    """One EM iteration, ours and GaussianMixture's, and what its parts take by themselves."""
    for n, p, K in shapes:
        X, y, _ = regions(n, p, K)
        theirs = mixture_pass_seconds(np.column_stack([X, y]), K)
        problem, params = em_problem(X, y, K)
        ours = best_of(lambda: em_pass(problem, params), 25)  # noqa: B023 - called at once
        report("GaussianMixture iteration", (n, p, K), theirs)
        report("EM iteration / GaussianMixture", (n, p, K), ours, theirs)
        report("roofline / EM iteration", (n, p, K), roofline(n, p, K, problem), ours)


def roofline(n, p, K, problem):
    """Seconds that the products and exponentials of one iteration take at measured rates.

    The shapes are those of an iteration: products of features and the Grams made from them for as
    many rows as it forms at a time; two sets of predictors, scores and exponentials for a block.
    """
    q, rows = p + 1, K * (K - 1) // 2 + K
    few, block = PRODUCT_ROWS, problem.source.block_size
    rng = np.random.default_rng(0)
    W, P = rng.random((rows, few)), rng.random((q * (q + 1) // 2, few))
    Z, A, C = rng.random((q, block)), rng.random((K, block)), rng.random((K, q))
    out, product = np.empty((K, block)), np.empty_like(P)

    ring = ring_of(Z, np.empty((q + q // 2, block)))[..., :few]
    usual = np.setbufsize(_NUMPY_BUFFER)

    clock = time.perf_counter
    a_row = best_of(lambda: W @ P.T, 40, clock) / few
    a_row += best_of(lambda: ring_products(Z[:, :few], ring, product), 40, clock) / few
    a_row += 2.0 * best_of(lambda: np.exp(A, out=out), 40, clock) / block
    a_row += 2.0 * best_of(lambda: matmul_by_rows(C, Z, out), 40, clock) / block
    a_row += 2.0 * best_of(lambda: sums_by_rows(A, Z), 40, clock) / block
    np.setbufsize(usual)
    return n * a_row


def threads(shapes):
    """Wall time of one iteration with one and two threads, and what two processes reach."""
    for n, p, K in shapes:
        X, y, _ = regions(n, p, K)
        (one, params), (two, _) = em_problem(X, y, K), em_problem(X, y, K, n_jobs=2)
        alone, both = in_turn(
            lambda: em_pass(one, params),  # noqa: B023
            lambda: em_pass(two, params),  # noqa: B023
            repeats=30,
        )
        report("EM iteration, one thread (wall)", (n, p, K), alone)
        lock = "" if locked() else ", free-threaded"
        report(f"speed-up of two threads{lock}", (n, p, K), alone / both, unit="x")
        apart = two_processes(n, p, K)
        report("speed-up of two processes, half each", (n, p, K), alone / apart, unit="x")


def two_processes(n, p, K):
    """Least wall time of an iteration on half the rows, in two processes at the same time."""
    spawn = multiprocessing.get_context("spawn")
    meeting, times = spawn.Barrier(2), spawn.Queue()
    workers = [spawn.Process(target=half, args=(n // 2, p, K, meeting, times)) for _ in range(2)]
    for worker in workers:
        worker.start()
    seconds = [times.get() for _ in workers]
    for worker in workers:
        worker.join()
    return np.max(seconds, axis=0).min()


def half(n, p, K, meeting, times):
    """What each of the two processes does."""
    X, y, _ = regions(n, p, K)
    problem, params = em_problem(X, y, K)
    seconds = []
    for _ in range(30):
        meeting.wait()
        start = time.perf_counter()
        em_pass(problem, params)
        meeting.wait()
        seconds.append(time.perf_counter() - start)
    times.put(seconds[2:])


def single_precision(n, q, M):
    """What sums of products in float32 would save, and what they would cost in digits."""
    rng = np.random.default_rng(0)
    Z = np.vstack([rng.standard_normal((q - 1, n)).astype(np.float32), np.ones(n, np.float32)])
    few, seconds = PRODUCT_ROWS, {}
    usual = np.setbufsize(_NUMPY_BUFFER)
    for kind in (np.float64, np.float32):
        part = Z[:, :few].astype(kind)
        ring = ring_of(part, np.empty((q + q // 2, few), kind))
        room, W = np.empty((q * (q + 1) // 2, few), kind), np.ones((M, few), kind)
        seconds[kind] = best_of(lambda: ring_products(part, ring, room), 300, time.perf_counter)  # noqa: B023
        seconds[kind] += best_of(lambda: W @ room.T, 300, time.perf_counter)  # noqa: B023
    np.setbufsize(usual)
    report("products and Grams, float32 / float64", (few, q - 1, M), *map(seconds.get, seconds))
    exact, coef = Z.astype(float), rng.standard_normal(q)
    rough = sum((Z[:, i : i + few] @ Z[:, i : i + few].T).astype(float) for i in range(0, n, few))
    for noise in (0.3, 1e-3):
        y = coef @ exact + noise * rng.standard_normal(n)
        score = exact @ y
        step = np.linalg.solve(rough, score)
        rss = y @ y - 2.0 * step @ score + step @ rough @ step
        least = np.sum((y - np.linalg.solve(exact @ exact.T, score) @ exact) ** 2)
        report("error of a residual sum after one step", f"noise {noise}", rss / least - 1, unit="")
        e, e32 = y - coef @ exact, y - coef.astype(np.float32) @ Z
        height = [-0.5 * u @ u / noise**2 - n * np.log(noise) for u in (e, e32)]
        report(
            "error of a float32 log-likelihood",
            f"noise {noise}",
            height[1] / height[0] - 1,
            unit="",
        )


# ------------------------------------------------------------------------- growth


def growth(rows, features, experts):
    """Exponents of the cost in rows, features and experts."""
    exponent("rows", rows, lambda v: (v, 10, 4))
    exponent("features", features, lambda v: (50_000, v, 4))
    exponent("experts", experts, lambda v: (50_000, 10, v), first=8)


def exponent(name, values, shape_of, first=0):
    """Time over some values, and the slope of its logarithm from ``first`` on."""
    seconds = []
    for v in values:
        n, p, K = shape_of(v)
        X, y, _ = regions(n, p, K)
        problem, params = em_problem(X, y, K)
        seconds.append(best_of(lambda: em_pass(problem, params), 4))  # noqa: B023
        report(f"EM iteration over {name}", (n, p, K), seconds[-1])
    used = np.array(values) >= first
    slope = np.polyfit(np.log(values)[used], np.log(seconds)[used], 1)[0]
    report(
        f"growth exponent in {name}", f"{max(values[0], first):,} to {values[-1]:,}", slope, unit=""
    )


def families(n, p, K):
    """One iteration for every expert and gate, against Gaussian experts and a softmax gate."""
    X, y, z = regions(n, p, K)
    usual = None
    pairs = [(e, "softmax") for e in ("gaussian", "laplace", "student_t")]
    pairs += [(e, "softmax") for e in ("logistic", "multinomial")]
    pairs += [("gaussian", g) for g in ("constant", "gaussian", "tree")]
    for expert, gate in pairs:
        target = {"logistic": z % 2, "multinomial": z % 3}.get(expert, y)
        problem, params = em_problem(X, target, K, expert=expert, gate=gate)
        seconds = best_of(lambda: em_pass(problem, params), 4)  # noqa: B023
        usual = usual or seconds
        report(f"{expert} experts, {gate} gate", (n, p, K), seconds, usual)


# ------------------------------------------------------------------------- whole fits


def whole_fits(large, middle):
    """Default fits: in iterations for many rows, in seconds for few, and beside other packages."""
    n, p, K = large
    X, y, _ = regions(n, p, K)
    problem, params = em_problem(X, y, K)
    one = best_of(lambda: em_pass(problem, params), 3)
    start = time.process_time()
    MoERegressor(K, random_state=0).fit(X, y)
    report("default fit, in EM iterations", large, (time.process_time() - start) / one, unit="it")
    few = {"tone data": load_tone(return_X_y=True), "stripes": regions(150, 1, 2)[:2]}
    for name, (X, y) in few.items():
        seconds = best_of(lambda: MoERegressor(2, random_state=0).fit(X, y), 5, time.perf_counter)  # noqa: B023
        report(f"fit, {name}", (150, 1, 2), seconds)
    for n in middle:
        beside(n, 10, 4)


def beside(n, p, K):
    """A default fit, and one start to 1e-6 nats, beside what others do on the same rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.mixture import GaussianMixture

    X, y, z = regions(n, p, K)
    XY = np.column_stack([X, y])

    def seconds(f):
        return best_of(f, 2)

    ours = seconds(lambda: MoERegressor(K, random_state=0).fit(X, y))
    report("MoERegressor, ten starts", (n, p, K), ours)
    sharp = MoERegressor(K, n_init=1, tol=1e-6 / n, random_state=0)
    report(
        "`MoERegressor`, one start, to 1e-6 nats", (n, p, K), seconds(lambda: sharp.fit(X, y)), ours
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        others = {
            "`LogisticRegression` on the true labels": lambda: LogisticRegression().fit(X, z),
            "`GaussianMixture` on (X, y), ten starts": lambda: GaussianMixture(
                K, n_init=10, random_state=0
            ).fit(XY),
        }
        try:
            from gmr import GMM

            others["gmr on (X, y), one start"] = lambda: GMM(K, random_state=0).from_samples(XY)
        except ImportError:
            print("gmr is not installed: it is left out", flush=True)
        for name, f in others.items():
            report(name, (n, p, K), seconds(f), ours)


def predictions(n):
    """Rows a second that a small model answers for, and what two threads gain."""
    X, y, _ = regions(n, 10, 4)
    moe = MoERegressor(4, n_init=1, max_iter=20, tol=1e-3, random_state=0).fit(X[:20000], y[:20000])
    calls = {
        "predict": lambda m=moe: m.predict(X),
        "gate_proba": lambda m=moe: m.gate_proba(X),
        "score_samples": lambda m=moe: m.score_samples(X, y),
        "predict_quantile": lambda m=moe: m.predict_quantile(X, 0.9),
    }
    for name, call in calls.items():
        report(f"{name}: rows a second", (n, 10, 4), n / best_of(call, 3), unit="/s")
        alone, both = in_turn(
            lambda: call(moe.set_params(n_jobs=1)),  # noqa: B023 - called at once
            lambda: call(moe.set_params(n_jobs=2)),  # noqa: B023
            repeats=5,
        )
        report(f"{name}: speed-up of two threads", (n, 10, 4), alone / both, unit="x")


def jobs(*, quick):
    """Whole fits whose starts take seconds, with one job and two; wall time.

    Processes have to begin for the first fit with two jobs, and are there for the second.
    """
    get_reusable_executor().shutdown(wait=True)
    X, y = load_digits(return_X_y=True)
    fits = {"digits, 8 multinomial experts": (MoEClassifier(8, random_state=0), X, y)}
    if not quick:
        X, y = make_friedman1(10_000, noise=1.0, random_state=0)
        t = MoERegressor(8, expert="student_t", random_state=0)
        fits |= {
            "`make_friedman1`, 10,000 rows, 16 Gaussian experts": (
                MoERegressor(16, random_state=0),
                X,
                y,
            ),
            "the same, 8 Student-t experts": (t, X, y),
            "the same, tree of 4 x 4": (HierarchicalMoERegressor((4, 4), random_state=0), X, y),
        }
    for name, (moe, X, y) in fits.items():
        seconds = []
        for n_jobs in (1, 2, 2):
            start = time.perf_counter()
            moe.set_params(n_jobs=n_jobs).fit(X, y)
            seconds.append(time.perf_counter() - start)
        report(name, "one job", seconds[0])
        for what, second in zip(("two jobs", "processes there"), seconds[1:], strict=True):
            report(name, what, seconds[0] / second, unit="x")


MEMORY_CODE = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
from _problems import regions
from moe_classic import MoERegressor
def kilobytes(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
X, y, _ = regions(int(sys.argv[2]), 10, 4)
pathlib.Path("/proc/self/clear_refs").write_text("5")
before = kilobytes("VmRSS")
MoERegressor(4, n_init=3, max_iter=10, tol=1e-3, random_state=0).fit(X, y)
print((kilobytes("VmHWM") - before) / 1024)
"""


def memory(n):
    """Peak memory of a fit beyond X and y, in a process of its own; asks Linux."""
    if not Path("/proc/self/clear_refs").exists():
        print("no /proc/self/clear_refs: memory is left out", flush=True)
        return
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEMORY_CODE, here, str(n)],
        capture_output=True,
        text=True,
        check=True,
    )
    report("peak memory beyond the data", (n, 10, 4), float(done.stdout), unit="MB")


R_CODE = """
args <- commandArgs(TRUE); d <- read.csv(args[1]); K <- as.integer(args[2])
timed <- function(f) { t <- proc.time(); f(); (proc.time() - t)[["user.self"]] }
form <- as.formula(paste("y ~", paste(setdiff(names(d), "y"), collapse = " + ")))
if (requireNamespace("flexmix", quietly = TRUE)) { suppressMessages(library(flexmix))
  run <- function(it) flexmix(form, data = d, k = K,
    concomitant = FLXPmultinom(as.formula(sub("y", "", deparse1(form)))),
    cluster = rep(seq_len(K), length.out = nrow(d)),
    control = list(iter.max = it, minprior = 0, tolerance = 0))
  cat("flexmix", (timed(function() run(4)) - timed(function() run(1))) / 3, "\\n") }
if (requireNamespace("mixtools", quietly = TRUE)) { suppressMessages(library(mixtools))
  X <- as.matrix(d[setdiff(names(d), "y")])
  run <- function(it) capture.output(suppressWarnings(
    regmixEM(d$y, X, k = K, maxit = it, epsilon = 0)))
  cat("mixtools", (timed(function() run(6)) - timed(function() run(2))) / 4, "\\n") }
"""


def against_r(n, p, K):
    """flexmix (softmax gate) and mixtools (constant gate), where R has them."""
    if shutil.which("Rscript") is None:
        print("Rscript is not installed: flexmix and mixtools are left out", flush=True)
        return
    X, y, _ = regions(n, p, K)
    problem, params = em_problem(X, y, K)
    ours = best_of(lambda: em_pass(problem, params))
    with tempfile.TemporaryDirectory() as folder:
        frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(p)]).assign(y=y)
        frame.to_csv(Path(folder) / "d.csv", index=False)
        (Path(folder) / "run.R").write_text(R_CODE)
        done = subprocess.run(
            ["Rscript", f"{folder}/run.R", f"{folder}/d.csv", str(K)],
            capture_output=True,
            text=True,
            check=False,
        )
    for line in done.stdout.splitlines():
        name, seconds = line.split()
        report(f"{name} iteration / EM iteration", (n, p, K), float(seconds), ours)


def figures():
    """Rows of results/speed.csv: a ratio where there is one, else the value in its unit."""
    for row in ROWS:
        ratio = not np.isnan(row["ratio"]) or row["unit"] == "x"
        value = row["value"] if np.isnan(row["ratio"]) else row["ratio"]
        shape = row["shape"]
        if isinstance(shape, tuple):
            shape = ", ".join(f"{size:,}" for size in shape)
        unit = "ratio" if ratio else row["unit"] or "exponent"
        what = {"what": row["what"], "shape": shape, "unit": unit}
        yield what | {"least": value, "most": value}


def picture(path):
    """Growth with rows, features and experts."""
    import matplotlib.pyplot as plt

    table = pd.DataFrame(ROWS)
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for axis, (column, label) in zip(axes, enumerate(("rows", "features", "experts")), strict=True):
        runs = table[table.what == f"EM iteration over {label}"]
        x = [shape[column] for shape in runs["shape"]]
        axis.loglog(x, runs["value"], "o-", color="#0072B2")
        axis.set(xlabel=label, ylabel="CPU seconds an EM iteration")
        axis.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=120)


def main():
    quick_shapes = [(100_000, 10, 4)]
    shapes = [*quick_shapes, (500_000, 10, 5), (500_000, 20, 8)]
    rows = [1000, 10_000, 100_000, 500_000, 2_000_000]
    features, experts = [1, 3, 10, 30, 100], [2, 4, 8, 16, 32, 64]
    parts_of = {
        "mixture": lambda q: against_gaussian_mixture(quick_shapes if q else shapes),
        "threads": lambda q: threads(quick_shapes if q else shapes[1:]),
        "single": lambda q: single_precision(20_000 if q else 200_000, 11, 15),
        "growth": lambda q: growth(rows[:3] if q else rows, features, experts),
        "families": lambda q: families(20_000 if q else 100_000, 10, 4),
        "fits": lambda q: whole_fits(
            (100_000, 10, 5) if q else (500_000, 10, 5), [1000] if q else [1000, 100_000]
        ),
        "jobs": lambda q: jobs(quick=q),
        "predict": lambda q: predictions(200_000 if q else 1_000_000),
        "memory": lambda q: memory(200_000 if q else 2_000_000),
        "r": lambda q: against_r(20_000 if q else 100_000, 10, 4),
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--only", nargs="+", choices=list(parts_of), default=list(parts_of))
    parser.add_argument("--widen", action="store_true", help="keep least and most of all runs")
    add_output(parser)
    options = parser.parse_args()
    for name in options.only:
        parts_of[name](options.quick)
    if options.quick:
        return
    write = widen if options.widen else keep
    write("speed", list(figures()), ["what", "shape"], options.output)
    if "growth" in options.only:
        picture(options.output / "speed.png")


if __name__ == "__main__":
    main()
