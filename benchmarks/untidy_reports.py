"""What tables, criteria and reports say of untidy data, beside the right value.

    python benchmarks/untidy_reports.py [--only names] [--version after]

Each case is a situation from public reports about mixture software, rebuilt; its right value comes
from elsewhere: a closed form, statsmodels, scipy, or the same data under tidy names. ``--version``
says under which name figures are kept, so that those of an older commit can stand beside them.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from _results import add_output, keep

from moe_classic import MoERegressor

#: Name of a group of cases -> functions without arguments that give rows.
CASES = {}


def case(group):
    """Put a function among the cases of a group."""

    def kept(function):
        CASES.setdefault(group, []).append(function)
        return function

    return kept


def line(what, right, found):
    """One row of the result."""
    return {"case": what, "right": right, "found": found}


# ------------------------------------------------------------------------- names that collide


@case("names")
def parameters_under_awkward_names():
    rng = np.random.default_rng(0)
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), default=sorted(CASES))
    parser.add_argument("--version", choices=["before", "after"], default="after")
    add_output(parser)
    options = parser.parse_args()
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for group in options.only:
            for function in CASES[group]:
                for row in function():
                    rows.append({"group": group, "version": options.version} | row)
                    print(f"{group}: " + "{case}: right {right:g}, found {found:g}".format(**row))
    keep("untidy_reports", rows, ["group", "case", "version"], options.output)


if __name__ == "__main__":
    main()
