"""Cost of EM side by side: ``python benchmarks/speed.py [--quick] [--output FOLDER]``.

Prints, for one thread unless said otherwise: CPU seconds of one EM iteration against one of
scikit-learn's GaussianMixture on (X, y); the fraction of the machine's own rates that it reaches;
two threads against one; growth with rows and experts; whole fits counted in iterations; memory;
rows predicted a second; and flexmix and mixtools where ``Rscript`` has them. Writes the table as
speed.csv and a picture as speed.png.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import matplotlib as mpl
import numpy as np
import pandas as pd
from _problems import best_of, em_pass, em_problem, mixture_pass_seconds, regions

from moe_classic import MoERegressor

mpl.use("Agg")

ROWS: list[dict] = []


def report(what, shape, value, against=None, unit="s"):
    """Print one line and keep it for the table."""
    ratio = value / against if against else np.nan
    ROWS.append({"what": what, "shape": shape, "value": value, "unit": unit, "ratio": ratio})
    tail = f"   ratio {ratio:.3f}" if against else ""
    print(f"{what:44s} {shape!s:18s} {value:10.4g} {unit}{tail}", flush=True)


def against_gaussian_mixture(shapes):
    """One EM iteration, ours and GaussianMixture's."""
    for n, p, K in shapes:
        X, y, _ = regions(n, p, K)
        theirs = mixture_pass_seconds(np.column_stack([X, y]), K)
        problem, params = em_problem(X, y, K)
        ours = best_of(lambda: em_pass(problem, params))  # noqa: B023 - called at once
        report("GaussianMixture iteration", (n, p, K), theirs)
        report("EM iteration / GaussianMixture", (n, p, K), ours, theirs)
        report("EM iteration / roofline", (n, p, K), ours, roofline(n, p, K, problem))


def roofline(n, p, K, problem):
    """Seconds that the products and exponentials of one iteration take at measured rates."""
    q, b = p + 1, problem.source.block_size
    rows = K * (K - 1) // 2 + K
    rng = np.random.default_rng(0)
    Z, W = rng.random((q, b)), rng.random((rows, b))
    P, A = rng.random((q * (q + 1) // 2, b)), rng.random((K, b))
    C, out, product = rng.random((K, q)), np.empty((K, b)), np.empty_like(P)

    def products():
        start = 0
        for i in range(q):
            np.multiply(Z[i], Z[i:], out=product[start : start + q - i])
            start += q - i

    clock = time.perf_counter
    parts = [
        best_of(lambda: W @ P.T, 20, clock),
        best_of(products, 20, clock),
        2.0 * best_of(lambda: np.exp(A, out=out), 20, clock),
        2.0 * best_of(lambda: np.matmul(C, Z, out=out), 20, clock),
        2.0 * best_of(lambda: A @ Z.T, 20, clock),
    ]
    return sum(parts) * n / b


def threads(shapes):
    """Wall time of one iteration with one and two threads."""
    for n, p, K in shapes:
        X, y, _ = regions(n, p, K)
        clock = time.perf_counter
        one, params = em_problem(X, y, K)
        two, _ = em_problem(X, y, K, n_jobs=2)
        alone = best_of(lambda: em_pass(one, params), 5, clock)  # noqa: B023
        both = best_of(lambda: em_pass(two, params), 5, clock)  # noqa: B023
        report("EM iteration, one thread (wall)", (n, p, K), alone)
        report("speed-up of two threads", (n, p, K), alone / both, unit="x")


def growth(rows, experts):
    """Exponents of the cost in rows and in experts."""
    seconds = []
    for n in rows:
        X, y, _ = regions(n, 10, 4)
        problem, params = em_problem(X, y, 4)
        seconds.append(best_of(lambda: em_pass(problem, params), 3))  # noqa: B023
        report("EM iteration", (n, 10, 4), seconds[-1])
    slope = np.polyfit(np.log(rows), np.log(seconds), 1)[0]
    report("growth exponent in rows", f"{rows[0]}..{rows[-1]}", slope, unit="")
    seconds = []
    for K in experts:
        X, y, _ = regions(50_000, 10, K)
        problem, params = em_problem(X, y, K)
        seconds.append(best_of(lambda: em_pass(problem, params), 3))  # noqa: B023
        report("EM iteration", (50_000, 10, K), seconds[-1])
    slope = np.polyfit(np.log(experts), np.log(seconds), 1)[0]
    report("growth exponent in experts", f"{experts[0]}..{experts[-1]}", slope, unit="")


def whole_fits(large):
    """Default fits: in iterations for many rows, in seconds for few."""
    n, p, K = large
    X, y, _ = regions(n, p, K)
    problem, params = em_problem(X, y, K)
    one = best_of(lambda: em_pass(problem, params), 3)
    start = time.process_time()
    MoERegressor(K, random_state=0).fit(X, y)
    report("default fit, in EM iterations", large, (time.process_time() - start) / one, unit="it")
    X, y, _ = regions(150, 1, 2)
    seconds = best_of(lambda: MoERegressor(2, random_state=0).fit(X, y), 3, time.perf_counter)
    report("default fit", (150, 1, 2), seconds)


def predictions(n):
    """Rows predicted a second by a small model."""
    X, y, _ = regions(n, 10, 4)
    moe = MoERegressor(4, n_init=1, max_iter=20, tol=1e-3, random_state=0).fit(X[:20000], y[:20000])
    for name in ("predict", "gate_proba"):
        method = getattr(moe, name)
        seconds = best_of(lambda: method(X), 3)  # noqa: B023
        report(f"{name}: rows a second", (n, 10, 4), n / seconds, unit="/s")
    seconds = best_of(lambda: moe.score_samples(X, y), 3)
    report("score_samples: rows a second", (n, 10, 4), n / seconds, unit="/s")


def memory(n):
    """Peak memory of a fit beyond X, measured in a process of its own."""
    code = (
        "import sys, resource, numpy as np\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from _problems import regions\n"
        "from moe_classic import MoERegressor\n"
        "X, y, _ = regions(int(sys.argv[2]), 10, 4)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "MoERegressor(4, n_init=3, max_iter=10, tol=1e-3, random_state=0).fit(X, y)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print((after - before) / 1024)\n"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, here, str(n)],
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


def picture(path):
    """Growth with rows and experts."""
    import matplotlib.pyplot as plt

    table = pd.DataFrame(ROWS)
    runs = table[table.what == "EM iteration"]
    shapes = np.array([list(s) for s in runs["shape"]])
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, column, other, label in ((axes[0], 0, 2, "rows"), (axes[1], 2, 0, "experts")):
        chosen = shapes[:, other] == (4 if column == 0 else 50_000)
        axis.loglog(shapes[chosen, column], runs["value"].to_numpy()[chosen], "o-", color="#0072B2")
        axis.set(xlabel=label, ylabel="CPU seconds an EM iteration")
        axis.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    options = parser.parse_args()
    quick = options.quick
    shapes = [(100_000, 10, 4)] + ([] if quick else [(500_000, 10, 5), (500_000, 20, 8)])
    against_gaussian_mixture(shapes)
    threads(shapes if quick else shapes[1:])
    growth([1000, 10_000, 100_000] + ([] if quick else [1_000_000]), [8, 16, 32, 64])
    whole_fits((100_000, 10, 5) if quick else (500_000, 10, 5))
    predictions(200_000 if quick else 1_000_000)
    memory(200_000 if quick else 2_000_000)
    against_r(20_000 if quick else 100_000, 10, 4)
    options.output.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(ROWS).to_csv(options.output / "speed.csv", index=False)
    picture(options.output / "speed.png")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"tables in {options.output}, peak memory of this run {peak:.0f} MB")


if __name__ == "__main__":
    main()
