"""Sixteen linear experts on Friedman's first function, beside near-default peers in the same run.

make_friedman1 with 20,000 rows and noise of variance 1: the first half trains, the second half is
scored by R^2 and by the mean negative log density in nats. Peers without a density of their own get
Gaussian noise of constant variance, that of their residuals on a fifth of the training half when it
was held out; they are then fitted to all of it.
"""

import argparse
import time
import warnings

import numpy as np
from _results import add_output, keep
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score
from sklearn.mixture import GaussianMixture
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoERegressor

N = 20_000


def experts(train, test, seed):
    """Sixteen Gaussian experts, all else at its default."""
    moe = MoERegressor(16, random_state=seed).fit(*train)
    return moe.predict(test[0]), -moe.score_samples(*test)


def plugged_in(make):
    """A regressor with the constant variance of its residuals on held-out rows."""

    def peer(train, test, seed):
        X, y = train
        held = len(y) // 5
        missed = y[:held] - make(seed).fit(X[held:], y[held:]).predict(X[:held])
        scale = np.sqrt(np.mean(missed**2))
        mean = make(seed).fit(X, y).predict(test[0])
        return mean, -norm.logpdf(test[1], mean, scale)

    return peer


def conditional_mixture(train, test, seed):
    """y given x in a Gaussian mixture of (x, y) with 16 full covariances."""
    X, y = train
    joint = GaussianMixture(16, random_state=seed, max_iter=500).fit(np.column_stack([X, y]))
    m, C, p = joint.means_, joint.covariances_, X.shape[1]
    B = np.linalg.solve(C[:, :p, :p], C[:, :p, p:])[:, :, 0]
    scale = np.sqrt(C[:, p, p] - np.einsum("kp,kp->k", B, C[:, :p, p]))
    margin = GaussianMixture(16)
    margin.weights_, margin.means_, margin.covariances_ = joint.weights_, m[:, :p], C[:, :p, :p]
    margin.precisions_cholesky_ = np.linalg.inv(np.linalg.cholesky(C[:, :p, :p])).transpose(0, 2, 1)
    R = margin.predict_proba(test[0])
    eta = m[:, p] + test[0] @ B.T - np.einsum("kp,kp->k", B, m[:, :p])
    with np.errstate(divide="ignore"):
        density = logsumexp(np.log(R) + norm.logpdf(test[1][:, None], eta, scale), axis=1)
    return (R * eta).sum(axis=1), -density


def net(seed):
    return make_pipeline(StandardScaler(), MLPRegressor(early_stopping=True, random_state=seed))


SYSTEMS = {
    "`MoERegressor(16)`, all else default": experts,
    "`MLPRegressor`": plugged_in(net),
    "`HistGradientBoostingRegressor`": plugged_in(
        lambda s: HistGradientBoostingRegressor(random_state=s)
    ),
    "`GaussianMixture(16)` of (x, y), given x": conditional_mixture,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=5, help="data sets and seeds of the systems")
    add_output(parser)
    options = parser.parse_args()
    seeds = range(options.seeds)
    found = {name: [] for name in ["the truth", *SYSTEMS]}
    for seed in seeds:
        X, y = make_friedman1(N, noise=1.0, random_state=seed)
        smooth = make_friedman1(N, noise=0.0, random_state=seed)[1]
        half = N // 2
        train, test = (X[:half], y[:half]), (X[half:], y[half:])
        nll = -norm.logpdf(test[1], smooth[half:]).mean()
        found["the truth"].append((r2_score(test[1], smooth[half:]), nll, 0.0))
        for name, system in SYSTEMS.items():
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mean, loss = system(train, test, seed)
            seconds = time.process_time() - start
            found[name].append((r2_score(test[1], mean), loss.mean(), seconds))
            print(seed, name, *(f"{v:.4f}" for v in found[name][-1]), flush=True)
    print("| system | R^2 | worst | NLL | worst | CPU seconds |")
    print("|---|---|---|---|---|---|")
    kept = []
    for name, rows in found.items():
        r2, nll, seconds = np.array(rows).T
        print(
            f"| {name} | {r2.mean():.4f} | {r2.min():.4f} | {nll.mean():.3f} | {nll.max():.3f} "
            f"| {np.median(seconds):.1f} |"
        )
        figures = {"system": name, "r2": r2.mean(), "nll": nll.mean()}
        # The truth is not fitted, and has no spread of its own to quote.
        if name in SYSTEMS:
            figures |= {"r2_worst": r2.min(), "nll_worst": nll.max(), "seconds": np.median(seconds)}
        kept.append(figures)
    keep("friedman", kept, ["system"], options.output)


if __name__ == "__main__":
    main()
