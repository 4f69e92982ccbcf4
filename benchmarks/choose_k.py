"""Number of experts that BIC chooses on simulated data: a confusion table.

    python benchmarks/choose_k.py [--sets 100] [--rows 400] [--most 4] [--criterion bic]

Draws data sets from 1, 2 and 3 linear Gaussian experts under a softmax gate with one feature, a new
truth for each set, and compares 1 to ``--most`` experts on each.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _results import add_output, keep

from moe_classic import MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.model_selection import select


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--most", type=int, default=4)
    parser.add_argument("--criterion", default="bic", choices=["bic", "aic", "icl"])
    add_output(parser)
    options = parser.parse_args()
    counts = range(1, options.most + 1)
    confusion = pd.DataFrame(0, index=pd.Index([1, 2, 3], name="true"), columns=list(counts))
    confusion.columns.name = f"chosen by {options.criterion}"
    started, fall = time.perf_counter(), 0.0
    for true in confusion.index:
        for seed in range(options.sets):
            X, y = make_moe(options.rows, n_experts=true, random_state=1000 * true + seed)
            chosen = select(
                X,
                y,
                estimator=MoERegressor(n_init=4, random_state=0),
                n_experts=counts,
                criterion=options.criterion,
            )
            confusion.loc[true, chosen.best_params_["n_experts"]] += 1
            fall = max(fall, -float(np.diff(chosen.table.log_likelihood).min()))
    print(confusion.to_string())
    rows = [
        {
            "true": true,
            "criterion": options.criterion,
            "right": confusion.loc[true, true],
            "sets": options.sets,
            "rows": options.rows,
        }
        for true in confusion.index
    ]
    keep("choose_k", rows, ["true", "criterion"], options.output)
    print(f"largest fall of the log-likelihood from K to K + 1: {fall:.2g} nats")
    print(f"{options.sets} sets of {options.rows} rows, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
