"""Own code beside that of scipy: ``python benchmarks/libraries.py [--starts 10]``.

Newton's trust region against ``scipy.optimize.minimize(method="trust-exact")``, from the same
random starts and with the same derivatives: passes over the rows that form second derivatives, CPU
time, and who ends higher. Derivatives of the delta method, central differences of one step, against
``scipy.differentiate.jacobian``: how often a function is asked, and relative errors of standard
errors, against derivatives by a complex step. Writes results/trust_region.csv and delta.csv.
"""

import argparse
import time
import warnings

import numpy as np
from _problems import em_problem
from _results import add_output, keep
from scipy.differentiate import jacobian
from scipy.optimize import minimize

from moe_classic import MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import GaussianExpert
from moe_classic.inference import inference
from moe_classic.solvers import EM, Newton
from moe_classic.solvers._quadratic import quadratic

#: Experts, features, distance of the experts in units of y (noise 0.3), steepness of the gate.
SETTINGS = {
    "two, apart": (2, 2, 2.0, 5.0),
    "two, overlapping": (2, 2, 0.6, 2.0),
    "three, apart": (3, 5, 2.0, 5.0),
    "three, overlapping": (3, 5, 0.6, 2.0),
}
ROWS = 500
CLOSE = 1e-6


# ------------------------------------------------------------------------- Newton's trust region


def by_scipy(problem, start):
    """Height, passes with second derivatives and CPU seconds of trust-exact, in scaled units."""
    began, theta = time.process_time(), problem.model.pack(start)
    scale = quadratic(problem, start).scale(problem.summary.weight)
    seen = {}

    def at(u):
        key = u.tobytes()
        if key not in seen:
            params = problem.model.unpack(theta + u / scale, start, problem.summary)
            seen[key] = quadratic(problem, params)
        return seen[key]

    done = minimize(
        lambda u: -at(u).value,
        np.zeros_like(theta),
        jac=lambda u: -at(u).gradient / scale,
        hess=lambda u: at(u).matrix / np.outer(scale, scale),
        method="trust-exact",
        options={"maxiter": 500, "gtol": 1e-6},
    )
    return -done.fun, len(seen), time.process_time() - began


def by_newton(problem, start):
    """The same of the solver here."""
    began = time.process_time()
    result = Newton(warm_up=False).run(problem, start, max_iter=500, tol=1e-12)
    return result.objective, result.n_iter, time.process_time() - began


def race(name, passes, starts):
    """A row of the table of trust regions, after some passes of EM."""
    K, p, separation, sharpness = SETTINGS[name]
    options = {"separation": separation, "sharpness": sharpness, "random_state": 0}
    X, y = make_moe(n_samples=ROWS, n_features=p, n_experts=K, **options)[:2]
    problem, rough = em_problem(X, y, K)
    theta, found = problem.model.pack(rough), []
    for seed in range(starts):
        moved = theta + 0.3 * np.random.default_rng(seed).standard_normal(theta.size)
        start = problem.model.unpack(moved, rough, problem.summary)
        if passes:
            start = EM(finish=None).run(problem, start, max_iter=passes, tol=1e-9).params
        found.append((by_newton(problem, start), by_scipy(problem, start)))
    own, other = np.array(found).transpose(1, 2, 0)
    return {
        "experts": name,
        "em_passes": passes,
        "parameters": theta.size,
        "starts": starts,
        "own_passes": np.median(own[1]),
        "scipy_passes": np.median(other[1]),
        "seconds_ratio": np.median(other[2] / own[2]),
        "own_higher": int((own[0] > other[0] + CLOSE * ROWS).sum()),
        "scipy_higher": int((other[0] > own[0] + CLOSE * ROWS).sum()),
    }


# ------------------------------------------------------------------------- delta method


class Means:
    """Means of a mixture of lines at some x, from the parameters as tables give them."""

    def __init__(self, n_experts, x):
        self.K, self.x, self.asked = n_experts, x, 0

    def __call__(self, theta):
        self.asked += 1
        lines = theta[: 3 * self.K].reshape(self.K, 3)
        odds = np.vstack([theta[3 * self.K :].reshape(-1, 2), np.zeros(2)])
        share = np.exp(odds[:, :1] + odds[:, 1:] * self.x)
        return (share * (lines[:, :1] + lines[:, 1:2] * self.x)).sum(axis=0) / share.sum(axis=0)

    def columns(self, thetas):
        """The same for parameters (m, ...), as scipy asks."""
        flat = thetas.reshape(len(thetas), -1)
        said = np.stack([self(column) for column in flat.T], axis=-1)
        return said.reshape(len(self.x), *thetas.shape[1:])

    def exact(self, theta):
        """Derivatives by complex steps, exact to rounding, (len(x), m)."""
        steps = 1e-30j * np.eye(theta.size)
        return np.stack([self(theta + s).imag / 1e-30 for s in steps], axis=1)


def differences(n_experts):
    """A row of the table of derivatives."""
    options = {"separation": 2.0, "sharpness": 2.0, "random_state": 0}
    X, y = make_moe(n_samples=ROWS, n_features=1, n_experts=n_experts, **options)[:2]
    moe = MoERegressor(n_experts, expert=GaussianExpert(alpha=0.0), n_init=3, random_state=0)
    found = inference(moe.fit(X, y), X, y)
    at, C = found.table.estimate.to_numpy(), found.covariance.to_numpy()
    ask = Means(n_experts, np.linspace(-1.5, 1.5, 10))

    def error(J):
        return np.sqrt(np.einsum("ij,jk,ik->i", J, C, J))

    exact = error(ask.exact(at))
    ask.asked = 0
    own = found.delta(lambda table: ask(table.to_numpy())).std_error.to_numpy()
    own_asked, ask.asked = ask.asked, 0
    other = error(jacobian(ask.columns, at).df)
    return {
        "parameters": at.size,
        "own_asked": own_asked,
        "scipy_asked": ask.asked,
        "own_error": np.abs(own / exact - 1.0).max(),
        "scipy_error": np.abs(other / exact - 1.0).max(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=10, help="(default: %(default)s)")
    add_output(parser)
    args = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regions = [race(name, n, args.starts) for n in (0, 15) for name in SETTINGS]
        deltas = [differences(K) for K in (2, 3, 4)]
    for row in [*regions, *deltas]:
        print(row)
    keep("trust_region", regions, ["experts", "em_passes"], args.output)
    keep("delta", deltas, ["parameters"], args.output)


if __name__ == "__main__":
    main()
