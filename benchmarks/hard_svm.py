"""Hard mixture of SVMs against one SVM: ``python benchmarks/hard_svm.py [--rows N] [--large]``.

After Collobert, Bengio & Bengio (2002), whose Forest data are not at hand: two classes with local
structure. Twelve cells tile a plane; in each a shell in four more dimensions parts the classes, and
which class is inside differs from cell to cell. One kernel for all has to resolve the cells and to
stretch over the shells at once.

Compared are multilayer perceptrons, one SVM, SVMs on random shares that vote with equal weights,
and the same SVMs under a gate that deals the rows anew. Kernels are chosen on rows of their own,
for the one SVM among six, for the mixtures among two. ``--large`` takes 100,000 rows; there the one
SVM is stopped after ``--limit`` seconds.
"""

import argparse
import multiprocessing
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from moe_classic import HardMoEClassifier

N_CELLS, N_SHELL, FLIPPED = 12, 4, 0.01
N_VALIDATION, N_TEST, N_CHOICE = 5_000, 20_000, 5_000
KERNELS = [(C, gamma) for C in (10.0, 100.0) for gamma in (0.1, 0.3, 1.0)]
EXPERT_KERNELS = [(10.0, 0.1), (10.0, 0.3)]


def make_shells(n, seed):
    """Rows and classes; cells and shells do not depend on the seed."""
    cells = np.random.default_rng(1)
    centres = cells.uniform(-2.0, 2.0, (N_CELLS, 2))
    outside = np.arange(N_CELLS) % 3 != 0
    rng = np.random.default_rng(seed)
    place, shell = rng.uniform(-2.0, 2.0, (n, 2)), rng.standard_normal((n, N_SHELL))
    cell = ((place[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    # 3.36 is the median of the squared radius in four dimensions.
    y = ((shell**2).sum(axis=1) > 3.36) == outside[cell]
    y ^= rng.random(n) < FLIPPED
    return np.column_stack([place, shell]), y.astype(int)


def error(y, guess):
    """Wrong answers in percent."""
    return 100.0 * float(np.mean(y != guess))


def timed(fit):
    """Result of a call, wall seconds and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = fit()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def best_kernel(kernels, validation):
    """Kernel whose SVM on a few rows is best on others."""
    X, y = make_shells(N_CHOICE, 2)
    X_valid, y_valid = validation

    def loss(kernel):
        return error(y_valid, SVC(C=kernel[0], gamma=kernel[1]).fit(X, y).predict(X_valid))

    return min(kernels, key=loss)


def _fit_and_send(pipe, kernel, train, test):
    """Fit one SVM in a process of its own, which can be stopped; send its row of the table."""
    svm, wall, cpu = timed(lambda: SVC(C=kernel[0], gamma=kernel[1]).fit(*train))
    name = f"one SVM, C={kernel[0]:g} gamma={kernel[1]:g}, {svm.n_support_.sum()} vectors"
    pipe.send(wall)
    pipe.send(row(name, svm, train, test, wall, cpu))


def one_svm(kernel, train, test, limit):
    """Row of the single SVM; without an error if it was stopped."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(
        target=_fit_and_send, args=(theirs, kernel, train, test), daemon=True
    )
    process.start()
    if not mine.poll(limit):
        process.terminate()
        name = f"one SVM, C={kernel[0]:g} gamma={kernel[1]:g}, stopped"
        return {"system": name, "fit s": limit, "cpu s": limit}
    mine.recv()
    result = mine.recv()
    process.join()
    return result


def perceptrons(train, test):
    """Rows of a perceptron with one hidden layer, as in the paper, and of one with two."""
    for units in ((500,), (100, 100)):
        net = MLPClassifier(
            units,
            learning_rate_init=3e-3,
            max_iter=400,
            early_stopping=True,
            n_iter_no_change=40,
            random_state=0,
        )
        net, wall, cpu = timed(lambda net=net: net.fit(*train))
        yield row(f"one MLP, {' and '.join(map(str, units))} units", net, train, test, wall, cpu)


def row(name, model, train, test, wall, cpu):
    """Errors and times of a fitted model."""
    few = slice(0, 20_000)
    return {
        "system": name,
        "train error %": error(train[1][few], model.predict(train[0][few])),
        "test error %": error(test[1], model.predict(test[0])),
        "fit s": wall,
        "cpu s": cpu,
    }


class UniformMixture:
    """SVMs on random shares of the rows; the mean of their margins decides."""

    def __init__(self, kernel, n_experts):
        self.kernel, self.n_experts = kernel, n_experts

    def fit(self, X, y):
        share = np.random.default_rng(0).permutation(len(y)) % self.n_experts
        C, gamma = self.kernel
        self.experts_ = [
            SVC(C=C, gamma=gamma).fit(X[share == k], y[share == k]) for k in range(self.n_experts)
        ]
        return self

    def predict(self, X):
        return (np.mean([e.decision_function(X) for e in self.experts_], axis=0) > 0).astype(int)


def mixtures(options, train, validation, test):
    """Rows of the uniform and the gated mixture, kernels chosen among two."""
    K = options.experts
    uniform = {k: timed(lambda k=k: UniformMixture(k, K).fit(*train)) for k in EXPERT_KERNELS}
    best = min(uniform, key=lambda k: error(validation[1], uniform[k][0].predict(validation[0])))
    name = f"{K} SVMs, equal weights, C={best[0]:g} gamma={best[1]:g}"
    yield row(name, uniform[best][0], train, test, *uniform[best][1:])
    gated = {}
    for C, gamma in EXPERT_KERNELS:
        moe = HardMoEClassifier(
            K,
            expert=SVC(C=C, gamma=gamma),
            gate="linear",
            hidden_units=50,
            max_iter=options.rounds,
            gate_iter=200,
            gate_rows=options.gate_rows,
            validation_fraction=min(0.1, N_VALIDATION / len(train[1])),
            n_jobs=options.jobs,
            random_state=0,
        )
        gated[C, gamma] = timed(lambda moe=moe: moe.fit(*train))
    best = min(gated, key=lambda kernel: gated[kernel][0].loss_)
    moe, wall, cpu = gated[best]
    name = f"{K} SVMs, gated, C={best[0]:g} gamma={best[1]:g}"
    yield row(name, moe, train, test, wall, cpu)
    wrong = error(test[1], moe.predict(test[0], top_k=1))
    yield {"system": "    best expert of each row alone", "test error %": wrong}
    print("\nRounds of the gated mixture")
    print(moe.history_.to_string(float_format="{:.3f}".format))


def compare(n, options):
    """Print the table for ``n`` rows."""
    train, validation = make_shells(n, 3), make_shells(N_VALIDATION, 4)
    test = make_shells(N_TEST, 5)
    print(f"\n{n:,} rows, {options.experts} experts", flush=True)
    rows = [*perceptrons(train, test), *mixtures(options, train, validation, test)]
    rows.insert(2, one_svm(best_kernel(KERNELS, validation), train, test, options.limit))
    table = pd.DataFrame(rows).set_index("system")
    print(table.to_string(float_format="{:.2f}".format, na_rep=""))
    gated = table.index[-2]
    times = table.loc[table.index[2]] / table.loc[gated]
    print(
        f"one SVM over the gated mixture: {times['fit s']:.1f} times the time to fit, "
        f"{times['cpu s']:.1f} times the processor's",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--experts", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gate-rows", type=int, default=None, help="most rows the gate sees")
    parser.add_argument("--jobs", type=int, default=1, help="experts fitted at a time")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds for the one SVM")
    parser.add_argument("--large", action="store_true", help="100,000 rows, 20 experts")
    options = parser.parse_args()
    if options.large:
        options.rows, options.experts, options.rounds = 100_000, 20, 4
        options.gate_rows = options.gate_rows or 15_000
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        compare(options.rows, options)


if __name__ == "__main__":
    main()
