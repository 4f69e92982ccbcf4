"""Errors of average marginal effects: ``python benchmarks/effects.py [--sets 200]``.

Two Gaussian experts under a softmax gate, 400 rows, a feature with many values and one with two.
Effects against differences of what refits predict of rows that were moved by h, or whose feature
was counted from its other value; standard errors of the delta method against the spread of the
estimates about what holds for the rows of each set, and against those of a bootstrap. Writes
results/effects.csv.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from _results import add_output, keep
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import clone

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inspection import marginal_effects

ANSWERS = {"mean": "mean", "gate": "gate", "quantile .9": 0.9}
ROWS = 400
#: Of experts in the order of their slopes on x0.
SCALES = np.array([0.8, 0.5])
STEP = 1e-2


def gate(X):
    """True probability of the first expert."""
    return expit(-0.3 - 1.5 * X[:, 0] + X[:, 1])


def means(X):
    """True means of both experts, (2, n)."""
    return np.array([-1.0 - X[:, 0] + 1.5 * X[:, 1], 1.0 + 2.0 * X[:, 0] + 0.5 * X[:, 1]])


def draw(rng):
    """Rows of the model."""
    X = np.column_stack([rng.standard_normal(ROWS), rng.random(ROWS) < 0.4]).astype(float)
    k = (rng.random(ROWS) > gate(X)).astype(int)
    return X, means(X)[k, np.arange(ROWS)] + SCALES[k] * rng.standard_normal(ROWS)


def truth(X, of):
    """What the model that the rows were drawn from answers, (n,)."""
    share, mu = gate(X), means(X)
    if of == "gate":
        return share
    if of == "mean":
        return share * mu[0] + (1.0 - share) * mu[1]
    low, high = np.sort(mu + SCALES[:, None] * norm.ppf(of), axis=0)

    def excess(y, i):
        return (
            share[i] * norm.cdf((y - mu[0, i]) / SCALES[0])
            + (1.0 - share[i]) * norm.cdf((y - mu[1, i]) / SCALES[1])
            - of
        )

    return np.array(
        [brentq(excess, low[i] - 1e-9, high[i] + 1e-9, (i,), 1e-13) for i in range(len(X))]
    )


def true_effects(X, of):
    """Average effects of both features on these rows."""
    step = np.array([1e-5, 0.0])
    slope = (truth(X + step, of) - truth(X - step, of)).mean() / 2e-5
    low, high = (np.column_stack([X[:, 0], np.full(ROWS, v)]) for v in (0.0, 1.0))
    return np.array([slope, (truth(high, of) - truth(low, of)).mean()])


def said(moe, X, of):
    """What a fit answers, of the gate of the first expert, (n,)."""
    if isinstance(of, float):
        return moe.predict_quantile(X, of)
    return moe.gate_proba(X)[:, 0] if of == "gate" else moe.predict(X)


def refitted_effects(moe, X, y, of):
    """The same effects from predictions of refits."""
    step = np.array([STEP, 0.0])
    up, down = (said(clone(moe).fit(X + s, y), X, of).mean() for s in (-step, step))
    turned = clone(moe).fit(np.column_stack([X[:, 0], 1.0 - X[:, 1]]), y)
    high, low = (np.column_stack([X[:, 0], np.full(ROWS, v)]) for v in (0.0, 1.0))
    change = said(turned, high, of).mean() - said(turned, low, of).mean()
    return np.array([(up - down) / (2.0 * STEP), change])


def own_effects(moe, X, y, of, **options):
    """Estimates and standard errors of both features, of the first answer."""
    table = marginal_effects(moe, X, y, of=of, **options)
    first = table.groupby(level="feature", sort=False).first()
    return first[["estimate", "std_error"]].to_numpy()


def one_set(rng, draws):
    """Truth, estimates, errors, estimates by refits, errors of a bootstrap: (2,) an answer."""
    X, y = draw(rng)
    moe = MoERegressor(
        2,
        expert=GaussianExpert(alpha=0.0),
        gate=SoftmaxGate(alpha=0.0),
        n_init=2,
        order_by="x0",
        random_state=0,
        tol=1e-10,
    ).fit(X, y)
    for name, of in ANSWERS.items():
        found = {"truth": true_effects(X, of)}
        found["estimate"], found["delta"] = own_effects(moe, X, y, of).T
        if draws:
            found["refits"] = refitted_effects(moe, X, y, of)
            options = {"kind": "bootstrap", "n_bootstrap": draws, "random_state": 0}
            found["bootstrap"] = own_effects(moe, X, y, of, **options)[:, 1]
        yield name, found


def row_of(name, place, sets):
    """Figures of one answer and feature over all sets."""
    column = {k: np.array([s[k][place] for s in sets if k in s]) for k in sets[0]}
    drawn = column["bootstrap"].size
    errors = column["estimate"] - column["truth"]
    refits = column["refits"] / column["estimate"][:drawn] - 1.0
    return {
        "answer": name,
        "feature": ("x0, slope", "x1, from 0 to 1")[place],
        "rows": ROWS,
        "sets": errors.size,
        "bootstraps": drawn,
        "effect": column["truth"].mean(),
        "refits": np.abs(refits).max(),
        "spread": np.sqrt((errors**2).mean()),
        "delta": column["delta"].mean(),
        "covered": (np.abs(errors) < norm.ppf(0.975) * column["delta"]).mean(),
        "bootstrap": (column["bootstrap"] / column["delta"][:drawn]).mean(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=200, help="data sets (default: %(default)s)")
    parser.add_argument("--bootstraps", type=int, default=10, help="of these, with a bootstrap")
    parser.add_argument("--draws", type=int, default=200, help="fits of each bootstrap")
    add_output(parser)
    args = parser.parse_args()
    rng, found = np.random.default_rng(0), {name: [] for name in ANSWERS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(args.sets):
            for name, figures in one_set(rng, args.draws if i < args.bootstraps else 0):
                found[name].append(figures)
    rows = [row_of(name, place, sets) for name, sets in found.items() for place in (0, 1)]
    print(pd.DataFrame(rows).to_string())
    keep("effects", rows, ["answer", "feature", "rows"], args.output)


if __name__ == "__main__":
    main()
