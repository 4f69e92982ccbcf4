"""Untidy data: wild and precise targets, and what else sets scales, before and after.

    python benchmarks/untidy_scales.py [--when after] [--only wild ...] [--seeds 4] [--first 0]

Every case has a right answer from elsewhere: scipy, statsmodels, certified values, or the same
data without what is untidy. The figure of a version of the package goes to the column ``--when``;
run the script with an older version on the path for ``before``. ``--first`` draws other samples:
``--when fresh --first 1000`` fills a column with samples that no constant was chosen on.
"""

import argparse
import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from _results import add_output, keep, read
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import t
from sklearn.linear_model import LogisticRegression, QuantileRegressor

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert, MultinomialExpert, StudentTExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.model_selection import select

sys.path.append(str(Path(__file__).parents[1]))
from tests.contracts.nist import SETS


def row(kind, case, figure, value, right):
    """One line of the table."""
    return {"kind": kind, "case": case, "figure": figure, "value": float(value), "right": right}


# ------------------------------------------------------------------------- one wild target


def t_line(x, y, df):
    """Scale of the likeliest line with t noise, by scipy."""

    def loss(theta):
        return -t.logpdf(y, df, theta[0] + theta[1] * x[:, 0], np.exp(theta[2])).sum()

    best = minimize(loss, [0.0, 2.0, -0.3], method="Nelder-Mead", options={"xatol": 1e-9})
    return np.exp(best.x[2])


def wild(seeds, first):
    """One y of 200 or 300 that is wild: scale of a t line, worst slope of two t lines."""
    for value in (99999.0, -1e7):
        rng = np.random.default_rng(first)
        x = rng.uniform(-3.0, 3.0, (200, 1))
        y = 2.0 * x[:, 0] + rng.normal(size=200)
        y[5] = value
        model = MoERegressor(1, expert=StudentTExpert(df=2.5)).fit(x, y)
        scale = model.experts_[0].scale_
        yield row("wild target", f"t line, {value:g}", "scale", scale, t_line(x, y, 2.5))
        errors = []
        for seed in range(first, first + seeds):
            rng = np.random.default_rng(seed)
            x = rng.uniform(-3.0, 3.0, (300, 1))
            slope = np.where(rng.random(300) < 0.5, 2.0, -2.0)
            y = slope * (x[:, 0] + 0.5) + 0.5 * rng.normal(size=300)
            y[5] = value
            fit = MoERegressor(2, expert="student_t", random_state=0).fit(x, y)
            slopes = np.sort([float(e.coef_[0]) for e in fit.experts_])
            errors.append(np.abs(slopes - [-2.0, 2.0]).max())
        yield row("wild target", f"two t lines, {value:g}", "worst slope error", max(errors), 0.0)


# ------------------------------------------------------------------------- precise targets


def digits(found, right):
    """Correct digits of the worst of some numbers."""
    error = np.max(np.abs(np.subtract(found, right)) / np.abs(right))
    return min(15.0, -np.log10(max(error, 1e-15)))


def precise(seeds, first):
    """Certified digits of NIST's sets, and least absolute deviations by a linear programme."""
    for name in ("Norris", "Pontius", "Filip", "Wampler3", "Wampler4", "Wampler5"):
        data = SETS[name]
        X, y = np.array(data.X, dtype=float), np.array(data.y, dtype=float)
        expert = MoERegressor(1).fit(X, y).experts_[0]
        coef = np.r_[expert.intercept_, np.ravel(expert.coef_)]
        yield row("precise target", f"{name}, slopes", "digits", digits(coef, data.coef), 15.0)
        sd = expert.scale_ * np.sqrt(len(y) / (len(y) - len(coef)))
        yield row("precise target", f"{name}, residual sd", "digits", digits(sd, data.sd), 15.0)
    worst = 0.0
    for seed in range(first, first + seeds):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(300, 2))
        y = x @ [1.0, -2.0] + rng.standard_t(2.0, 300)
        model = MoERegressor(1, expert="laplace").fit(x, y)
        right = QuantileRegressor(quantile=0.5, alpha=0.0).fit(x, y)
        total, least = (np.abs(y - m.predict(x)).sum() for m in (model, right))
        worst = max(worst, total - least)
    yield row("precise target", "Laplace, t(2) noise", "excess of sum |e|", worst, 0.0)


# ------------------------------------------------------------------------- generative gates
#: Columns with atoms or long tails.
COLUMNS = ("0/1", "one-hot of 4", "count", "zero-inflated", "skewed", "heavy")
#: Columns that sentinels or more than Poisson's variation make untidy, for both gates.
MORE = ("sentinel", "counts, size 1.5", "counts, size 0.2", "zeros and counts")


def dispersed(rng, n, mean, size):
    """Negative binomial counts."""
    return rng.poisson(rng.gamma(size, mean / size, (n, 1)))


def beside(kind, n, rng):
    """A column that has nothing to do with y, and no normal density."""
    return {
        "sentinel": lambda: np.where(np.arange(n)[:, None] == 3, 9999.0, rng.normal(size=(n, 1))),
        "counts, size 1.5": lambda: dispersed(rng, n, 15.0, 1.5),
        "counts, size 0.2": lambda: dispersed(rng, n, 30.0, 0.2),
        "zeros and counts": lambda: np.where(rng.random((n, 1)) < 0.5, 0, rng.poisson(5.0, (n, 1))),
        "none": lambda: np.empty((n, 0)),
        "0/1": lambda: rng.random((n, 1)) < 0.3,
        "one-hot of 4": lambda: np.eye(4)[rng.integers(0, 4, n)],
        "count": lambda: rng.poisson(1.0, (n, 1)),
        "rounded": lambda: np.round(rng.normal(size=(n, 1))),
        "zero-inflated": lambda: np.where(rng.random((n, 1)) < 0.6, 0, rng.lognormal(size=(n, 1))),
        "skewed": lambda: rng.lognormal(0.0, 2.5, (n, 1)),
        "heavy": lambda: rng.standard_cauchy((n, 1)),
        "-999 in 5 %": lambda: np.where(rng.random((n, 1)) < 0.05, -999.0, rng.normal(size=(n, 1))),
    }[kind]().astype(float)


def switching(kind, seed, classes, n=400):
    """Two lines with a soft switch in x, as they are or cut into classes."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.0, 3.0, n)
    right = rng.random(n) < expit(6.0 * (x - 0.3))
    y = np.where(right, 2.0 * x + 1.0, -2.0 * x - 1.0) + 0.3 * rng.normal(size=n)
    if classes:
        y = np.where(right, x > 1.5, x < -1.5).astype(int)
    return np.c_[x, beside(kind, n, rng)], y


def untidy_score(gate, classes, column, seed, K=2):
    """Held-out score; rows that are wild themselves are not scored."""
    model = (MoEClassifier if classes else MoERegressor)(K, gate=gate, random_state=0)
    model.fit(*switching(column, seed, classes))
    X, y = switching(column, seed + 100, classes)
    kept = np.arange(len(y)) != 3 if column == "sentinel" else slice(None)
    return model.score(X[kept], y[kept])


def atoms(seeds, first):
    """Held-out scores beside a column that is not normal, right without it."""
    for gate, classes in product(("gaussian", "mixed"), (False, True)):
        samples = range(first, first + seeds)
        right = np.mean([untidy_score(gate, classes, "none", seed) for seed in samples])
        for kind in COLUMNS + MORE:
            ours = np.mean([untidy_score(gate, classes, kind, seed) for seed in samples])
            what, case = ("accuracy", "classes") if classes else ("R^2", "lines")
            case = f"{case}, {kind}" + (", mixed gate" if gate == "mixed" else "")
            yield row("gate and atoms", case, f"{what}, new rows", ours, right)


#: Where a component of x alone is worth more to the likelihood of (x, y) than y is: classes or
#: not, experts, columns.
OPEN = (
    (False, 3, ("counts, size 1.5", "counts, size 0.2", "zero-inflated", "-999 in 5 %")),
    (True, 2, ("-999 in 5 %",)),
)


def spare(seeds, first):
    """Held-out scores with one expert more than regimes, or a code in some rows."""
    samples = range(first, first + seeds)
    for gate, (classes, K, columns) in product(("gaussian", "mixed"), OPEN):
        right = np.mean([untidy_score(gate, classes, "none", seed, K) for seed in samples])
        for column in columns:
            ours = np.mean([untidy_score(gate, classes, column, seed, K) for seed in samples])
            what, case = ("accuracy", "classes") if classes else ("R^2", "lines")
            case = f"{case}, {column}, {K} experts, {gate} gate"
            yield row("spare experts", case, f"{what}, new rows", ours, right)


# ------------------------------------------------------------------------- spurious experts


def chosen(n, p, small, seed, gate):
    """Experts that BIC chooses, of 1 to 3, where there is one line or one beside a small group."""
    rng = np.random.default_rng(seed + 50)
    X = rng.normal(size=(n, p))
    y = 2.0 * X.sum(axis=1) + 0.9 * rng.normal(size=n)
    if small:
        count, level, scale = small
        y[:count] = level - X[:count, 0] + scale * rng.normal(size=count)
    template = MoERegressor(random_state=0, gate=gate)
    return select(X, y, estimator=template, n_experts=range(1, 4)).best_params_["n_experts"]


def spurious(seeds, first):
    """How often BIC is right, of 30 samples (12 beside small groups)."""
    for gate, (n, p) in product(("softmax", "constant"), ((100, 1), (200, 2), (300, 1), (150, 3))):
        right = sum(chosen(n, p, None, seed, gate) == 1 for seed in range(first, first + 30))
        case = f"one line, {gate} gate, {n} rows, {p} features"
        yield row("spurious experts", case, "right of 30", right, 30)
    for gate, small in product(
        ("softmax", "constant"), ((20, 0.0, 0.2), (12, 6.0, 0.1), (30, 4.0, 0.9))
    ):
        right = sum(chosen(200, 1, small, seed, gate) == 2 for seed in range(first, first + 12))
        case = f"beside {small[0]} of 200 rows, scale {small[2]}, {gate} gate"
        yield row("spurious experts", case, "right of 12", right, 12)


# ------------------------------------------------------------------------- skewed features


def skewed(seeds, first):
    """Log loss of one class expert, log-likelihood a row of a gate; right without a penalty."""
    rng = np.random.default_rng(first)
    x = rng.uniform(-3.0, 3.0, (1000, 1))
    y = (rng.random(1000) < expit(4.0 * (x[:, 0] - 0.5))).astype(int)
    right = LogisticRegression(C=1e6, max_iter=10_000).fit(x, y).score(x, y)
    x[0], y[0] = 9999.0, 1
    ours = MoEClassifier(2, random_state=0).fit(x, y).score(x, y)
    yield row("skewed feature", "one sentinel, classes", "accuracy", ours, right)
    for sigma in (1.0, 2.0, 2.5, 3.0):
        x = rng.lognormal(0.0, sigma, (1000, 1))
        y = (rng.random(1000) < expit(4.0 * (x[:, 0] - 1.0))).astype(int)
        free = MoEClassifier(1, expert=MultinomialExpert(alpha=0.0)).fit(x, y)
        ours, right = (m.log_likelihood(x, y) / -1000 for m in (MoEClassifier(1).fit(x, y), free))
        yield row("skewed feature", f"classes, lognormal {sigma:g}", "log loss", ours, right)
        switch = rng.random(1000) < expit(3.0 * (x[:, 0] - 1.0))
        target = np.where(switch, 1.0, -1.0) + 0.3 * rng.normal(size=1000)
        level = GaussianExpert(features=[])
        ours, right = (
            -MoERegressor(2, expert=level, gate=SoftmaxGate(alpha=alpha), random_state=0)
            .fit(x, target)
            .log_likelihood_
            / 1000
            for alpha in (1e-6, 0.0)
        )
        yield row("skewed feature", f"gate, lognormal {sigma:g}", "log loss", ours, right)


CASES = {
    "wild": wild,
    "precise": precise,
    "atoms": atoms,
    "spare": spare,
    "spurious": spurious,
    "skewed": skewed,
}


def beside_others(measured, old, when):
    """A row with what other versions and samples gave; right values are those of its samples."""
    value, right = measured.pop("value"), measured["right"]
    for name in ("before", "after", "fresh", "fresh_right", "right"):
        known = (
            []
            if old is None or name not in old
            else old[(old.kind == measured["kind"]) & (old.case == measured["case"])][name]
        )
        if name != "right" or (when == "fresh" and len(known)):
            measured[name] = known.iloc[0] if len(known) else np.nan
    measured[when] = value
    if when == "fresh":
        measured["fresh_right"] = right
    return measured


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--when", default="after", choices=["before", "after", "fresh"])
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="what is added to every seed")
    add_output(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    path = options.output / "untidy_scales.csv"
    old = read("untidy_scales", options.output) if path.exists() else None
    rows = []
    for name in options.only:
        for measured in CASES[name](options.seeds, options.first):
            rows.append(beside_others(measured, old, options.when))
            print(rows[-1])
    keep("untidy_scales", rows, ["kind", "case"], options.output)


if __name__ == "__main__":
    main()
