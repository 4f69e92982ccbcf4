"""Fits of families on made-up sets: ``python benchmarks/family_fits.py coverage|starts [FAMILY]``.

``coverage``: how often 95 % Wald intervals hold the truth, over sets of two experts with one
feature. ``starts``: how often a default fit ends as high as the best of many starts. Writes
results/family_coverage.csv and results/family_starts.csv.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _results import add_output, keep
from scipy import stats

from moe_classic import MoERegressor
from moe_classic.experts import (
    EXPERTS,
    BinomialExpert,
    CensoredExpert,
    GaussianExpert,
    PoissonExpert,
    TruncatedExpert,
    WeibullExpert,
    ZeroInflatedExpert,
)
from moe_classic.inference import inference

#: Intercept and slope of each expert, which lie apart, and of the gate of the first.
LINES = {
    "usual": np.array([[0.5, 1.0], [3.2, -0.5]]),
    "share": np.array([[-1.0, 1.0], [2.2, -0.6]]),
}
GATE = np.array([0.2, 2.0])
TRIALS, LOW, ZEROS = 12, -0.5, 0.2
#: The slope on a second feature that both experts of a "shared" family have.
SHARED = 0.4
SHARING = ("gaussian", "poisson", "negative_binomial", "gamma", "weibull", "student_t")
#: Wrapped families.
WRAPPED = {
    "zero_inflated poisson": ZeroInflatedExpert(PoissonExpert(alpha=0.0), features=[]),
    "censored gaussian": CensoredExpert(GaussianExpert()),
    "censored weibull": CensoredExpert(WeibullExpert(alpha=0.0)),
    "truncated gaussian": TruncatedExpert(GaussianExpert(), low=LOW),
}
FAMILIES = sorted({*EXPERTS, *WRAPPED} - {"uniform", "logistic", "multinomial"})
FAMILIES += [f"shared {family}" for family in SHARING]


def _positive(family, mu, rng):
    """Counts and positive numbers with mean about ``mu``, and their other parameter."""
    n = mu.size
    if family == "poisson":
        return rng.poisson(mu), {}
    if family == "negative_binomial":
        return rng.poisson(mu * rng.gamma(4.0, 0.25, n)), {"dispersion": 0.25}
    if family == "gamma":
        return mu * rng.gamma(4.0, 0.25, n), {"dispersion": 0.25}
    if family == "inverse_gaussian":
        return rng.wald(mu, 50.0), {"dispersion": 0.02}
    if family == "lognormal":
        return mu * np.exp(0.5 * rng.standard_normal(n)), {"scale": 0.5}
    return mu * rng.weibull(1.8, n), {"shape": 1.8}


def _share(family, eta, rng):
    """Shares, or successes of trials."""
    mean = 1.0 / (1.0 + np.exp(-eta))
    if family == "binomial":
        return rng.binomial(TRIALS, mean), {}
    drawn = rng.beta(20.0 * mean, 20.0 * (1.0 - mean))
    return drawn.clip(1e-9, 1.0 - 1e-9), {"concentration": 20.0}


def _real(family, eta, rng):
    """Real numbers around ``eta``."""
    n = eta.size
    if family == "laplace":
        return eta + rng.laplace(0.0, 0.3, n), {"scale": 0.3}
    delta = 3.0 / np.sqrt(10.0) if family.startswith("skew") else 0.0
    z = delta * np.abs(rng.standard_normal(n))
    z += np.sqrt(1.0 - delta**2) * rng.standard_normal(n)
    truth = {"scale": 0.3} | ({"slant": 3.0} if delta else {})
    if family in ("skew_t", "student_t"):
        z /= np.sqrt(rng.chisquare(5.0, n) / 5.0)
        truth["df"] = 5.0
    return eta + 0.3 * z, truth


def _noise_of(family, eta, rng):
    """A target, and the true values of parameters besides coefficients."""
    if family in ("beta", "binomial"):
        return _share(family, eta, rng)
    if EXPERTS[family].target in ("count", "positive"):
        return _positive(family, np.exp(eta), rng)
    return _real(family, eta, rng)


def _seen(family, y, truth, rng):
    """What is seen of y through a wrapper."""
    if family.startswith("censored"):
        end = np.quantile(y, 0.8)
        return np.column_stack([np.minimum(y, end), np.where(y > end, np.inf, y)]), truth
    if family.startswith("zero_inflated"):
        kept = rng.random(y.size) > ZEROS
        return y * kept, truth | {"inflation": np.log(ZEROS / (1.0 - ZEROS))}
    return y, truth


def draw(family, n, rng):
    """Rows, and the true values of the nuisance parameters."""
    x = rng.uniform(-1.5, 1.5, n)
    first = rng.random(n) < 1.0 / (1.0 + np.exp(-GATE[0] - GATE[1] * x))
    lines = np.where(first[:, None], *lines_of(family))
    eta, X = lines[:, 0] + lines[:, 1] * x, x[:, None]
    if family.startswith("shared"):
        other = rng.uniform(-1.5, 1.5, n)
        eta, X = eta + SHARED * other, np.column_stack([x, other])
    y, truth = _noise_of(family.partition(" ")[2] or family, eta, rng)
    if family.startswith("truncated"):
        # Of like rows, those that fall below are drawn again.
        y = stats.truncnorm.rvs((LOW - eta) / 0.3, np.inf, eta, 0.3, random_state=rng)
    return X, *_seen(family, y, truth, rng)


def lines_of(family):
    """Intercept and slope of the two experts."""
    return LINES["share" if family in ("beta", "binomial") else "usual"]


def expert_of(family):
    """The expert, without a penalty where there is one."""
    if family in WRAPPED:
        return WRAPPED[family]
    if family == "binomial":
        return BinomialExpert(trials=TRIALS, alpha=0.0)
    if family.startswith("shared"):
        return EXPERTS[family.removeprefix("shared ")](alpha=0.0, shared=[1])
    return EXPERTS[family](alpha=0.0)


def held_in(family, moe, table, truth):
    """Parameter, and whether its interval holds the truth, of both experts."""
    slopes = [float(e.coef_[0]) for e in moe.experts_]
    order = [0, 1] if slopes[0] > slopes[1] else [1, 0]
    if family.startswith("shared"):
        low, high = table.loc[("all", "slope", "x1"), ["low", "high"]]
        yield "shared slope", low <= SHARED <= high
    for true, place in enumerate(order):
        found = table.loc[f"expert {place + 1}"]
        line = lines_of(family)[true]
        known = {("intercept", "intercept"): line[0], ("slope", "x0"): line[1]}
        for name, value in truth.items():
            known[name, "intercept" if name == "inflation" else name] = value
        for key, value in known.items():
            low, high = found.loc[key, "low"], found.loc[key, "high"]
            if np.isfinite(low):
                yield key[0], low <= value <= high


def coverage(family, options):
    """Share of intervals that hold the truth, over all parameters and the worst one."""
    # Laplace's density has a kink, where there is no second derivative.
    kind, rows = "opg" if family == "laplace" else "observed", []
    for rng in np.random.default_rng(options.seed).spawn(options.sets):
        X, y, truth = draw(family, options.rows, rng)
        moe = MoERegressor(2, expert=expert_of(family), n_init=4, random_state=0).fit(X, y)
        table = inference(moe, X, y, kind=kind).table.loc["expert"]
        rows += held_in(family, moe, table, truth)
    frame = pd.DataFrame(rows, columns=["parameter", "held"])
    by = frame.groupby("parameter").held.mean()
    print(by.round(3).to_dict())
    return {
        "sets": options.sets,
        "rows": options.rows,
        "intervals": len(frame),
        "coverage": frame.held.mean(),
        "least": by.min(),
        "least of": by.idxmin(),
    }


def starts(family, options):
    """On how many seeds the default is as high as many starts."""
    short = []
    for seed in range(options.sets):
        X, y, _ = draw(family, options.rows, np.random.default_rng(seed))
        usual, wide = (
            MoERegressor(2, expert=expert_of(family), n_init=n, random_state=seed).fit(X, y)
            for n in (10, options.starts)
        )
        short.append(wide.log_likelihood_ - usual.log_likelihood_)
    return {
        "sets": options.sets,
        "rows": options.rows,
        "starts": options.starts,
        "reached": int(np.sum(np.array(short) <= 1e-3)),
        "short": max(0.0, *short),
    }


def main():
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["coverage", "starts"])
    parser.add_argument("family", nargs="*", help=f"of {', '.join(FAMILIES)}; default: all")
    parser.add_argument("--sets", type=int, help="sets (100), or seeds (20)")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    add_output(parser)
    options = parser.parse_args()
    options.sets = options.sets or (100 if options.what == "coverage" else 20)
    warnings.simplefilter("ignore")
    measure = coverage if options.what == "coverage" else starts
    for family in options.family or FAMILIES:
        began = time.process_time()
        row = measure(family, options)
        print(family, row, f"{time.process_time() - began:.0f} CPU s", flush=True)
        keep(f"family_{options.what}", [{"family": family} | row], ["family"], options.output)


if __name__ == "__main__":
    main()
