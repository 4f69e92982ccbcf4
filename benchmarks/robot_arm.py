"""The four-joint robot arm side by side: ``python benchmarks/robot_arm.py [--seed S] [--part P]``.

Prints the table of Jordan & Jacobs (1994) with ours on our own arm, and scikit-learn's peers on the
same rows; the depth study; seconds an epoch against rows and leaves; and grown trees on Friedman's
first function. Relative error is the mean squared error on the test rows over that of predicting
the training mean: the average of the four accelerations, and of their sum. ``--part`` takes one of
table, depth, cost, friedman; ``--quick`` a fifth of the rows.
"""

import argparse
import os
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
from _results import add_output, keep
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from moe_classic import HierarchicalMoERegressor, MoERegressor
from moe_classic.datasets import make_robot_arm
from moe_classic.experts import GaussianExpert
from moe_classic.solvers import EM

#: EM to the end: epochs are then passes over the rows, as in the paper.
PLAIN = EM(finish=None)
#: Passes of a short run before the best starts go on; they are part of the epochs reported.
SHORT = 15
#: Figures of the parts that have run, by the file that they go to.
ROWS: dict[str, list[dict]] = {"robot_arm": [], "robot_arm_cost": [], "robot_arm_friedman": []}


def relative_error(predicted, actual, train):
    """(average over the outputs, of their sum)."""
    error = ((predicted - actual) ** 2).mean(axis=0)
    spread = ((actual - train.mean(axis=0)) ** 2).mean(axis=0)
    return float((error / spread).mean()), float(error.sum() / spread.sum())


def report(
    what, *, part="table", error=None, epochs="", seconds=None, paper="", paper_epochs="", note=""
):
    """Print one line of the table, and keep it where a system was run."""
    average, total = ("", "") if error is None else (f"{e:.3f}" for e in error)
    time_taken = "" if seconds is None else f"{seconds:.1f}"
    print(
        f"{what:42s} {average:>8s} {total:>8s} {epochs!s:>7s} "
        f"{time_taken:>8s} {paper:>7s} {paper_epochs:>7s}  {note}",
        flush=True,
    )
    if error is not None:
        figures = {"error": error[0], "error_of_sum": error[1], "epochs": epochs}
        figures |= {"seconds": seconds, "paper": paper, "paper_epochs": paper_epochs}
        ROWS["robot_arm"].append({"part": part, "system": what} | figures)


def timed(fit):
    """Result of ``fit`` and its seconds."""
    start = time.perf_counter()
    result = fit()
    return result, time.perf_counter() - start


# ------------------------------------------------------------------------- the table


def peers(data, seed):
    """Linear regression, a network, trees and boosting."""
    X, X_test, y, y_test = data
    network = MLPRegressor(hidden_layer_sizes=(60,), max_iter=400, random_state=seed)
    models = {
        "linear": (LinearRegression(), ".31", "1"),
        "MLPRegressor, 60 hidden": (network, ".09", "5500"),
        "DecisionTreeRegressor": (
            DecisionTreeRegressor(min_samples_leaf=5, random_state=seed),
            ".17",
            "",
        ),
        "HistGradientBoostingRegressor": (
            MultiOutputRegressor(HistGradientBoostingRegressor(random_state=seed)),
            "",
            "",
        ),
    }
    for label, (model, paper, paper_epochs) in models.items():
        pipe = make_pipeline(StandardScaler(), model)
        whole = TransformedTargetRegressor(pipe, transformer=StandardScaler())
        _, seconds = timed(lambda whole=whole: whole.fit(X, y))
        epochs = whole.regressor_[-1].n_iter_ if "MLP" in label else ""
        error = relative_error(whole.predict(X_test), y_test, y)
        report(label, error=error, epochs=epochs, seconds=seconds, paper=paper,
               paper_epochs=paper_epochs)  # fmt: skip
    # linear-tree 0.3.5 does not run with a current scikit-learn.
    report("CART with linear leaves (not run)", paper=".13")
    report("MARS (not run)", paper=".16")


def hierarchical(branching, data, seed, *, label, expert, first, last, **paper):
    """A tree after ``first`` epochs and at the end; epochs are those of the winning start."""
    X, X_test, y, y_test = data
    moe = HierarchicalMoERegressor(
        branching, expert=expert, solver=PLAIN, max_iter=first - SHORT, random_state=seed
    )
    _, seconds = timed(lambda: moe.fit(X, y))
    error = relative_error(moe.predict(X_test), y_test, y)
    report(label, error=error, epochs=first, seconds=seconds, note="best of 10 starts", **paper)
    if last > first:
        moe.set_params(warm_start=True, max_iter=last - first)
        _, more = timed(lambda: moe.fit(X, y))
        error = relative_error(moe.predict(X_test), y_test, y)
        epochs = first + moe.n_iter_
        report(f"{label}, to the end", error=error, epochs=epochs, seconds=seconds + more)


def other_algorithms(data, seed, expert):
    """The paper's second algorithm by itself, and its on-line version."""
    X, X_test, y, y_test = data
    moe = HierarchicalMoERegressor(
        (2,) * 4, expert=expert, least_squares_iter=39, init="kmeans", n_init=1, max_iter=1,
        solver=PLAIN, random_state=seed,
    )  # fmt: skip
    _, seconds = timed(lambda: moe.fit(X, y))
    error = relative_error(moe.predict(X_test), y_test, y)
    report("HME, 16 experts, least squares", error=error, epochs=39, seconds=seconds,
           paper=".12", paper_epochs="39", note="one start")  # fmt: skip
    moe = HierarchicalMoERegressor(
        (2,) * 4, expert=expert, max_iter=20, n_init=4, solver=PLAIN, random_state=seed
    )
    total = 0.0
    for epoch in (1, 2):
        _, seconds = timed(lambda: moe.learn_recursively(X, y))
        total += seconds
        error = relative_error(moe.predict(X_test), y_test, y)
        note = "first rows fitted as a block" if epoch == 1 else ""
        report("HME, 16 experts, recursive least squares", error=error, epochs=epoch, seconds=total,
               paper=".12", paper_epochs="2", note=note)  # fmt: skip


def grown(data, seed, max_leaves):
    """A tree that finds its own shape."""
    X, X_test, y, y_test = data
    moe = HierarchicalMoERegressor(
        "grow", max_leaves=max_leaves, n_init=2, max_iter=60, solver=PLAIN, random_state=seed
    )
    _, seconds = timed(lambda: moe.fit(X, y))
    error = relative_error(moe.predict(X_test), y_test, y)
    leaves, depth = moe.tree_.n_leaves, max(leaf.depth for leaf in moe.tree_.leaves())
    report(f"HME, grown to {leaves} experts", error=error, epochs=moe.n_iter_, seconds=seconds,
           note=f"{leaves} experts, depth {depth}")  # fmt: skip


# ------------------------------------------------------------------------- depth and cost


def depth_study(data, seed, expert, passes):
    """One flat gate with 32 experts against trees with as many, and twice as many."""
    X, X_test, y, y_test = data
    options = {"expert": expert, "n_init": 4, "max_iter": passes, "solver": PLAIN}
    shapes = {
        "one level of 32": None,
        "4-4-2": (4, 4, 2),
        "2-4-4": (2, 4, 4),
        "five binary levels": (2,) * 5,
        "six binary levels, 64 experts": (2,) * 6,
    }
    for label, shape in shapes.items():
        moe = (
            MoERegressor(32, random_state=seed, **options)
            if shape is None
            else HierarchicalMoERegressor(shape, random_state=seed, **options)
        )
        _, seconds = timed(lambda moe=moe: moe.fit(X, y))
        error = relative_error(moe.predict(X_test), y_test, y)
        report(label, part="depth", error=error, epochs=SHORT + passes, seconds=seconds)


def cost(data):
    """Seconds an epoch against leaves and rows."""
    X, _, y, _ = data

    def epoch(rows, depth):
        moe = HierarchicalMoERegressor(
            2, depth=depth, init="principal", n_init=1, max_iter=1, solver=PLAIN
        ).fit(X[:rows], y[:rows])
        moe.set_params(warm_start=True, tol=0.0)
        best = np.inf
        for _ in range(3):
            times = []
            for passes in (2, 12):
                moe.set_params(max_iter=passes)
                times.append(timed(lambda: moe.fit(X[:rows], y[:rows]))[1])
            best = min(best, (times[1] - times[0]) / 10.0)
        return best

    leaves = 2 ** np.arange(2, 8)
    seconds = [epoch(len(X), int(np.log2(count))) for count in leaves]
    for count, value in zip(leaves, seconds, strict=True):
        note = f"{1e6 * value / len(X) / count:.3f} microseconds a row and leaf"
        report(f"an epoch, {count} leaves", note=f"{value:.4f} s, {note}")
        ROWS["robot_arm_cost"].append({"leaves": count, "rows": len(X), "seconds": value})
    report("growth exponent in leaves", note=f"{exponent(leaves, seconds):.2f}")
    rows = len(X) // np.array([8, 4, 2, 1])
    seconds = [epoch(count, 4) for count in rows]
    for count, value in zip(rows, seconds, strict=True):
        note = f"{1e6 * value / count / 16:.3f} microseconds a row and leaf"
        report(f"an epoch, 16 leaves, {count} rows", note=f"{value:.4f} s, {note}")
        if count != len(X):
            ROWS["robot_arm_cost"].append({"leaves": 16, "rows": count, "seconds": value})
    report("growth exponent in rows", note=f"{exponent(rows, seconds):.2f}")


def exponent(sizes, seconds):
    """Slope of log seconds against log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


# ------------------------------------------------------------------------- Friedman's function


def friedman(rows, seed):
    """Grown trees on make_friedman1: first half train, second half test."""
    X, y = make_friedman1(rows, noise=1.0, random_state=seed)
    half = rows // 2
    quadratic = GaussianExpert(features=PolynomialFeatures(2, include_bias=False))
    one_noise = GaussianExpert(tied=True)
    by_cuts = {"init": "cut", "n_init": 1, "max_leaves": 48}
    for label, settings in {
        "BIC": {"n_init": 4, "expert": one_noise},
        'BIC, `init="cut"`': {"expert": one_noise, **by_cuts},
        'held-out rows, `init="cut"`': {"expert": one_noise, "criterion": "held_out", **by_cuts},
        "BIC, quadratic experts": {"n_init": 4, "expert": quadratic},
    }.items():
        moe = HierarchicalMoERegressor(
            "grow", max_iter=60, solver=PLAIN, random_state=seed, **settings
        )
        _, seconds = timed(lambda moe=moe: moe.fit(X[:half], y[:half]))
        nll = -moe.score_samples(X[half:], y[half:]).mean()
        r2 = moe.score(X[half:], y[half:])
        note = f"NLL {nll:.3f}, R2 {r2:.4f}, {moe.tree_.n_leaves} experts"
        report(f"friedman1, grown, {label}", seconds=seconds, note=note)
        figures = {"nll": nll, "r2": r2, "experts": moe.tree_.n_leaves, "seconds": seconds}
        ROWS["robot_arm_friedman"].append({"system": label} | figures)
    signal = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2
    signal += 10 * X[:, 3] + 5 * X[:, 4]
    truth = 0.5 * np.log(2 * np.pi) + 0.5 * ((y - signal)[half:] ** 2).mean()
    report("friedman1, the true density", note=f"NLL {truth:.3f}")
    ROWS["robot_arm_friedman"].append({"system": "the true density", "nll": truth})


def table(data, seed):
    """The paper's table, with a tree that grew."""
    tied = GaussianExpert(tied=True)
    paper = {"paper": ".10", "paper_epochs": "35"}
    peers(data, seed)
    for label, expert in {"own covariances": GaussianExpert(), "one covariance": tied}.items():
        name = f"HME, 16 experts, EM, {label}"
        hierarchical((2,) * 4, data, seed, label=name, expert=expert, first=36, last=150, **paper)
    other_algorithms(data, seed, tied)
    grown(data, seed, 32)


def main():
    """Run everything, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the rows")
    add_output(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", choices=("table", "depth", "cost", "friedman"))
    arguments = parser.parse_args()
    scale = 5 if arguments.quick else 1
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = make_robot_arm(15000 // scale, 5000 // scale, random_state=arguments.seed)
    head = ("relative", "of sum", "epochs", "seconds", "paper", "epochs")
    print(f"{'':42s} {head[0]:>8s} {head[1]:>8s} {head[2]:>7s} {head[3]:>8s} {head[4]:>7s} "
          f"{head[5]:>7s}")  # fmt: skip
    parts = {
        "table": lambda: table(data, arguments.seed),
        "depth": lambda: depth_study(data, arguments.seed, GaussianExpert(tied=True), 45),
        "cost": lambda: cost(data),
        "friedman": lambda: friedman(20000 // scale, arguments.seed),
    }
    for name, part in parts.items():
        if arguments.part in (None, name):
            part()
    keys = {"robot_arm": ["part", "system"], "robot_arm_cost": ["leaves", "rows"]}
    for name, rows in ROWS.items():
        if rows and not arguments.quick:
            keep(name, rows, keys.get(name, ["system"]), arguments.output)


if __name__ == "__main__":
    main()
