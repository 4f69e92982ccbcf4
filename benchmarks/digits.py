"""Eight multinomial experts on scikit-learn's digits, beside other classifiers in the same run.

1,797 pictures of 8 x 8 pixels in 16 steps of grey; mean log loss and accuracy over five folds. All
see the pixels divided by 16. The experts see all of them, the gate the first eight principal
components: a gate on 64 pixels finds regions that hold for the training pictures alone. Pixels near
the margin are almost always blank, so that standardising them blows up noise: standardize=False.
By default the units of features are at least a quarter of their range. One thread.
"""

import argparse
import os
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pandas as pd
from _results import add_output, keep
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier

from moe_classic import MoEClassifier
from moe_classic.experts import MultinomialExpert
from moe_classic.gates import SoftmaxGate


def mixture(n_experts, seed):
    """Experts and gate as the table reports them."""
    return MoEClassifier(
        n_experts,
        expert=MultinomialExpert(alpha=1e-5),
        gate=SoftmaxGate(features=PCA(8, random_state=0), alpha=1e-4),
        # 5,000 parameters for 1,400 pictures: EM would take long.
        solver="lbfgs",
        init="kmeans",
        n_init=5,
        standardize=False,
        random_state=seed,
    )


SYSTEMS = {
    "8 multinomial experts": lambda seed: mixture(8, seed),
    "`LogisticRegression`": lambda seed: LogisticRegression(max_iter=5000),
    "`MLPClassifier`": lambda seed: MLPClassifier(max_iter=500, random_state=seed),
    "`RandomForestClassifier`": lambda seed: RandomForestClassifier(random_state=seed),
    "`MoEClassifier(8)`, all defaults": lambda seed: MoEClassifier(8, random_state=seed),
}


def folds(kind, seed):
    """Five folds."""
    splitter = {"stratified": StratifiedKFold, "plain": KFold}[kind]
    return splitter(5, shuffle=True, random_state=seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folds", default="stratified", choices=["stratified", "plain"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of folds and systems")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    add_output(parser)
    args = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    X = X / 16.0
    print("| folds | system | log loss | accuracy | CPU seconds a fit |")
    print("|---|---|---|---|---|")
    rows = []
    for seed in args.seeds:
        for name in args.systems:
            scores = []
            for train, test in folds(args.folds, seed).split(X, y):
                start = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model = SYSTEMS[name](seed).fit(X[train], y[train])
                seconds = time.process_time() - start
                proba = model.predict_proba(X[test])
                right = accuracy_score(y[test], proba.argmax(axis=1))
                scores.append((log_loss(y[test], proba), right, seconds))
            loss, right, seconds = np.mean(scores, axis=0)
            row = f"| {args.folds} {seed} | {name} | {loss:.4f} | {right:.4f} | {seconds:.1f} |"
            print(row, flush=True)
            figures = {"log_loss": loss, "accuracy": right, "seconds": seconds}
            rows.append({"system": name, "folds": args.folds, "seed": seed} | figures)
    means = pd.DataFrame(rows).groupby(["system", "folds"], sort=False).mean().reset_index()
    rows += means.assign(seed="all").to_dict("records")
    keep("digits", rows, ["system", "folds", "seed"], args.output)


if __name__ == "__main__":
    main()
