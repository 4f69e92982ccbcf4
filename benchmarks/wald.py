"""Size of tests: ``python benchmarks/wald.py [--sets 1000]``.

How often Wald tests and likelihood ratios reject at the level .05 what holds, over simulated data
sets: two Gaussian experts under a softmax gate, one feature with the same slope in both and one
with no effect at all. 1000 sets tell a size from .05 by .014. Writes results/wald.csv.
"""

import argparse
import warnings

import numpy as np
from _results import add_output, keep
from scipy.stats import norm

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inference import inference, likelihood_ratio_test

#: What is tested, and the model without it.
NULLS = {
    "x2 = 0": {"expert": GaussianExpert(features=[0, 1], alpha=0.0)},
    "gate: x2 = 0": {"gate": SoftmaxGate(features=[0, 1])},
    "x1[1] = x1[2]": {"expert": GaussianExpert(shared=[1], alpha=0.0)},
}
ROWS = (400,)


def draw(n, rng):
    """Rows for which all that is tested holds."""
    X = rng.standard_normal((n, 3))
    first = rng.random(n) < norm.cdf(1.2 * X[:, 0] + 0.5 * X[:, 1])
    mean = np.where(first, 1.0 + 2.0 * X[:, 0], -1.0 - X[:, 0]) + 0.7 * X[:, 1]
    return X, mean + np.where(first, 0.5, 0.8) * rng.standard_normal(n)


def one_set(X, y):
    """p-values of every hypothesis: Wald, likelihood ratio."""
    options = {"expert": GaussianExpert(alpha=0.0), "n_init": 2, "random_state": 0, "tol": 1e-8}
    full = MoERegressor(2, **options).fit(X, y)
    found = inference(full, X, y)
    for hypothesis, change in NULLS.items():
        small = MoERegressor(2, **(options | change)).fit(X, y)
        ratio = likelihood_ratio_test(small, full)
        yield hypothesis, found.wald_test(hypothesis).p_value, ratio.p_value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000, help="data sets (default: %(default)s)")
    add_output(parser)
    args = parser.parse_args()
    rows = []
    for n in ROWS:
        rng = np.random.default_rng(n)
        found = {hypothesis: [] for hypothesis in NULLS}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(args.sets):
                for hypothesis, *p_values in one_set(*draw(n, rng)):
                    found[hypothesis].append(p_values)
        for hypothesis, p_values in found.items():
            wald, ratio = (np.array(p_values) < 0.05).T
            rows.append(
                {
                    "hypothesis": hypothesis,
                    "n": n,
                    "sets": args.sets,
                    "wald": wald.mean(),
                    "ratio": ratio.mean(),
                    "same": (wald == ratio).mean(),
                }
            )
            print(rows[-1], flush=True)
    keep("wald", rows, ["hypothesis", "n"], args.output)


if __name__ == "__main__":
    main()
