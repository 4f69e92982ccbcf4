"""What tables, criteria and reports say of untidy data, beside the right value.

    python benchmarks/untidy_reports.py [--only names] [--version after] [--first 0]

Each case is a situation from public reports about mixture software, rebuilt; its right value comes
from elsewhere: a closed form, statsmodels, scipy, or the same data under tidy names. ``--version``
says under which name figures are kept, so that those of an older commit can stand beside them.
``--version fresh --first 1000`` draws samples on which nothing was chosen.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
from _results import add_output, keep

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._components import Noise
from moe_classic.experts import LogisticExpert
from moe_classic.model_selection import select
from moe_classic.predictive import _crps
from moe_classic.predictive._crps import mixture_crps

#: What is added to every seed.
FIRST = [0]
#: Name of a group of cases -> functions without arguments that give rows.
CASES = {}


def case(group):
    """Put a function among the cases of a group."""

    def kept(function):
        CASES.setdefault(group, []).append(function)
        return function

    return kept


def drawn(seed):
    """The generator of a sample."""
    return np.random.default_rng(seed + FIRST[0])


def line(what, right, found):
    """One row of the result."""
    return {"case": what, "right": right, "found": found}


# ------------------------------------------------------------------------- names that collide


@case("names")
def parameters_under_awkward_names():
    rng = drawn(0)
    X = rng.normal(size=(300, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.standard_t(4.0, 300)
    model = MoERegressor(2, expert="student_t", n_init=2, random_state=0)
    plain = pd.DataFrame(X, columns=["a", "b", "c"])
    awkward = pd.DataFrame(X, columns=["intercept", "scale", "df"])
    right = model.fit(plain, y)
    rows, terms = len(right.summary()), len(right.inference(plain, y).table.index.unique())
    model.fit(awkward, y)
    yield line(
        "lines of a summary, columns called intercept, scale, df", rows, len(model.summary())
    )
    found = model.inference(awkward, y).table.index.unique()
    yield line("distinct rows of an inference, the same columns", terms, len(found))


# ------------------------------------------------------------------------- no parameters


def two_regimes(n, seed):
    """A kink with noise: two experts are right."""
    rng = drawn(seed)
    x = rng.uniform(-2.0, 2.0, (n, 1))
    return x, np.abs(x[:, 0]) + 0.8 * rng.normal(size=n)


@case("parameters")
def columns_that_add_nothing():
    x, y = two_regimes(120, 5)
    model = MoERegressor(2, n_init=2, random_state=0)
    plain = model.fit(x, y)
    right, bic = plain.n_parameters_, plain.bic(x, y)
    more = {"a constant": np.full_like(x, 7.0), "a copy": x, "another unit": 32.0 + 1.8 * x}
    for name, column in more.items():
        X = np.column_stack([x, column])
        model.fit(X, y)
        yield line(f"parameters of two experts, x and {name}", right, model.n_parameters_)
        yield line(f"BIC of two experts, x and {name}", bic, model.bic(X, y))


@case("parameters")
def experts_chosen_with_a_constant_column():
    template = MoERegressor(n_init=2, random_state=0)
    same = 0
    for seed in range(30):
        x, y = two_regimes(120, seed)
        wide = np.column_stack([x, np.full_like(x, 3.0)])
        found = [select(X, y, estimator=template, n_experts=[1, 2, 3]) for X in (x, wide)]
        same += len({f.best_params_["n_experts"] for f in found}) == 1
    yield line("of 30 samples: same number of experts chosen with a constant column", 30, same)


@case("parameters")
def errors_of_aliased_gate_columns():
    x, y = two_regimes(300, 1)
    X = np.column_stack([x, x])
    model = MoERegressor(2, n_init=2, random_state=0).fit(X, y)
    table = model.inference(X, y).gate
    slopes = table.std_error.to_numpy()[-2:]
    yield line("standard error of a gate slope whose column comes twice", np.nan, slopes[0])


# ------------------------------------------------------------------------- separation


def notes(model, X, y):
    """How many coefficients are told to be separated, in inference."""
    return int(model.inference(X, y).table.note.str.contains("separated").sum())


@case("separation")
def gates_that_switch():
    for n in (40, 400, 5000):
        rng = drawn(0)
        x = rng.uniform(-1.0, 1.0, (n, 1))
        y = np.where(x[:, 0] < 0.0, x[:, 0], 5.0 - x[:, 0]) + 0.1 * rng.normal(size=n)
        model = MoERegressor(2, n_init=2, random_state=0).fit(x, y)
        yield line(
            f"separated coefficients told, a gate that switches, {n} rows", 2, notes(model, x, y)
        )


@case("separation")
def quasi_separated_classes():
    for penalty in (0.0, 1e-4, 1e-2):
        rng = drawn(0)
        d, z = (rng.random(300) < 0.2).astype(float), rng.normal(size=300)
        y = np.where(d == 1.0, 1, rng.random(300) < 1.0 / (1.0 + np.exp(-z))).astype(int)
        X = np.column_stack([z, d])
        model = MoEClassifier(1, expert=LogisticExpert(alpha=penalty)).fit(X, y)
        result = model.inference(X, y)
        what = f"alpha={penalty:g}, a group of one class"
        yield line(f"separated coefficients told, {what}", 1, notes(model, X, y))
        yield line(f"standard error of its slope, {what}", np.nan, result.table.std_error.iloc[2])


# ------------------------------------------------------------------------- smaller


@case("smaller")
def errors_of_precision_weights():
    rng = drawn(0)
    x = rng.uniform(0.0, 10.0, (80, 1))
    error = 1e-8 * rng.uniform(0.5, 2.0, 80)
    y = 1e-8 * (1.0 + 2.0 * x[:, 0]) + error * rng.standard_normal(80)
    w = 1.0 / error**2
    model = MoERegressor(1).fit(x, y, sample_weight=w)
    try:
        table = model.inference(x, y, sample_weight=w, weight_kind="precision").table
    except TypeError:
        table = model.inference(x, y, sample_weight=w).table
    right = sm.WLS(y, sm.add_constant(x), weights=w).fit().bse[1] * np.sqrt(78 / 80)
    yield line("standard error of a slope, weights 1 / error^2", right, table.std_error.iloc[1])


@case("smaller")
def nested_names():
    worked = 0
    names = {"gate__alpha": 0.1, "expert__alpha": 0.1, "solver__finish": None}
    for name, value in names.items():
        try:
            MoERegressor(2).set_params(**{name: value})
            worked += 1
        except AttributeError:
            pass
    yield line("of 3 parameters of components that were named: can be set", 3, worked)


@case("smaller")
def batches():
    x, y = two_regimes(60, 0)
    worked = 0
    first = [(x[:1], y[:1], None), (x[1:], y[1:], None)]
    idle = [(x, y, None), (x[:5], y[:5], np.zeros(5))]
    for parts in (first, idle):
        model = MoERegressor(2, n_init=1, random_state=0)
        try:
            for X, target, w in parts:
                model.partial_fit(X, target, sample_weight=w)
            worked += 1
        except ValueError:
            pass
    yield line("of 2 odd batches, one row and no weight: learned", 2, worked)


# ------------------------------------------------------------------------- costs


def seconds(function, *arguments):
    """CPU time of a call."""
    started = time.process_time()
    function(*arguments)
    return time.process_time() - started


@case("costs")
def long_answers():
    rng = drawn(0)
    X = rng.normal(size=(20_000, 10))
    y = np.where(X[:, 0] > 0.0, X @ np.arange(10), -X[:, 1]) + rng.standard_t(3.0, 20_000)
    model = MoERegressor(4, expert="student_t", n_init=1, max_iter=30, random_state=0)
    model.fit(X[:4000], y[:4000])
    yield line(
        "CPU s, predict_mode, 20,000 rows, 4 experts", np.nan, seconds(model.predict_mode, X)
    )
    yield line("CPU s, explain, 20,000 rows, 10 features", np.nan, seconds(model.explain, X))
    noise = [
        Noise("student_t", np.float64(scale), float(df))
        for scale, df in zip(rng.uniform(0.1, 2.0, 60), rng.uniform(2.0, 20.0, 60), strict=True)
    ]
    weights, location = rng.dirichlet(np.ones(60), 60).T, 3.0 * rng.normal(size=(60, 60))
    spent = seconds(mixture_crps, y[:60], weights, location, noise)
    yield line("CPU s, crps, 60 rows, 60 Student-t experts", np.nan, spent)


#: Family, rows, scales and degrees of freedom of experts whose scores are timed.
SCORED = {
    "Gaussian": ("gaussian", 2000, (0.5, 1.5), (1.0, 2.0)),
    "narrow Gaussian": ("gaussian", 2000, (0.02, 0.1), (1.0, 2.0)),
    "Gaussian, scales .02 to 3": ("gaussian", 2000, (0.02, 3.0), (1.0, 2.0)),
    "Student-t, df 8 to 20": ("student_t", 400, (0.3, 2.0), (8.0, 20.0)),
    "Student-t, df 2 to 8": ("student_t", 400, (0.3, 2.0), (2.0, 8.0)),
}


def pairs_alone(*arguments):
    """The score by all pairs, as it was before some were taken together."""
    together, _crps.worthwhile = getattr(_crps, "worthwhile", None), lambda *_: None
    try:
        return mixture_crps(*arguments)
    finally:
        _crps.worthwhile = together


@case("costs")
def scores_of_many_experts():
    for name, (family, n, scales, dfs) in SCORED.items():
        for K in (8, 30, 60):
            rng = drawn(K)
            scale = np.exp(rng.uniform(*np.log(scales), K))
            noise = [
                Noise(family, s, df) for s, df in zip(scale, rng.uniform(*dfs, K), strict=True)
            ]
            weights, location = rng.dirichlet(np.ones(K), n).T.copy(), 3.0 * rng.normal(size=(K, n))
            asked = 3.0 * rng.normal(size=n), weights, location, noise
            spent = np.array(
                [[seconds(f, *asked) for f in (pairs_alone, mixture_crps)] for _ in range(4)]
            )[1:].min(axis=0)
            case = f"CPU of all pairs over that spent, crps, {n} rows, {K} experts, {name}"
            yield line(case, np.nan, spent[0] / spent[1])
        error = np.max(np.abs(pairs_alone(*asked) / mixture_crps(*asked) - 1.0))
        yield line(f"largest relative difference, crps, 60 experts, {name}", 0.0, error)


#: The same of experts whose scores were dear, or are quadratic in their number.
DEAR = {
    "Laplace": ("laplace", (0.3, 2.0), (1.0, 2.0), False),
    "Laplace, scales .01 to 100": ("laplace", (0.01, 100.0), (1.0, 2.0), False),
    "Gaussian, scales .01 to 100": ("gaussian", (0.01, 100.0), (1.0, 2.0), False),
    "Student-t, df .6 to 1.2": ("student_t", (0.3, 2.0), (0.6, 1.2), False),
    "Student-t, df 1.3 to 3": ("student_t", (0.3, 2.0), (1.3, 3.0), False),
    "Student-t, scales .01 to 100": ("student_t", (0.01, 100.0), (3.0, 20.0), False),
    "logistic": ("logistic", (0.3, 2.0), (1.0, 2.0), False),
    "Student-t, scales of rows": ("student_t", (0.3, 2.0), (3.0, 8.0), True),
}


@case("scores")
def scores_that_were_dear():
    K, n = 60, 400
    for name, (family, scales, dfs, by_row) in DEAR.items():
        rng = drawn(K)
        scale = np.exp(rng.uniform(*np.log(scales), K))
        noise = [
            Noise(family, np.full(n, s) if by_row else s, df)
            for s, df in zip(scale, rng.uniform(*dfs, K), strict=True)
        ]
        weights, location = rng.dirichlet(np.ones(K), n).T.copy(), 3.0 * rng.normal(size=(K, n))
        asked = 3.0 * rng.normal(size=n), weights, location, noise
        spent = seconds(mixture_crps, *asked)
        yield line(f"CPU s, crps, {n} rows, {K} experts, {name}", np.nan, spent)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), default=sorted(CASES))
    parser.add_argument("--version", choices=["before", "after", "fresh"], default="after")
    parser.add_argument("--first", type=int, default=0, help="what is added to every seed")
    add_output(parser)
    options = parser.parse_args()
    FIRST[0] = options.first
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for group in options.only:
            for function in CASES[group]:
                for row in function():
                    rows.append({"group": group, "version": options.version} | row)
                    print(f"{group}: {row}")
    keep("untidy_reports", rows, ["group", "case", "version"], options.output)


if __name__ == "__main__":
    main()
