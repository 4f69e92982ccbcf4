"""Cost of EM by family: ``python benchmarks/families.py [--quick]``.

CPU seconds of one EM iteration, gate included, with experts of counts, shares and positive targets
over one with Gaussian experts on as many rows, in turn with it. One thread. Writes
results/families.csv; a quick run writes nothing.
"""

import argparse
import os
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
from _problems import em_pass, regions
from _results import add_output, keep

from moe_classic import _training
from moe_classic.experts import (
    EXPERTS,
    BinomialExpert,
    CensoredExpert,
    GaussianExpert,
    PoissonExpert,
    TruncatedExpert,
    ZeroInflatedExpert,
)
from moe_classic.gates import GATES


def leaning(n, rng):
    """Skew-normal noise with slant 3."""
    delta = 3.0 / np.sqrt(10.0)
    return delta * np.abs(rng.standard_normal(n)) + np.sqrt(0.1) * rng.standard_normal(n)


#: Families, and the target that each is given, from a mean on the log scale.
FAMILIES = {
    "gaussian": lambda eta, rng: eta + 0.3 * rng.standard_normal(eta.size),
    "skew_normal": lambda eta, rng: eta + 0.3 * leaning(eta.size, rng),
    "skew_t": lambda eta, rng: (
        eta + 0.3 * leaning(eta.size, rng) / np.sqrt(rng.chisquare(5.0, eta.size) / 5.0)
    ),
    "poisson": lambda eta, rng: rng.poisson(3.0 * np.exp(eta)),
    "gamma": lambda eta, rng: np.exp(eta) * rng.gamma(3.0, 1.0 / 3.0, eta.size),
    "binomial": lambda eta, rng: rng.binomial(12, 1.0 / (1.0 + np.exp(-eta))),
    "inverse_gaussian": lambda eta, rng: rng.wald(np.exp(eta), 4.0),
    "lognormal": lambda eta, rng: np.exp(eta + 0.5 * rng.standard_normal(eta.size)),
    "negative_binomial": lambda eta, rng: rng.poisson(
        3.0 * np.exp(eta) * rng.gamma(2.0, 0.5, eta.size)
    ),
    "weibull": lambda eta, rng: np.exp(eta) * rng.weibull(1.6, eta.size),
    "beta": lambda eta, rng: rng.beta(8.0 / (1.0 + np.exp(-eta)), 8.0 / (1.0 + np.exp(eta))).clip(
        1e-12, 1.0 - 1e-12
    ),
    "censored gaussian": lambda eta, rng: ends_of(eta + 0.3 * rng.standard_normal(eta.size)),
    "truncated gaussian": lambda eta, rng: eta + 0.3 * rng.standard_normal(eta.size),
    "zero_inflated poisson": lambda eta, rng: (
        rng.poisson(3.0 * np.exp(eta)) * (rng.random(eta.size) < 0.7)
    ),
}
#: One slope that all experts share.
FAMILIES |= {f"shared {name}": FAMILIES[name] for name in ("gaussian", "poisson")}
#: Those that are no registered name by themselves.
EXPERTS_OF = {
    "binomial": BinomialExpert(trials=12),
    "censored gaussian": CensoredExpert(GaussianExpert()),
    "shared gaussian": GaussianExpert(shared=[0]),
    "shared poisson": PoissonExpert(shared=[0]),
    "truncated gaussian": TruncatedExpert(GaussianExpert(), low=-20.0),
    "zero_inflated poisson": ZeroInflatedExpert(PoissonExpert()),
}


def ends_of(y):
    """Standardised y, of which the upper 30 % are censored."""
    y = (y - y.mean()) / y.std()
    end = np.quantile(y, 0.7)
    return np.column_stack([np.minimum(y, end), np.where(y > end, np.inf, y)])


def problem_of(family, n, p, K):
    """The EM problem of a family, and parameters after a few iterations from unequal experts."""
    X, y, _ = regions(n, p, K)
    y = FAMILIES[family](0.5 * (y - y.mean()) / y.std(), np.random.default_rng(2))
    expert = EXPERTS_OF[family] if family in EXPERTS_OF else EXPERTS[family]()
    problem, start = _training.em_problem(X, y, K, expert=expert, gate=GATES["softmax"]())
    theta = problem.model.pack(start)
    noise = np.random.default_rng(1).standard_normal(theta.size)
    params = problem.model.unpack(theta + 0.1 * noise, start, problem.summary)
    for _ in range(3):
        params = em_pass(problem, params)
    return problem, params


def costs(n, p, K, repeats):
    """Least CPU seconds of an iteration by family, measured in turn."""
    problems = {family: problem_of(family, n, p, K) for family in FAMILIES}
    least = dict.fromkeys(FAMILIES, np.inf)
    for _ in range(repeats):
        for family, (problem, params) in problems.items():
            start = time.process_time()
            em_pass(problem, params)
            least[family] = min(least[family], time.process_time() - start)
    return least


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, nothing is written")
    add_output(parser)
    options = parser.parse_args()
    shape = (5000, 3, 2) if options.quick else (100_000, 10, 4)
    least = costs(*shape, repeats=3 if options.quick else 9)
    rows = []
    for family, seconds in least.items():
        ratio = seconds / least["gaussian"]
        rows.append({"family": family, "shape": str(shape), "seconds": seconds, "ratio": ratio})
        print(f"{family:20s} {shape!s:18s} {seconds:8.4f} s   ratio {ratio:.2f}", flush=True)
    if not options.quick:
        keep("families", rows, ["family", "shape"], options.output)


if __name__ == "__main__":
    main()
