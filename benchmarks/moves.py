"""Split-and-merge moves: the best of a round, or the first that is better, on the same starts.

    python benchmarks/moves.py [--seeds 16]

Sixteen linear experts on halves of `make_friedman1(20000, noise=1)`, as in friedman.py. All moves
of a round are climbed and the best is taken; until starts advanced together the first that was
better had been. Both go from the same starts.
"""

import argparse
import time
import warnings
from itertools import islice

import numpy as np
from _results import add_output, keep
from friedman import N
from sklearn.datasets import make_friedman1

from moe_classic import MoERegressor
from moe_classic._training import split_merge
from moe_classic._training.split_merge import Move, Search, sort_key

#: Moves of a round, rounds and passes of the earlier rule.
MOVES, ROUNDS, PASSES = 4, 3, 30
#: Objectives on the sample where each search ended.
ENDS = []
best_of_a_round = Search.best


def best(search, ends):
    """The rule of today, its end noted."""
    found = best_of_a_round(search, ends)
    ENDS.append((found or min(ends, key=sort_key)).objective)
    return found


def first(search, ends):
    """The first move of a round that is better."""
    begun = run = min(ends, key=sort_key)
    for _ in range(ROUNDS):
        better = _first_better(search, run)
        if better is None:
            break
        run = better
    ENDS.append(run.objective)
    return None if run is begun else run


def _first_better(search, run):
    """The end of the first move from a run that is better, None if none is."""
    enough = run.objective - split_merge._GIVE_UP * search.weight
    for R in islice(search.proposed(run.result.params), MOVES):
        short = search.climb([Move(run.result.params, R)], PASSES)[0]
        if short.objective >= enough:
            tried = search.finish([short])[0]
            if search.beats(tried, run):
                return tried
    return None


def fitted(rule, seed):
    """Height on the sample and on all rows, loss and R^2 on new rows, and CPU seconds."""
    X, y = make_friedman1(N, noise=1.0, random_state=seed)
    half, Search.best = N // 2, rule
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moe = MoERegressor(16, random_state=seed).fit(X[:half], y[:half])
    seconds = time.process_time() - started
    new = X[half:], y[half:]
    return {
        "sample": ENDS[-1],
        "train": moe.log_likelihood_,
        "nll": -moe.score_samples(*new).mean(),
        "r2": moe.score(*new),
        "seconds": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=16, help="data sets")
    add_output(parser)
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        for name, rule in (("best", best), ("first", first)):
            rows.append({"seed": seed, "rule": name} | fitted(rule, seed))
            print(rows[-1], flush=True)
    keep("moves", rows, ["seed", "rule"], options.output)
    losses = np.array([row["nll"] for row in rows]).reshape(-1, 2)
    more = losses[:, 0] - losses[:, 1]
    error = more.std(ddof=1) / np.sqrt(len(more))
    print(f"loss of the best move less that of the first: {more.mean():.4f} (error {error:.4f})")


if __name__ == "__main__":
    main()
