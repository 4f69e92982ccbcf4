"""Bayesian mixtures: number of experts, bound, coverage; scores beside Gibbs and ML.

    python benchmarks/bayes.py [--only number bound coverage scores classes sobol]

- number: sets of three regimes on which K = 8 experts end at three;
- bound: the largest fall of the bound over random problems, relative to its size;
- coverage: credible intervals of 90 % that hold the true slope, of experts apart and overlapping;
- scores, classes: held-out log score a row of the variational fit, of long Gibbs runs under the
  same priors and with as many experts, and of maximum likelihood with the number of experts chosen
  by BIC; half of the chains begin at the fit and half at random, which shows whether they agree;
- sobol: largest error of indices of functions whose indices are known, by a fit to 5,000 rows.
"""

import argparse
import time
import warnings

import numpy as np
from _gibbs import Classes, Lines, held_out
from _results import add_output, keep
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import (
    BayesianMoEClassifier,
    BayesianMoERegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.datasets import load_faithful, load_motorcycle, load_tone
from moe_classic.inspection import sensitivity

SLOPES = np.array([[1.0, -1.0], [-1.5, 0.5], [0.5, 1.5]])
LEVELS = np.array([1.0, -1.0, 0.0])
BORDERS = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])


def regimes(seed, n, *, sharp=4.0, noise=0.3, drawn=True):
    """Three planes; their slopes and borders drawn, or the fixed ones."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    V, B, c = BORDERS * sharp, SLOPES, LEVELS
    if drawn:
        V, B, c = sharp * rng.normal(size=(3, 2)), 1.5 * rng.normal(size=(3, 2)), rng.normal(size=3)
    label = (X @ V.T + rng.gumbel(size=(n, 3))).argmax(axis=1)
    return X, (X * B[label]).sum(axis=1) + c[label] + noise * rng.normal(size=n)


# ------------------------------------------------------------------------- number and bound


def number(sets):
    """How often eight experts end at the true three."""
    start, found = time.process_time(), []
    for seed in range(sets):
        moe = BayesianMoERegressor(8, random_state=0).fit(*regimes(seed, 500))
        found.append(moe.n_experts_)
    cost = (time.process_time() - start) / sets
    print(f"three of eight: {found.count(3)} of {sets}, {cost:.2f} s a fit")
    return [{"what": "number", "case": "three regimes", "figure": found.count(3), "of": sets}]


def bound(sets):
    """Largest relative fall of the bound over random problems."""
    worst = 0.0
    for seed in range(sets):
        rng = np.random.default_rng([seed, 7])
        n, p, K = int(rng.integers(10, 200)), int(rng.integers(1, 6)), int(rng.integers(2, 8))
        X = rng.normal(size=(n, p))
        y = np.where(X[:, 0] > 0.0, X.sum(axis=1), -X[:, -1]) + rng.exponential() * rng.normal(
            size=n
        )
        priors = {f"{name}_prior": tuple(np.exp(rng.uniform(-4.0, 2.0, 2))) for name in PRIORS}
        moe = BayesianMoERegressor(
            min(K, n), n_init=1, prune=False, max_iter=100, tol=0.0, random_state=seed, **priors
        )
        trace = moe.fit(X, y, sample_weight=rng.uniform(0.2, 3.0, n)).trace_
        worst = max(worst, float((-np.diff(trace) / np.abs(trace[1:])).max()))
    print(f"largest relative fall over {sets}: {worst:.1e}")
    return [{"what": "bound", "case": "random problems", "figure": worst, "of": sets}]


PRIORS = ("noise", "coef", "gate")


# ------------------------------------------------------------------------- coverage


def coverage(sets):
    """Share of 90 % intervals that hold the truth."""
    rows = []
    cases = {"apart": (4.0, 0.3, 400), "near": (1.5, 0.3, 400), "overlapping": (1.0, 0.8, 600)}
    for case, (sharp, noise, n) in cases.items():
        held = []
        for seed in range(sets):
            X, y = regimes(seed, n, sharp=sharp, noise=noise, drawn=False)
            moe = BayesianMoERegressor(8, n_init=3, random_state=0).fit(X, y)
            if moe.n_experts_ != 3:
                continue
            coef = np.array([expert.coef_ for expert in moe.experts_])
            _, true = linear_sum_assignment(((coef[:, None] - SLOPES) ** 2).sum(axis=-1))
            table = moe.summary(coverage=0.9).xs("slope", level="kind").loc["expert"]
            truth = SLOPES[true].ravel()
            held += list((table.low.to_numpy() <= truth) & (truth <= table.high.to_numpy()))
        share = float(np.mean(held))
        print(f"coverage, {case}: {share:.3f} of {len(held)}")
        rows.append({"what": "coverage", "case": case, "figure": share, "of": len(held)})
    return rows


# ------------------------------------------------------------------------- beside Gibbs


def gibbs_scores(family, train, test, units, moe, chains, sweeps):
    """Mean held-out log densities of long runs with as many experts as ``moe``.

    Of all chains, of those that began with the responsibilities of ``moe``, and of those that
    began with random ones.
    """
    (X, y), (X2, y2), (level, scale) = train, test, units
    centre, unit = X.mean(axis=0), X.std(axis=0)

    def design(A):
        return np.column_stack([(A - centre) / unit, np.ones(len(A))])

    def target(b):
        return b if family is Classes else (b - level) / scale

    K, rng = moe.n_experts_, np.random.default_rng(0)
    R = rng.dirichlet(np.ones(K), (chains, len(y))).swapaxes(1, 2)
    R[: chains // 2] = moe.responsibilities(X, y).T
    Z = design(X)
    experts, new = family(Z, target(y), chains, K), (design(X2), target(y2))
    each = held_out(experts, Z, target(y), R, new, sweeps, 0) - np.log(scale)

    def mean(part):
        return float((logsumexp(part, axis=0) - np.log(len(part))).mean())

    return mean(each), mean(each[: chains // 2]), mean(each[chains // 2 :])


def divided(X, y, seed):
    """Both halves of a set."""
    order = np.random.default_rng(seed).permutation(len(y))
    halves = order[: len(y) // 2], order[len(y) // 2 :]
    return [(X[half], y[half]) for half in halves]


def by_bic(fits, train):
    """The fit with the lowest BIC."""
    return min(fits, key=lambda fit: fit.bic(*train))


def line_row(X, y, seed, chains, sweeps):
    """Held-out scores of one division of a regression."""
    train, test = divided(X, y, seed)
    moe = BayesianMoERegressor(8, random_state=0).fit(*train)
    best = by_bic([MoERegressor(k, random_state=0).fit(*train) for k in range(1, 6)], train)
    # The unit of the target that the fit's priors speak of.
    known = moe.__moe_fitted__().target
    units = float(known.shift[0]), float(known.factor[0])
    return _row(moe, best, test, gibbs_scores(Lines, train, test, units, moe, chains, sweeps))


def class_row(X, y, seed, chains, sweeps):
    """Held-out scores of one division of a classification."""
    train, test = divided(X, y, seed)
    moe = BayesianMoEClassifier(5, random_state=0).fit(*train)
    # Without a penalty classes that a line divides have no fit of highest likelihood.
    best = by_bic([MoEClassifier(k, random_state=0).fit(*train) for k in range(1, 4)], train)
    runs = gibbs_scores(Classes, train, test, (0.0, 1.0), moe, chains, sweeps)
    return _row(moe, best, test, runs)


def _row(moe, best, test, runs):
    """Scores a row: variational, three of Gibbs, by BIC, and the number of experts."""
    n = len(test[1])
    ours, theirs = (fit.log_likelihood(*test) / n for fit in (moe, best))
    return ours, *runs, theirs, moe.n_experts_


def tables():
    """Five sets, as (X, y)."""
    yield "three regimes", regimes(11, 400, sharp=2.0, noise=0.5, drawn=False)
    yield "tone perception", load_tone(return_X_y=True)
    yield "motorcycle", load_motorcycle(return_X_y=True)
    yield "Old Faithful", load_faithful(return_X_y=True)
    yield "diabetes", load_diabetes(return_X_y=True)


def crossed(seed=0, n=400):
    """Two classes whose slope along one feature changes its sign along the other."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    right = X[:, 0] + 0.2 * rng.logistic(size=n) > 0.0
    z = np.where(right, 3.0, -3.0) * X[:, 1]
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-z))).astype(int)


def class_tables():
    """Sets of classes, as (X, y)."""
    yield "crossing classes", crossed()
    yield "iris", load_iris(return_X_y=True)


def scores(what, sets, one, splits, chains, sweeps):
    """Held-out log scores a row, means over divisions in half."""
    rows = []
    for name, (X, y) in sets:
        X, y = np.asarray(X, dtype=float), np.asarray(y).ravel()
        X = X.reshape(len(y), -1)
        got = np.array([one(X, y, seed, chains, sweeps) for seed in range(splits)])
        ours, gibbs, near, far, ml, K = got.mean(axis=0)
        ahead = (got[:, 0] - got[:, 4]).std(ddof=1) / np.sqrt(splits)
        print(
            f"{name}: {ours:.3f}, Gibbs {gibbs:.3f} ({near:.3f}, {far:.3f}), BIC {ml:.3f} "
            f"+- {ahead:.3f}, K {K:.1f}",
            flush=True,
        )
        row = {"what": what, "case": name, "figure": ours, "gibbs": gibbs, "from_fit": near}
        rows.append(row | {"from_random": far, "bic": ml, "error": ahead, "K": K, "of": splits})
    return rows


# ------------------------------------------------------------------------- Sobol indices


def sobol():
    """Largest errors of first-order and total indices by mixtures of polynomials."""
    rng, rows = np.random.default_rng(0), []
    X = rng.uniform(-np.pi, np.pi, (5000, 3))
    y = np.sin(X[:, 0]) * (1.0 + 0.1 * X[:, 2] ** 4) + 7.0 * np.sin(X[:, 1]) ** 2
    known = ([0.3139, 0.4424, 0.0], [0.5576, 0.4424, 0.2437])
    a = np.array([0.0, 1.0, 4.5, 9.0])
    U = rng.uniform(0.0, 1.0, (5000, 4))
    g = ((np.abs(4.0 * U - 2.0) + a) / (1.0 + a)).prod(axis=1)
    own = 1.0 / (3.0 * (1.0 + a) ** 2)
    all_of_it = np.prod(1.0 + own) - 1.0
    known_g = (own / all_of_it, own * np.prod(1.0 + own) / (1.0 + own) / all_of_it)
    for name, A, b, (first, total), K, degree in (
        ("Ishigami", X, y, known, 12, 4),
        ("g-function", U, g, known_g, 16, 3),
    ):
        curves = PolynomialFeatures(degree, include_bias=False)
        moe = BayesianMoERegressor(
            K, expert_features=curves, n_init=1, prune=False, max_iter=60, random_state=0
        )
        table = sensitivity(moe.fit(A, b), A, n_draws=10, random_state=0).table
        worst = max(np.abs(table.first_order - first).max(), np.abs(table.total - total).max())
        print(f"{name}: largest error {worst:.3f}")
        rows.append({"what": "sobol", "case": name, "figure": float(worst)})
    return [*rows, *sobol_of_lines(U)]


def sobol_of_lines(U):
    """The same of a linear function, and of a softmax of two lines over normal inputs."""
    slopes = np.array([1.0, -2.0, 0.5, 3.0])
    moe = MoERegressor(1).fit(U, U @ slopes + np.random.default_rng(1).standard_normal(len(U)))
    slopes = moe.experts_[0].coef_
    table = sensitivity(moe, U).table
    share = (slopes * np.ptp(U, axis=0)) ** 2
    known = share / share.sum()
    linear = max(np.abs(table.first_order - known).max(), np.abs(table.total - known).max())
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 8))
    side = X[:, :5].sum(axis=1) + rng.logistic(size=1000) > 0.0
    y = np.where(side, 1.0 + 2.0 * X[:, 5], -1.0 - X[:, 6]) + 0.3 * rng.standard_normal(1000)
    mixture = MoERegressor(2, random_state=0).fit(X, y)
    exact = sensitivity(mixture, X, inputs="normal", method="exact")
    drawn = sensitivity(mixture, X, inputs="normal", method="qmc", n_samples=2**17)
    apart = np.abs(exact.table - drawn.table).to_numpy().max()
    print(f"linear {linear:.1e}, softmax of eight features {apart:.1e} from sampling")
    print(f"errors told: {exact.errors.to_numpy().max():.1e}, {drawn.errors.to_numpy().max():.1e}")
    return [
        {"what": "sobol", "case": "linear function", "figure": float(linear)},
        {"what": "sobol", "case": "softmax of eight normal features, to sampling", "figure": apart},
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[*PARTS], choices=[*PARTS])
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--chains", type=int, default=12)
    parser.add_argument("--sweeps", type=int, default=3000)
    add_output(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = [row for part in options.only for row in PARTS[part](options)]
    keep("bayes", rows, ["what", "case"], options.output)


PARTS = {
    "number": lambda o: number(o.sets),
    "bound": lambda o: bound(o.problems),
    "coverage": lambda o: coverage(o.sets),
    "scores": lambda o: scores("scores", tables(), line_row, o.splits, o.chains, o.sweeps),
    "classes": lambda o: scores("classes", class_tables(), class_row, o.splits, o.chains, o.sweeps),
    "sobol": lambda o: sobol(),
}

if __name__ == "__main__":
    main()
