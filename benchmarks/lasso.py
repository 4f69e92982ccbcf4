"""Lasso mixtures: support, objective, optimality, one expert, cost.

    python benchmarks/lasso.py [--only support objective conditions one] [--sets 100]

- support: sets of 300 rows with 50 features, of which five are true: one for the gate of two
  experts, two for each expert; how often ``model_selection.path`` finds exactly these by the EBIC,
  and what a path of 50 penalties costs over one fit from the estimator's own starts, in CPU
  seconds, in turn with it;
- objective: small sets on which a slow program of its own, proximal gradient ascent with
  backtracking from 100 random starts, climbs the same objective: how far its best is above the fit;
- conditions: largest violation of the conditions of Karush, Kuhn and Tucker;
- one: slopes of one expert beside scikit-learn's.
"""

import argparse
import os
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
from _results import add_output, keep
from sklearn import linear_model

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic.experts import (
    GaussianExpert,
    LogisticExpert,
    MultinomialExpert,
    PoissonExpert,
    SkewNormalExpert,
)
from moe_classic.gates import SoftmaxGate
from moe_classic.model_selection import path
from moe_classic.penalties import ElasticNet, Lasso

TRUTH = ({(1, 2), (3, 4)}, {0})


def sparse_set(seed, n=300, p=50):
    """Features and a target of two experts that need two features each; the gate needs one."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    right = rng.random(n) < 1.0 / (1.0 + np.exp(-4.0 * X[:, 0]))
    lines = np.where(right, 2.0 + 1.5 * X[:, 1] + X[:, 2], -2.0 - 1.5 * X[:, 3] + X[:, 4])
    return X, lines + 0.5 * rng.standard_normal(n)


def penalised(alpha, gate_alpha, seed=0):
    """The estimator of one point of a path."""
    expert, gate = GaussianExpert(penalty=Lasso(alpha)), SoftmaxGate(penalty=Lasso(gate_alpha))
    return MoERegressor(2, expert=expert, gate=gate, random_state=seed)


def recovery(seed):
    """Whether the support is exactly right, and CPU seconds of the path over those of a fit."""
    X, y = sparse_set(seed)
    start = time.process_time()
    found = path(X, y)
    whole = time.process_time() - start
    best, row = found.best_estimator_, found.table.iloc[found.best_index_]
    start = time.process_time()
    penalised(row.alpha, row.alpha * row.gate_ratio).fit(X, y)
    one = time.process_time() - start
    experts = {tuple(np.flatnonzero(e.coef_)) for e in best.experts_}
    gate = set(np.flatnonzero(best.gate_.coef_[0] - best.gate_.coef_[1]))
    return (experts, gate) == TRUTH, whole / one


# ------------------------------------------------------------------------- a slow program


def objective(theta, Z, y, costs):
    """Penalised log-likelihood a row and the gradient of its smooth part, theta (7, q) flat."""
    q = Z.shape[1]
    gate, lines, log_s = theta[:q], theta[q : 3 * q].reshape(2, q), theta[3 * q :]
    eta = Z @ gate
    log_g = -np.logaddexp(0.0, np.stack([-eta, eta]))
    e = y - lines @ Z.T
    z = e * np.exp(-log_s)[:, None]
    joint = log_g - 0.5 * z**2 - log_s[:, None] - 0.5 * np.log(2.0 * np.pi)
    total = np.logaddexp(*joint)
    R = np.exp(joint - total)
    slopes = [Z.T @ (R[0] - np.exp(log_g[0]))]
    slopes += [Z.T @ (R[k] * z[k]) * np.exp(-log_s[k]) for k in range(2)]
    slopes.append((R * (z**2 - 1.0)).sum(axis=1))
    value = total.mean() - costs @ np.abs(theta)
    return value, np.concatenate(slopes) / len(y)


def ascend(theta, Z, y, costs, passes=3000):
    """Proximal gradient ascent with backtracking."""
    value, slope = objective(theta, Z, y, costs)
    step = 1.0
    for _ in range(passes):
        while step > 1e-12:
            moved = theta + step * slope
            moved = np.sign(moved) * np.maximum(np.abs(moved) - step * costs, 0.0)
            new, ahead = objective(moved, Z, y, costs)
            if new >= value + 1e-4 / step * ((moved - theta) ** 2).sum():
                break
            step *= 0.5
        else:
            break
        gain, theta, value, slope = new - value, moved, new, ahead
        if gain < 1e-12:
            break
        step *= 1.5
    return value


def slow_gap(seed, starts):
    """How far the best of slow climbs is above the fit, in nats a row."""
    X, y = sparse_set(seed, n=150, p=6)
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    moe = penalised(0.2, 0.02).fit(X, y)
    Z = np.column_stack([X, np.ones(len(X))])
    inside = np.r_[np.ones(6), 0.0]
    costs = np.concatenate([0.02 * inside, 0.2 * inside, 0.2 * inside, np.zeros(2)])
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(starts):
        theta = 0.7 * rng.standard_normal(23)
        theta[-2:] = -0.5
        values.append(ascend(theta, Z, y, costs))
    # A scale at its floor is no optimum: the program has no floor, and such starts are left out.
    sound = [v for v in values if v < moe.trace_[-1] / len(y) + 0.5]
    return max(sound) - moe.trace_[-1] / len(y)


def slow(sets, starts):
    """Largest lead of the best slow climb over the fit."""
    gaps = []
    for seed in range(sets):
        gaps.append(slow_gap(seed, starts))
        print(f"best slow climb less the fit: {gaps[-1]:+.2e} nats a row", flush=True)
    case = f"best of {starts} slow climbs less the fit, nats a row"
    return [{"what": "objective", "case": case, "figure": max(gaps), "of": sets}]


# ------------------------------------------------------------------------- optimality


def conditions(sets):
    """Largest violation of the conditions of optimality, of experts and gate, over sets."""
    rows = []
    for case, (estimator, expert, cost) in FAMILIES.items():
        worst = 0.0
        for seed in range(sets):
            rng = np.random.default_rng(seed)
            X = rng.standard_normal((400, 8))
            left = rng.random(400) < 1.0 / (1.0 + np.exp(3.0 * X[:, 0]))
            eta = np.where(left, 1.0 + X[:, 1], -1.5 * X[:, 2])
            y = target(case, eta, X, rng)
            gate = SoftmaxGate(penalty=Lasso(0.01))
            moe = estimator(2, expert=expert(penalty=Lasso(cost)), gate=gate, random_state=0)
            worst = max(worst, moe.fit(X, y).start_report_.kkt_residual.iloc[0])
        print(f"{case}: conditions of optimality to {worst:.1e}", flush=True)
        if " " not in case:
            case = f"{case} experts and softmax gate"
        rows.append({"what": "conditions", "case": case, "figure": worst, "of": sets})
    return rows


def target(case, eta, X, rng):
    """One that suits a family of experts."""
    if case == "skew-normal":
        return eta + np.abs(rng.standard_normal(400)) + 0.2 * rng.standard_normal(400)
    if "Gaussian" in case:
        return eta + 0.5 * rng.standard_normal(400)
    if case == "Poisson":
        return rng.poisson(np.exp(0.5 * eta + 0.5))
    if case == "logistic":
        return (eta + rng.logistic(size=400) > 0.5).astype(int)
    logits = np.column_stack([eta, -eta, X[:, 3]])
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


def tree_of(_, *, expert, gate, random_state):
    """A tree of four leaves with the gate at each node."""
    return HierarchicalMoERegressor((2, 2), expert=expert, node=gate, random_state=random_state)


FAMILIES = {
    "Gaussian": (MoERegressor, GaussianExpert, 0.1),
    "Poisson": (MoERegressor, PoissonExpert, 0.05),
    "logistic": (MoEClassifier, LogisticExpert, 0.02),
    "multinomial": (MoEClassifier, MultinomialExpert, 0.02),
    "skew-normal": (MoERegressor, SkewNormalExpert, 0.1),
    "Gaussian experts and nodes of a tree": (tree_of, GaussianExpert, 0.1),
}


def one_expert(sets):
    """Largest differences of the slopes of one expert from those of scikit-learn."""
    worst = dict.fromkeys(["Lasso", "ElasticNet", "LogisticRegression(l1)"], 0.0)
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((300, 10))
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        y = 2.0 * X[:, 1] - X[:, 4] + rng.standard_normal(300)
        y = (y - y.mean()) / y.std()
        for name, penalty in (("Lasso", Lasso(0.3)), ("ElasticNet", ElasticNet(0.3, l1_ratio=0.6))):
            moe = MoERegressor(1, expert=GaussianExpert(penalty=penalty)).fit(X, y).experts_[0]
            alpha = penalty.alpha * float(moe.scale_) ** 2
            own = {"l1_ratio": penalty.l1_ratio} if name == "ElasticNet" else {}
            other = getattr(linear_model, name)(alpha, tol=1e-13, max_iter=100_000, **own).fit(X, y)
            worst[name] = max(worst[name], np.abs(moe.coef_ - other.coef_).max())
        label = (y + rng.logistic(size=300) > 0.0).astype(int)
        moe = MoEClassifier(1, expert=LogisticExpert(penalty=Lasso(0.03))).fit(X, label)
        other = linear_model.LogisticRegression(
            l1_ratio=1.0, C=1.0 / 9.0, solver="saga", tol=1e-12, max_iter=100_000
        ).fit(X, label)
        # The slopes of the first class over the second are those of the second, turned.
        gap = np.abs(np.abs(moe.experts_[0].coef_) - np.abs(other.coef_)).max()
        worst["LogisticRegression(l1)"] = max(worst["LogisticRegression(l1)"], gap)
    for name, figure in worst.items():
        print(f"{name}: slopes to {figure:.1e}", flush=True)
    return [
        {"what": "one expert", "case": name, "figure": figure, "of": sets}
        for name, figure in worst.items()
    ]


def supports(sets):
    """How often the support is exactly right, and what a path costs."""
    results = []
    for seed in range(sets):
        results.append(recovery(seed))
        right, ratios = zip(*results, strict=True)
        print(f"{sum(right)} of {seed + 1} exact; a path costs {np.median(ratios):.1f} fits")
    case = "300 rows, 50 features"
    return [
        {"what": "support", "case": case, "figure": sum(right), "of": sets},
        {"what": "cost", "case": f"{case}, median", "figure": np.median(ratios), "of": sets},
        {"what": "cost", "case": f"{case}, largest", "figure": max(ratios), "of": sets},
    ]


def main():
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[*PARTS], choices=[*PARTS])
    parser.add_argument("--sets", type=int, default=100, help="sparse sets")
    parser.add_argument("--starts", type=int, default=100, help="slow climbs a set")
    add_output(parser)
    options = parser.parse_args()
    rows = [row for part in options.only for row in PARTS[part](options)]
    keep("lasso", rows, ["what", "case"], options.output)


PARTS = {
    "support": lambda o: supports(o.sets),
    "objective": lambda o: slow(10, o.starts),
    "conditions": lambda o: conditions(10),
    "one": lambda o: one_expert(10),
}


if __name__ == "__main__":
    main()
