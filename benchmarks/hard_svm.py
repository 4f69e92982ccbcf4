"""Hard mixture of SVMs against one SVM: ``python benchmarks/hard_svm.py [--rows N] [--large]``.

After Collobert, Bengio & Bengio (2002), whose Forest data are not at hand: two classes with local
structure. Twelve cells tile a plane; in each a shell in four more dimensions parts the classes, and
which class is inside differs from cell to cell. One kernel for all has to resolve the cells and to
stretch over the shells at once.

Compared are multilayer perceptrons, one SVM, SVMs on random shares that vote with equal weights,
and the same SVMs under a gate that deals the rows anew. Kernels are chosen on rows of their own,
for the one SVM among six, for the mixtures among two. ``--large`` takes 100,000 rows; there the one
SVM is stopped after ``--limit`` seconds of CPU time. ``--systems`` picks systems, one at a time if
need be.
"""

import argparse
import multiprocessing
import resource
import time
import warnings

import numpy as np
import pandas as pd
from _results import add_output, keep
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from moe_classic import HardMoEClassifier

N_CELLS, N_SHELL, FLIPPED = 12, 4, 0.01
N_VALIDATION, N_TEST, N_CHOICE = 5_000, 20_000, 5_000
KERNELS = [(C, gamma) for C in (10.0, 100.0) for gamma in (0.1, 0.3, 1.0)]
SMALL = {"rows": 20_000, "experts": 10, "rounds": 5}
LARGE = {"rows": 100_000, "experts": 20, "rounds": 2, "gate_rows": 15_000}
SYSTEMS = ("mlp", "svm", "uniform", "gated")
EXPERT_KERNELS = [(10.0, 0.1), (10.0, 0.3)]
#: Test errors that the paper reports for the Forest data, by words of a system's name.
PAPER = {"500 units": 18.2, "one SVM": 16.8, "equal weights": 20.3, "gated": 9.3}


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


def _fit_and_send(pipe, kernel, train, limit):
    """Fit one SVM in a process of its own, which the system ends; send its row of the table."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    svm, wall, cpu = timed(lambda: SVC(C=kernel[0], gamma=kernel[1]).fit(*train))
    pipe.send((svm, wall, cpu))


def one_svm(kernel, train, test, limit):
    """Row of the single SVM; without an error if it was stopped after ``limit`` CPU seconds."""
    mine, theirs = multiprocessing.Pipe(duplex=False)
    begun = time.perf_counter()
    process = multiprocessing.Process(
        target=_fit_and_send, args=(theirs, kernel, train, limit), daemon=True
    )
    process.start()
    theirs.close()
    name = f"one SVM, C={kernel[0]:g} gamma={kernel[1]:g}"
    try:
        svm, wall, cpu = mine.recv()
    except EOFError:
        process.join()
        wall = time.perf_counter() - begun
        return {
            "system": f"{name}, stopped",
            "test error %": np.nan,
            "fit s": wall,
            "cpu s": float(limit),
        }
    process.join()
    return row(f"{name}, {svm.n_support_.sum()} vectors", svm, train, test, wall, cpu)


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


def uniform_mixture(options, train, validation, test):
    """Row of the mixture without a gate, its kernel chosen among two."""
    K = options.experts
    fits = {k: timed(lambda k=k: UniformMixture(k, K).fit(*train)) for k in EXPERT_KERNELS}
    best = min(fits, key=lambda k: error(validation[1], fits[k][0].predict(validation[0])))
    name = f"{K} SVMs, equal weights, C={best[0]:g} gamma={best[1]:g}"
    yield row(name, fits[best][0], train, test, *fits[best][1:])


def gated_mixture(options, train, validation, test):
    """Rows of the gated mixture, its kernel chosen among two, and of its best experts alone."""
    K, fits = options.experts, {}
    for C, gamma in EXPERT_KERNELS:
        moe = HardMoEClassifier(
            K,
            expert=SVC(C=C, gamma=gamma),
            hidden_units=50,
            max_iter=options.rounds,
            gate_iter=200,
            gate_rows=options.gate_rows,
            validation_fraction=min(0.1, N_VALIDATION / len(train[1])),
            n_jobs=options.jobs,
            random_state=0,
        )
        fits[C, gamma] = timed(lambda moe=moe: moe.fit(*train))
    best = min(fits, key=lambda kernel: fits[kernel][0].loss_)
    moe, wall, cpu = fits[best]
    name = f"{K} SVMs, gated, {options.rounds} rounds, C={best[0]:g} gamma={best[1]:g}"
    yield row(name, moe, train, test, wall, cpu)
    wrong = error(test[1], moe.predict(test[0], top_k=1))
    yield {"system": "    best expert of each row alone", "test error %": wrong}
    print("\nRounds of the gated mixture")
    print(moe.history_.to_string(float_format="{:.3f}".format))


def save(table, n, folder):
    """Keep the figures of the systems, without the kernels that were chosen."""
    heads = {"train error %": "train", "test error %": "test", "cpu s": "seconds"}
    table = table[~table["system"].str.startswith(" ")].rename(columns=heads)
    kept = table.reindex(columns=["system", "train", "test", "seconds"])
    kept["system"] = kept["system"].str.replace(
        r", C=\S+ gamma=\S+|, \d+ vectors|, stopped", "", regex=True
    )
    kept["paper"] = [
        next((v for words, v in PAPER.items() if words in s), np.nan) for s in kept["system"]
    ]
    keep("hard_svm", kept.assign(rows=n).to_dict("records"), ["rows", "system"], folder)


def compare(n, options):
    """Print the table for ``n`` rows, and what the gated mixture saves."""
    train, validation = make_shells(n, 3), make_shells(N_VALIDATION, 4)
    test = make_shells(N_TEST, 5)
    print(f"\n{n:,} rows, {options.experts} experts", flush=True)
    systems = {
        "mlp": lambda: perceptrons(train, test),
        "svm": lambda: [one_svm(best_kernel(KERNELS, validation), train, test, options.limit)],
        "uniform": lambda: uniform_mixture(options, train, validation, test),
        "gated": lambda: gated_mixture(options, train, validation, test),
    }
    table = pd.DataFrame([r for name in options.systems for r in systems[name]()])
    print(table.set_index("system").to_string(float_format="{:.2f}".format, na_rep=""))
    save(table, n, options.output)
    kinds = table["system"].str.contains
    one, gated = table[kinds("one SVM")], table[kinds("gated")]
    if len(one) and len(gated):
        least = "at least " if one["test error %"].isna().all() else ""
        times = one.iloc[0][["fit s", "cpu s"]] / gated.iloc[0][["fit s", "cpu s"]]
        print(
            f"one SVM over the gated mixture: {least}{times['fit s']:.1f} times the time to fit, "
            f"{least}{times['cpu s']:.1f} times the processor's",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--experts", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--gate-rows", type=int, default=None, help="most rows the gate sees")
    parser.add_argument("--jobs", type=int, default=1, help="experts fitted at a time")
    parser.add_argument("--limit", type=int, default=3600, help="CPU seconds for the one SVM")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--large", action="store_true", help="defaults for 100,000 rows")
    add_output(parser)
    options = parser.parse_args()
    for name, value in (LARGE if options.large else SMALL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        compare(options.rows, options)


if __name__ == "__main__":
    main()
