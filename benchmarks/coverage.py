"""Coverage of 95 % Wald intervals: how often they hold the truth, over simulated data sets.

    python benchmarks/coverage.py [--sets 500] [--rows 500] [--kinds observed sandwich opg]

Two overlapping linear Gaussian experts under a softmax gate with two features. Prints the share of
intervals that hold the true value, for every parameter and over all of them; 93 to 97 % is what 500
sets can tell from 95 %. Standard errors are compared with the spread of the estimates.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _results import add_output, keep
from sklearn.exceptions import ConvergenceWarning

from moe_classic import MoERegressor
from moe_classic.inference import inference

#: Intercept, x0, x1 and noise of each expert; gate of expert 1 relative to expert 2.
EXPERTS = np.array([[1.0, 2.0, -1.0, 0.5], [-1.0, -1.0, 0.5, 0.8]])
GATE = np.array([0.3, 1.5, -1.0])
TERMS = {"intercept": "intercept", "x0": "slope", "x1": "slope", "scale": "scale"}


def draw(n, rng):
    """Rows of the model above."""
    X = rng.standard_normal((n, 2))
    Z = np.column_stack([np.ones(n), X])
    first = rng.random(n) < 1.0 / (1.0 + np.exp(-Z @ GATE))
    B = np.where(first[:, None], EXPERTS[0], EXPERTS[1])
    return X, (Z * B[:, :3]).sum(axis=1) + B[:, 3] * rng.standard_normal(n)


def truth(fitted):
    """(label in the fit, true name, true value, sign) of every parameter.

    The fit orders experts by mass, which may be the other way round.
    """
    slopes = np.array([expert.coef_ for expert in fitted.experts_])
    swapped = np.abs(slopes - EXPERTS[:, 1:3]).sum() > np.abs(slopes[::-1] - EXPERTS[:, 1:3]).sum()
    order, sign = ([1, 0], -1.0) if swapped else ([0, 1], 1.0)
    for place, true in enumerate(order):
        for term, value in zip(TERMS, EXPERTS[true], strict=True):
            label = ("expert", f"expert {place + 1}", TERMS[term], term)
            yield label, f"expert {true + 1} {term}", value, 1.0
    for term, value in zip([*TERMS][:3], GATE, strict=True):
        yield ("gate", "expert 1", TERMS[term], term), f"gate {term}", sign * value, sign


def one_set(n, kinds, rng):
    """Rows of the result: one a kind and parameter."""
    X, y = draw(n, rng)
    fitted = MoERegressor(2, n_init=4, random_state=0).fit(X, y)
    rows = []
    for kind in kinds:
        table = inference(fitted, X, y, kind=kind).table
        for label, name, value, sign in truth(fitted):
            found = table.loc[label]
            rows.append(
                {
                    "kind": kind,
                    "parameter": name,
                    "error": sign * (found.estimate - value),
                    "std_error": found.std_error,
                    "held": found.low <= value <= found.high,
                }
            )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--kinds", nargs="+", default=["observed", "opg", "sandwich"])
    add_output(parser)
    options = parser.parse_args()
    warnings.simplefilter("error")
    warnings.simplefilter("default", ConvergenceWarning)
    started, rows = time.perf_counter(), []
    for rng in np.random.default_rng(0).spawn(options.sets):
        rows += one_set(options.rows, options.kinds, rng)
    frame = pd.DataFrame(rows)
    groups = frame.groupby(["parameter", "kind"])
    table = pd.DataFrame(
        {
            "coverage": groups.held.mean(),
            "mean std_error": groups.std_error.mean(),
            "sd of estimates": groups.error.std(),
            "bias": groups.error.mean(),
        }
    )
    print(table.round(4).to_string())
    print()
    print(frame.groupby("kind").held.mean().rename("coverage of all intervals").to_string())
    held = frame.groupby("kind").held.mean()
    rows = [{"kind": kind, "parameter": "all", "coverage": held[kind]} for kind in options.kinds]
    rows += [
        {"kind": kind, "parameter": parameter, "coverage": share}
        for (parameter, kind), share in groups.held.mean().items()
    ]
    size = {"sets": options.sets, "rows": options.rows}
    keep("coverage", [row | size for row in rows], ["kind", "parameter"], options.output)
    print(f"{options.sets} sets of {options.rows} rows, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
