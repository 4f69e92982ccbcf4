"""Passes and seconds until a solver is within 1e-6 nats of the optimum, from one start.

    python benchmarks/solvers.py [--rows 1000] [--sets 5] [--limit 20000]

Rows come from ``make_moe`` with experts far apart or close together. Every solver starts from the
same parameters, fifteen passes of EM after random ones, and is timed until its trace is within 1e-6
nats of the best height that any of them reached from there. Solvers that end on another hill are
``elsewhere`` in the count on the right and left out of the medians. A pass of Newton forms the
information matrix and costs several of EM.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _problems import em_problem
from _results import add_output, keep

from moe_classic.datasets import make_moe
from moe_classic.solvers import EM, LBFGS, SQUAREM, Newton

#: Solver, and the tolerance with which it goes far enough.
SOLVERS = {
    "EM alone": (EM(finish=None), 1e-12),
    "EM with finish": (EM(), 1e-6),
    "SQUAREM": (SQUAREM(), 1e-8),
    "Newton": (Newton(), 1e-6),
    "L-BFGS": (LBFGS(), 1e-6),
}
#: Distance between experts in units of y (the noise is 0.3), and steepness of the gate.
SETTINGS = {
    "separated": {"separation": 2.0, "sharpness": 5.0},
    "overlapping": {"separation": 0.6, "sharpness": 2.0},
    "heavily": {"separation": 0.4, "sharpness": 1.0},
}
SIZES = ((2, 2), (2, 10), (3, 5))
CLOSE = 1e-6


def timed(solver, tol, problem, start, limit):
    """Heights and seconds at every accepted step, and the result."""
    clock, began = [], time.perf_counter()

    def note(iteration, value):
        clock.append((value, time.perf_counter() - began))
        return False

    result = solver.run(problem, start, max_iter=limit, tol=tol, watch=note)
    return np.array(clock), result


def race(X, y, n_experts, limit):
    """(passes, seconds) of every solver until it is close to the highest; nan for another hill."""
    problem, rough = em_problem(X, y, n_experts)
    start = EM(finish=None).run(problem, rough, max_iter=15, tol=1e-6).params
    runs = {k: timed(solver, tol, problem, start, limit) for k, (solver, tol) in SOLVERS.items()}
    best = max(result.objective for _, result in runs.values())
    found = {}
    for label, (clock, result) in runs.items():
        reached = np.flatnonzero(clock[:, 0] >= best - CLOSE)
        found[label] = (np.nan, np.nan)
        if reached.size:
            step = reached[0]
            # Steps that were not accepted are spread evenly over those that were.
            passes = result.n_iter * (step + 1) / len(clock)
            found[label] = (passes, 1e3 * clock[step, 1])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--sets", type=int, default=5)
    parser.add_argument("--limit", type=int, default=20000)
    add_output(parser)
    options = parser.parse_args()
    rows = []
    for name, setting in SETTINGS.items():
        for n_experts, p in SIZES:
            data = [
                make_moe(
                    options.rows, n_experts=n_experts, n_features=p, random_state=seed, **setting
                )
                for seed in range(options.sets)
            ]
            runs = [race(X, y, n_experts, options.limit) for X, y in data]
            for label in SOLVERS:
                values = np.array([run[label] for run in runs])
                middle = np.nanmedian(values, axis=0) if np.isfinite(values).any() else [np.nan] * 2
                case = f"{name}, K={n_experts}, p={p}"
                rows.append((case, label, *middle, int(np.isnan(values[:, 0]).sum())))
    frame = pd.DataFrame(rows, columns=["data", "solver", "passes", "ms", "elsewhere"])
    keep("solvers", frame.to_dict("records"), ["data", "solver"], options.output)
    frame = frame.set_index(["data", "solver"]).unstack().reindex(columns=list(SOLVERS), level=1)
    frame = frame.loc[list(dict.fromkeys(case for case, *_ in rows))]
    print(frame.to_string(float_format="{:.0f}".format))


if __name__ == "__main__":
    main()
