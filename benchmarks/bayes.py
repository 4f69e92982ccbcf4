"""Bayesian mixtures: number of experts, bound, coverage; scores beside Gibbs and ML.

    python benchmarks/bayes.py [--only number bound coverage scores sobol] [--sets 100]

- number: sets of three regimes on which K = 8 experts end at three;
- bound: the largest fall of the bound over random problems, relative to its size;
- coverage: credible intervals of 90 % that hold the true slope, of experts apart and overlapping;
- scores: held-out log score a row of the variational fit, of a long Gibbs run under the same priors
  and with as many experts, and of maximum likelihood with the number of experts chosen by BIC;
- sobol: largest error of indices of functions whose indices are known, by a fit to 5,000 rows.

The sampler is for tests: Polya-gamma augmentation of the gate (Polson, Scott & Windle 2013), one
expert against the others in turn, conjugate draws of everything else.
"""

import argparse
import time
import warnings

import numpy as np
from _results import add_output, keep
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import BayesianMoERegressor, MoERegressor
from moe_classic.datasets import load_faithful, load_motorcycle, load_tone
from moe_classic.inspection import sensitivity

#: Terms of the sum of gamma variables that stands for a Polya-gamma one; the rest has its mean.
TERMS = 60
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


# ------------------------------------------------------------------------- a Gibbs sampler


class Gibbs:
    """Mixture of Gaussian regressions under the priors of BayesianMoERegressor, standardised."""

    def __init__(self, Z, y, K, seed):
        self.Z, self.y, self.K = Z, y, K
        self.rng = np.random.default_rng(seed)
        q = Z.shape[1]
        self.B, self.tau = np.zeros((K, q)), np.ones(K)
        self.alpha, self.V, self.beta = np.ones((K, q)), np.zeros((K, q)), np.ones(q)

    def sweep(self, R):
        """Labels from their probabilities (n, K), then all parameters."""
        rng, Z, y = self.rng, self.Z, self.y
        labels = (R.cumsum(axis=1) < rng.random((len(y), 1))).sum(axis=1).clip(max=self.K - 1)
        for k in range(self.K):
            mine = labels == k
            A, e = Z[mine], y[mine]
            L = A.T @ A + np.diag(self.alpha[k])
            m = np.linalg.solve(L, A.T @ e)
            rate = 5e-3 + 0.5 * (((e - A @ m) ** 2).sum() + (self.alpha[k] * m**2).sum())
            self.tau[k] = rng.gamma(0.5 + 0.5 * mine.sum()) / rate
            root = np.linalg.cholesky(np.linalg.inv(L) / self.tau[k])
            self.B[k] = m + root @ rng.standard_normal(m.size)
        size = self.tau[:, None] * self.B**2
        self.alpha = rng.gamma(1.0, 1.0 / (2.0 + 0.5 * size))
        for k in range(self.K):
            rest = np.delete(np.arange(self.K), k)
            if rest.size:
                self._gate(k, Z @ self.V[rest].T, labels == k)
        self.beta = rng.gamma(0.5 + 0.5 * self.K, 1.0 / (2.0 + 0.5 * (self.V**2).sum(axis=0)))

    def _gate(self, k, others, mine):
        """One expert against the others, by Polya-gamma variables."""
        Z, offset = self.Z, logsumexp(others, axis=1)
        omega = self._polya_gamma(Z @ self.V[k] - offset)
        L = (Z.T * omega) @ Z + np.diag(self.beta)
        m = np.linalg.solve(L, Z.T @ (mine - 0.5 + omega * offset))
        self.V[k] = m + np.linalg.cholesky(np.linalg.inv(L)) @ self.rng.standard_normal(m.size)

    def _polya_gamma(self, c):
        """PG(1, c) as a sum of exponentials, the tail by its mean."""
        c = np.abs(c)
        half = (np.arange(1, TERMS + 1) - 0.5) ** 2 + (c[:, None] / (2.0 * np.pi)) ** 2
        first = (self.rng.exponential(size=half.shape) / half).sum(axis=1)
        mean = np.where(c > 1e-6, np.tanh(0.5 * c) / np.maximum(2.0 * c, 1e-6), 0.25)
        tail = mean * 2.0 * np.pi**2 - (1.0 / half).sum(axis=1)
        return (first + np.maximum(tail, 0.0)) / (2.0 * np.pi**2)

    def log_joint(self, Z, y):
        """Log gate plus log density, (n, K)."""
        eta = Z @ self.V.T
        gate = eta - logsumexp(eta, axis=1, keepdims=True)
        e = y[:, None] - Z @ self.B.T
        return gate + 0.5 * (np.log(self.tau / (2.0 * np.pi)) - self.tau * e**2)


def gibbs_score(train, test, moe, seed, sweeps):
    """Mean held-out log density of a long run that starts from the responsibilities of ``moe``."""
    (X, y), (X2, y2) = train, test
    centre, unit, level, scale = X.mean(axis=0), X.std(axis=0), y.mean(), y.std()

    def design(A):
        return np.column_stack([(A - centre) / unit, np.ones(len(A))])

    Z, Z2 = design(X), design(X2)
    t, t2 = (y - level) / scale, (y2 - level) / scale
    chain = Gibbs(Z, t, moe.n_experts_, seed)
    R, draws = moe.responsibilities(X, y), []
    for i in range(sweeps):
        chain.sweep(R)
        joint = chain.log_joint(Z, t)
        R = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        if i >= sweeps // 4 and i % 3 == 0:
            draws.append(logsumexp(chain.log_joint(Z2, t2), axis=1))
    return float((logsumexp(draws, axis=0) - np.log(len(draws))).mean() - np.log(scale))


def tables():
    """Five sets, as (X, y)."""
    yield "three regimes", regimes(11, 400, sharp=2.0, noise=0.5, drawn=False)
    yield "tone perception", load_tone(return_X_y=True)
    yield "motorcycle", load_motorcycle(return_X_y=True)
    yield "Old Faithful", load_faithful(return_X_y=True)
    yield "diabetes", load_diabetes(return_X_y=True)


def scores(splits, sweeps):
    """Held-out log scores a row, means over splits in half."""
    rows = []
    for name, (X, y) in tables():
        X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float).ravel()
        X = X.reshape(len(y), -1)
        got = []
        for seed in range(splits):
            order = np.random.default_rng(seed).permutation(len(y))
            a, b = order[: len(y) // 2], order[len(y) // 2 :]
            moe = BayesianMoERegressor(8, random_state=0).fit(X[a], y[a])
            fits = [MoERegressor(k, random_state=0).fit(X[a], y[a]) for k in range(1, 6)]
            best = min(fits, key=lambda fit: fit.bic(X[a], y[a]))
            got.append(
                (
                    moe.log_likelihood(X[b], y[b]) / len(b),
                    gibbs_score((X[a], y[a]), (X[b], y[b]), moe, seed, sweeps),
                    best.log_likelihood(X[b], y[b]) / len(b),
                    moe.n_experts_,
                )
            )
        bayes, gibbs, ml, K = np.mean(got, axis=0)
        print(f"{name}: variational {bayes:.3f}, Gibbs {gibbs:.3f}, BIC {ml:.3f}, K {K:.1f}")
        rows.append(
            {"what": "scores", "case": name, "figure": bayes, "gibbs": gibbs, "bic": ml, "K": K}
        )
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
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--sweeps", type=int, default=2000)
    add_output(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = [row for part in options.only for row in PARTS[part](options)]
    keep("bayes", rows, ["what", "case"], options.output)


PARTS = {
    "number": lambda o: number(o.sets),
    "bound": lambda o: bound(o.problems),
    "coverage": lambda o: coverage(o.sets),
    "scores": lambda o: scores(o.splits, o.sweeps),
    "sobol": lambda o: sobol(),
}

if __name__ == "__main__":
    main()
