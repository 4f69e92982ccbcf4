"""Fits of one family on made-up sets: ``python benchmarks/family_fits.py FAMILY coverage|starts``.

``coverage``: how often 95 % Wald intervals hold the truth, over sets of two experts with one
feature. ``starts``: how often a default fit ends as high as the best of many starts. Prints; keeps
nothing.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd

from moe_classic import MoERegressor
from moe_classic.experts import EXPERTS, BinomialExpert
from moe_classic.inference import inference

#: Intercept and slope of each expert, and of the gate of the first.
LINES = np.array([[0.5, 1.0], [2.8, -0.8]])
GATE = np.array([0.2, 2.0])
TRIALS = 12


def _noise_of(family, eta, rng):
    """A target, and the true values of parameters besides coefficients."""
    n, mu = eta.size, np.exp(eta)
    if family == "poisson":
        return rng.poisson(mu), {}
    if family == "negative_binomial":
        return rng.poisson(mu * rng.gamma(2.0, 0.5, n)), {"dispersion": 0.5}
    if family == "binomial":
        return rng.binomial(TRIALS, 1.0 / (1.0 + np.exp(-eta))), {}
    if family == "gamma":
        return mu * rng.gamma(4.0, 0.25, n), {"dispersion": 0.25}
    if family == "inverse_gaussian":
        return rng.wald(mu, 4.0), {"dispersion": 0.25}
    if family == "lognormal":
        return np.exp(eta + 0.5 * rng.standard_normal(n)), {"scale": 0.5}
    if family == "weibull":
        return mu * rng.weibull(1.8, n), {"shape": 1.8}
    if family == "beta":
        a, b = 10.0 / (1.0 + np.exp(-eta)), 10.0 / (1.0 + np.exp(eta))
        return rng.beta(a, b).clip(1e-9, 1.0 - 1e-9), {"concentration": 10.0}
    delta = 3.0 / np.sqrt(10.0) if family.startswith("skew") else 0.0
    z = delta * np.abs(rng.standard_normal(n))
    z += np.sqrt(1.0 - delta**2) * rng.standard_normal(n)
    truth = {"scale": 0.3} | ({"slant": 3.0} if delta else {})
    if family in ("skew_t", "student_t"):
        z /= np.sqrt(rng.chisquare(5.0, n) / 5.0)
        truth["df"] = 5.0
    return eta + 0.3 * z, truth


def draw(family, n, rng):
    """Rows, and the true values of the nuisance parameters."""
    x = rng.uniform(-1.5, 1.5, n)
    first = rng.random(n) < 1.0 / (1.0 + np.exp(-GATE[0] - GATE[1] * x))
    lines = np.where(first[:, None], LINES[0], LINES[1])
    eta = lines[:, 0] + lines[:, 1] * x
    y, truth = _noise_of(family, eta, rng)
    return x[:, None], y, truth


def expert_of(family):
    """The expert, without a penalty where there is one."""
    if family == "binomial":
        return BinomialExpert(trials=TRIALS, alpha=0.0)
    return EXPERTS[family](alpha=0.0)


def coverage(family, sets, n, seed):
    """Share of intervals that hold the truth, by parameter."""
    rows = []
    for rng in np.random.default_rng(seed).spawn(sets):
        X, y, truth = draw(family, n, rng)
        moe = MoERegressor(2, expert=expert_of(family), n_init=4, random_state=0).fit(X, y)
        table = inference(moe, X, y).table.loc["expert"]
        slopes = [float(e.coef_[0]) for e in moe.experts_]
        order = [0, 1] if slopes[0] > slopes[1] else [1, 0]
        for true, place in enumerate(order):
            found = table.loc[f"expert {place + 1}"]
            known = {("intercept", "intercept"): LINES[true, 0], ("slope", "x0"): LINES[true, 1]}
            known |= {(name, name): value for name, value in truth.items()}
            for key, value in known.items():
                low, high = found.loc[key, "low"], found.loc[key, "high"]
                rows.append((key[1], low <= value <= high, np.isfinite(low)))
    frame = pd.DataFrame(rows, columns=["parameter", "held", "known"])
    frame = frame[frame.known]
    print(frame.groupby("parameter").held.agg(["mean", "size"]).round(4).to_string())
    error = np.sqrt(0.95 * 0.05 / len(frame))
    print(f"all: {frame.held.mean():.4f} of {len(frame)}, +- {error:.4f} if independent")


def starts(family, seeds, n, many):
    """On how many seeds the default is as high as many starts."""
    reached = []
    for seed in range(seeds):
        X, y, _ = draw(family, n, np.random.default_rng(seed))
        expert = expert_of(family)
        usual = MoERegressor(2, expert=expert, random_state=seed).fit(X, y)
        wide = MoERegressor(2, expert=expert, n_init=many, random_state=seed).fit(X, y)
        reached.append(wide.log_likelihood_ - usual.log_likelihood_)
    short = [f"{v:.2g}" for v in reached if v > 1e-3]
    print(f"{family}: {np.sum(np.array(reached) <= 1e-3)} of {seeds}; short by {short}")


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=sorted(EXPERTS))
    parser.add_argument("what", choices=["coverage", "starts"])
    parser.add_argument("--sets", type=int, default=200, help="sets, or seeds; default: 200")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    began = time.process_time()
    if options.what == "coverage":
        coverage(options.family, options.sets, options.rows, options.seed)
    else:
        starts(options.family, options.sets, options.rows, options.starts)
    print(f"{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
